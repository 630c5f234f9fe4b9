"""How long to wait before the next try."""

from __future__ import annotations

import pytest

from app.domain.backoff import Backoff

BACKOFF = Backoff(first_s=2, longest_s=60)


@pytest.mark.parametrize(
    ("attempt", "bound_s"), [(1, 2), (2, 4), (5, 32), (6, 60), (1000, 60), (10**9, 60)]
)
def test_the_bound_doubles_with_each_try_up_to_the_longest(attempt: int, bound_s: float) -> None:
    full = [BACKOFF.full_jitter_s(attempt) for _ in range(500)]
    equal = [BACKOFF.equal_jitter_s(attempt) for _ in range(500)]

    assert 0 <= min(full) < 0.1 * bound_s
    assert 0.9 * bound_s < max(full) <= bound_s
    assert 0.5 * bound_s <= min(equal) < 0.6 * bound_s
    assert 0.9 * bound_s < max(equal) <= bound_s


def test_waits_are_random() -> None:
    assert len({BACKOFF.full_jitter_s(3) for _ in range(50)}) > 40
    assert len({BACKOFF.equal_jitter_s(3) for _ in range(50)}) > 40
