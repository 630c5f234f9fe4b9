"""KEDA's deployed policy is among the fastest of those that bring few pods too many."""

from __future__ import annotations

from benchmarks.model import deployed
from benchmarks.model.keda_grid import COLD_RATE, keda_grid_figures
from benchmarks.model.usage import usage_of
from benchmarks.report import tables
from tests.benchmarks.test_fleets import OVERSHOOT

AUTO = usage_of(tables.results()[0], "ours-auto")


def test_a_burst_is_over_within_a_fifth_of_the_best_policies_that_bring_as_few_pods() -> None:
    _, projected = tables.results()
    (constant,) = [one for one in projected["constant"] if one["rate"] == COLD_RATE]
    few = OVERSHOOT["keda"] * constant["keda"]["tasks"]
    tried = [one["bursts"] for one in projected["keda_grid"] if one["cold_most"] <= few]
    (ours,) = [one for one in projected["keda_grid"] if one["is_deployed"]]

    assert len(tried) > 3
    for number, burst in enumerate(ours["bursts"]):
        fastest = min(bursts[number]["clear_after_s"] for bursts in tried)
        assert burst["clear_after_s"] <= 1.2 * fastest


def test_the_grid_in_the_documents_is_of_the_policy_that_is_deployed() -> None:
    """After a change in deploy/: python -m benchmarks.model.projections, then .report.plots."""
    _, projected = tables.results()
    (ours,) = [one for one in projected["keda_grid"] if one["is_deployed"]]

    policy = deployed.policy_on_kubernetes()

    assert (ours["times"], ours["queue"]) == (1 + policy.up_percent / 100, policy.queue_target)
    assert {name: ours[name] for name in ("cold_most", "bursts")} == {
        name: keda_grid_figures(AUTO, policy)[name] for name in ("cold_most", "bursts")
    }
