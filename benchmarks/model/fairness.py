"""Simulate one client with a group of 50,000 pages beside nine clients that send single images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from benchmarks.model import deployed
from benchmarks.model.arrivals import constant, lognormal, poisson
from benchmarks.model.autoscaler import Autoscaler
from benchmarks.model.cost import Usage
from benchmarks.model.fleets import on_ecs, on_kubernetes
from benchmarks.model.run import Run
from benchmarks.model.simulation import Simulation
from benchmarks.model.steady import SPREAD, design_on_aws
from benchmarks.report.rows import Figures

GROUP, PAGES, SECONDS = "book", 50_000, 1_800.0
PAGES_PER_S = PAGES / SECONDS
#: Images a second of the nine others together.
OTHERS_PER_S = 9.0
#: Before this time the fleet grows to the size that the nine others need.
SETTLED_S = 300.0


@dataclass(frozen=True)
class Limits:
    """Waiting images over which uploads of a group, and of everybody, are refused."""

    of_group: float = math.inf
    of_all: float = math.inf


def limits() -> Limits:
    """The limits of deploy/; each API task counts groups by itself."""
    said = deployed.parameters()
    return Limits(said["MaxGroupDepth"] * said["MinWeb"], said["MaxQueueDepth"])


def fairness(usage: Usage) -> list[Figures]:
    """The figures of the others alone, beside the pages, and beside the pages without limits."""
    pods = deployed.sizes_on_kubernetes()
    runs = {
        "alone": run(usage, limits(), is_alone=True),
        "beside the group": run(usage, limits()),
        "the same, with KEDA": run(usage, limits(), autoscaler=on_kubernetes(pods)),
        "without `MAX_GROUP_DEPTH`": run(usage, replace(limits(), of_group=math.inf)),
        "without `MAX_QUEUE_DEPTH` either": run(usage, Limits()),
    }
    return [{"title": title, **figures(seen)} for title, seen in runs.items()]


def run(
    usage: Usage,
    limited: Limits,
    *,
    is_alone: bool = False,
    autoscaler: Autoscaler | None = None,
) -> Run:
    """Half an hour of the fleet on ECS, or with *autoscaler*, from the smallest fleet."""
    sizes = deployed.sizes_on_ecs()
    simulation = Simulation(
        replace(
            design_on_aws(usage, OTHERS_PER_S + PAGES_PER_S, sizes),
            max_group_depth=limited.of_group,
            max_queue_depth=limited.of_all,
        ),
        sizes.smallest,
        draw=lognormal(SPREAD),
        seed=1,
        autoscaler=autoscaler or on_ecs(sizes, deployed.policies_on_ecs()),
    )
    others = poisson(lambda _: OTHERS_PER_S, OTHERS_PER_S, SECONDS, Random(1))
    pages = {} if is_alone else {GROUP: constant(PAGES_PER_S, SECONDS)}
    return simulation.run(others, SECONDS, groups=pages)


def figures(seen: Run) -> Figures:
    p50, p95 = np.percentile(seen.of("").latencies_s(SETTLED_S) * 1000, (50, 95))
    pages = seen.of(GROUP)
    return {
        "others_ms": [round(float(p50), 1), round(float(p95), 1)],
        "others_refused": seen.refused[""],
        "pages": len(pages.announced),
        "pages_refused": seen.refused[GROUP],
        "most_waiting": max(waiting for _, waiting, _, _ in seen.timeline),
        "most_tasks": max(workers for _, _, _, workers in seen.timeline),
        "longest_wait_s": round(float(pages.waits_s().max(initial=0.0)), 1),
    }
