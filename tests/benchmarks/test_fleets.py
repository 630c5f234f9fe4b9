"""The fleet that deploy/ describes holds a constant load without swinging, and gets over bursts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from benchmarks.model import deployed, fleets
from benchmarks.model.autoscaler import Sample
from benchmarks.model.fleets import RATES, constant_load, grid_figures, on_ecs
from benchmarks.model.target_tracking import CPU, Scaling
from benchmarks.model.usage import usage_of
from benchmarks.report import tables
from benchmarks.report.rows import Figures

AUTO = usage_of(tables.results()[0], "ours-auto")
#: How many times the tasks that a rate needs a start from the smallest fleet may bring.
OVERSHOOT = {"ecs": 2, "keda": 3}


@cache
def load(rate: int) -> Figures:
    return constant_load(AUTO, rate)


@pytest.mark.parametrize("rate", RATES)
def test_a_constant_load_changes_the_fleet_once_an_hour_at_most_and_does_not_wait(
    rate: int,
) -> None:
    """The policies as they are deployed, free to shrink to a single task."""
    of = load(rate)

    for where in ("ecs", "keda"):
        assert of[where]["changes"] <= 1, where
        assert of[where]["wait_p95_s"] <= 5, where


@pytest.mark.parametrize("rate", RATES)
def test_a_start_from_the_smallest_fleet_brings_few_tasks_more_than_the_rate_needs(
    rate: int,
) -> None:
    for where, times in OVERSHOOT.items():
        of = load(rate)[where]
        assert of["cold_most"] <= times * of["tasks"], where


def test_as_it_was_without_cpu_the_fleet_swings_under_the_same_load() -> None:
    """The check above must be able to fail: here a fleet that keeps up is taken for an idle one."""
    sizes = deployed.sizes_on_ecs()
    _, backlog = deployed.policies_on_ecs()
    always = replace(deployed.shrink_policy_on_ecs(), threshold=1000.0)

    def without_cpu() -> Scaling:
        return Scaling((backlog,), always, sizes.cpus, 1, sizes.largest)

    of = fleets.constant_figures(AUTO, 60, sizes, without_cpu)

    assert of["changes"] > 1
    assert of["wait_p95_s"] > 5


@pytest.mark.parametrize("rate", [10, 100])
def test_a_burst_is_over_within_a_fifth_of_the_best_policies_that_were_tried(rate: int) -> None:
    ours = grid_figures(AUTO, rate, deployed.policies_on_ecs())["clear_after_s"]
    at = {10: 0, 100: 1}[rate]
    tried = [one["bursts"][at]["clear_after_s"] for one in tables.results()[1]["grid"]]

    assert len(tried) > 10
    assert ours <= 1.2 * min(tried)


def test_one_long_group_does_not_fill_the_account_with_idle_tasks() -> None:
    """A document of 50,000 pages, and one image of others in work at a time."""
    sizes = replace(deployed.sizes_on_ecs(), largest=100)
    scaling, size = on_ecs(sizes, deployed.policies_on_ecs()), 1
    most = 0

    for look in range(1, 2 * 3600 // 5):
        busy_cpus = 0.35 * size if size > 1 else 0.5
        sample = Sample(5.0 * look, 50_000, 2, busy_cpus, size, groups=2)
        size = scaling.decide(sample, size)
        most = max(most, size)

    assert most <= 4


def test_the_projections_in_the_documents_are_of_the_policies_that_are_deployed() -> None:
    """After a change in deploy/: python -m benchmarks.model.projections, then .report.plots."""
    _, projected = tables.results()
    cpu, backlog = deployed.policies_on_ecs()
    (ours,) = [one for one in projected["grid"] if one["is_deployed"]]

    assert cpu.metric == CPU
    assert ours["backlog"] == backlog.target
    assert ours["cpu_cooldown_s"] == cpu.out_cooldown_s
    assert ours["bursts"] == fleets.grid_figures_of(AUTO, (cpu, backlog))
    assert projected["constant"][0] == load(RATES[0])
    assert [one["rate"] for one in projected["constant"]] == list(RATES)
