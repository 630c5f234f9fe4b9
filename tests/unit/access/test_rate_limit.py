"""How often is too often."""

from __future__ import annotations

import random

import pytest

from app.access import rate_limit
from app.access.rate_limit import Limiter
from app.domain.rates import Rate
from testkit.timing.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(6000.0)


def taken(limiter: Limiter, calls: int, key: str = "ana") -> int:
    return sum(limiter.take(key)[0] for _ in range(calls))


def test_the_limiter_allows_exactly_as_many_calls_as_the_rate(clock: Clock) -> None:
    limiter = Limiter(Rate(60, 60), clock)

    assert taken(limiter, 300) == 60
    assert taken(limiter, 300, "bia") == 60


def test_a_client_at_five_times_the_rate_is_allowed_the_rate_within_5_percent(clock: Clock) -> None:
    limiter = Limiter(Rate(600, 60), clock)
    chance = random.Random(7)

    accepted = 0
    for _ in range(5 * 600 * 20):  # twenty minutes
        clock.now_s += chance.expovariate(50)
        accepted += limiter.take("ana")[0]

    assert accepted == pytest.approx(600 * 20, rel=0.05)


def test_a_burst_across_two_windows_gets_no_more_than_one_rate(clock: Clock) -> None:
    limiter = Limiter(Rate(60, 60), clock)
    clock.now_s += 59

    accepted = taken(limiter, 100)
    clock.now_s += 2

    assert accepted + taken(limiter, 100) <= 62


def test_a_client_that_waits_for_the_reset_time_is_allowed(clock: Clock) -> None:
    chance = random.Random(3)
    for limit in (1, 2, 10, 60):
        limiter = Limiter(Rate(limit, 60), clock)
        for _ in range(200):
            clock.now_s += chance.uniform(0, 20)
            is_within, quota = limiter.take("ana")
            if not is_within:
                clock.now_s += quota.reset_s
                assert limiter.take("ana")[0], (limit, quota)


def test_the_remaining_calls_fall_to_zero_and_recover(clock: Clock) -> None:
    limiter = Limiter(Rate(3, 60), clock)

    left = [limiter.take("ana")[1].remaining for _ in range(4)]
    clock.now_s += 120

    assert left == [2, 1, 0, 0]
    assert limiter.take("ana")[1].remaining == 2


def test_memory_is_bounded_and_the_least_recent_clients_are_forgotten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_MAX_KEYS", 100)
    limiter = Limiter(Rate(1, 60), clock)

    for number in range(150):
        limiter.take(str(number))

    assert len(limiter._counts) == 100
    assert not limiter.take("149")[0]
    assert limiter.take("0")[0]
