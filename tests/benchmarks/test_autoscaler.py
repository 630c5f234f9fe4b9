"""How fast Fargate launches tasks."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.model.autoscaler import Launcher, Launches


def test_orders_start_as_fast_as_fargate_launches_however_they_are_split() -> None:
    launcher = Launcher(Launches(start_s=(30, 30), burst=100, per_s=20))

    polls_at = [launcher.polls_at(0.0, Random(1)) for _ in range(300)]
    later = launcher.polls_at(5.0, Random(1))
    refilled = launcher.polls_at(60.0, Random(1))

    assert polls_at[99] == 30
    assert polls_at[299] == pytest.approx(30 + 200 / 20)
    assert later == pytest.approx(30 + 201 / 20)
    assert refilled == 90
