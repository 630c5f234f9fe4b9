"""Compare policies of KEDA by the growth of pods and by the images per pod (`queueLength`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from benchmarks.model import deployed
from benchmarks.model.cost import Usage
from benchmarks.model.fleets import (
    COLD_S,
    GRID_RATES,
    SEEDS,
    burst_figures,
    burst_run,
    free,
    on_kubernetes,
    sizes_on_kubernetes,
)
from benchmarks.model.fluid import Fluid
from benchmarks.model.hpa import HpaPolicy
from benchmarks.model.steady import tasks_for
from benchmarks.report.rows import Figures

#: The load, in images a second, of a cold start with a single pod.
COLD_RATE = 1_000


def keda_grid(usage: Usage) -> list[Figures]:
    """A cold start and bursts of each policy, with the deployed one among them."""
    return [
        {
            "times": 1 + policy.up_percent / 100,
            "queue": policy.queue_target,
            "is_deployed": policy == deployed.policy_on_kubernetes(),
            **keda_grid_figures(usage, policy),
        }
        for policy in candidates()
    ]


def candidates() -> Iterator[HpaPolicy]:
    policy = deployed.policy_on_kubernetes()
    # 100 % every 15 s is Kubernetes' default, of few pods.
    for percent, share in product((100, policy.up_percent), (0.5, 5 / 6, 1.0, 2.0, 4.0)):
        yield replace(policy, up_percent=percent, queue_target=share * policy.queue_target)


def keda_grid_figures(usage: Usage, policy: HpaPolicy) -> Figures:
    sizes = sizes_on_kubernetes(usage, COLD_RATE)
    cold = Fluid(usage, sizes, on_kubernetes(free(sizes), policy)).run(
        lambda _: COLD_RATE, COLD_S // 8
    )
    return {
        "cold_most": max(cold.workers),
        "cold_longest_wait_s": cold.wait_s(100),
        "bursts": [{"clear_after_s": _clear_after_s(usage, r, policy)} for r in GRID_RATES],
    }


def _clear_after_s(usage: Usage, rate: int, policy: HpaPolicy) -> int:
    """The mean of three bursts of ten times *rate*."""
    sizes = sizes_on_kubernetes(usage, rate)
    sizes = replace(sizes, smallest=tasks_for(usage, rate, sizes))
    runs = [burst_run(usage, rate, sizes, on_kubernetes(sizes, policy), seed=n) for n in SEEDS]
    return round(sum(burst_figures(run, rate)["clear_after_s"] for run in runs) / len(runs))
