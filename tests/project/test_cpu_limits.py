"""Limits of CPU time are strict where the machine is fast, and longer where it is slow."""

from __future__ import annotations

import pytest

from testkit.in_memory import costs
from testkit.timing.waiting import TooSlowError


@pytest.mark.parametrize(("slowness", "took_s"), [(1.0, 0.1), (1.0, 0.05), (2.0, 0.2), (3.0, 0.29)])
def test_what_the_speed_of_the_machine_explains_is_within_the_limit(
    slowness: float, took_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "slowness", lambda: slowness)

    costs.assert_cpu_within(took_s, 0.1)


@pytest.mark.parametrize(("slowness", "took_s"), [(1.0, 0.11), (2.0, 0.21)])
def test_what_it_does_not_explain_is_too_slow(
    slowness: float, took_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "slowness", lambda: slowness)

    with pytest.raises(TooSlowError):
        costs.assert_cpu_within(took_s, 0.1)


def test_no_machine_is_taken_for_more_than_three_times_as_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 1 <= costs.slowness() <= 3

    monkeypatch.setattr(costs, "_BEST_LOOP_S", 1e-9)

    assert costs.slowness() == 3
