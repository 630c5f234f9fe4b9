"""The deployed fleet while load changes: constant from a cold start, bursts, a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product

from benchmarks.model import deployed
from benchmarks.model.arrivals import burst, diurnal
from benchmarks.model.autoscaler import Autoscaler, Launches
from benchmarks.model.cost import Usage
from benchmarks.model.deployed import Sizes
from benchmarks.model.fluid import Fluid, FluidRun
from benchmarks.model.hpa import Hpa, HpaPolicy
from benchmarks.model.steady import tasks_for
from benchmarks.model.target_tracking import Scaling, TrackingPolicy
from benchmarks.report.rows import Figures

RATES = (10, 30, 60, 300, 1_000)
#: The figures are of the hour that follows the first half hour.
SETTLED_S, LOOKED_AT_S, COLD_S = 1_800, 5_400, 14_400
SEEDS = (1, 2, 3)
#: The rates at which the policies are compared, with small tasks.
GRID_RATES = (10, 100)
BURST_FACTOR, BURST_S, BURST_AT_S, BURST_UNTIL_S = 10.0, 300, 600, 3_600
#: Larger loads are equal cells of this many images per second, each with its share of launches.
CELL_RATE = 1_000
Policies = tuple[TrackingPolicy, ...]


def on_ecs(sizes: Sizes, policies: Policies, *, is_cooldown_shared: bool = True) -> Scaling:
    return Scaling(
        policies,
        deployed.shrink_policy_on_ecs(),
        sizes.cpus,
        sizes.smallest,
        sizes.largest,
        is_cooldown_shared=is_cooldown_shared,
    )


def on_kubernetes(sizes: Sizes, policy: HpaPolicy | None = None) -> Hpa:
    policy = policy or deployed.policy_on_kubernetes()
    return Hpa(policy, sizes.cpus, sizes.smallest, sizes.largest)


def sizes_on_kubernetes(usage: Usage, rate: float) -> Sizes:
    """The manifests' sizes, with more pods allowed where a burst on *rate* needs them."""
    sizes = deployed.sizes_on_kubernetes()
    return replace(sizes, largest=max(sizes.largest, tasks_for(usage, BURST_FACTOR * rate, sizes)))


# --- a constant load -----------------------------------------------------------------------------


def constant_load(usage: Usage, rate: int) -> Figures:
    """The figures of the hour after the first half hour, on ECS and with KEDA."""
    of = smallest_that_holds(usage, rate)
    sizes, policies = deployed.sizes_on_ecs(of), deployed.policies_on_ecs(of)
    pods = sizes_on_kubernetes(usage, rate)
    return {
        "rate": rate,
        "parameters": of,
        "ecs": constant_figures(usage, rate, sizes, *readings(free(sizes), policies)),
        "keda": constant_figures(usage, rate, pods, partial(on_kubernetes, free(pods))),
    }


def readings(sizes: Sizes, policies: Policies) -> tuple[Callable[[], Autoscaler], ...]:
    """The deployed policies with one cooldown for all of them, and with one for each."""
    make = partial(on_ecs, sizes, policies)
    return partial(make, is_cooldown_shared=True), partial(make, is_cooldown_shared=False)


def free(sizes: Sizes) -> Sizes:
    """The *sizes* with the least minimum."""
    return replace(sizes, smallest=1)


def smallest_that_holds(usage: Usage, rate: int) -> int | None:
    """The file of deploy/rates/ whose fleet holds *rate*; None if the defaults do."""
    defaults = deployed.sizes_on_ecs()
    is_enough = tasks_for(usage, rate, defaults) <= defaults.largest
    return None if is_enough else deployed.rate_file(rate)


def constant_figures(
    usage: Usage, rate: int, sizes: Sizes, *makes: Callable[[], Autoscaler]
) -> Figures:
    """The worst figures of *makes*, started with the tasks that hold *rate* and with the fewest."""
    held = replace(sizes, smallest=tasks_for(usage, rate, sizes))
    warm = [
        Fluid(usage, held, make(), seed=seed, is_even=True).run(lambda _: rate, LOOKED_AT_S)
        for make in makes
        for seed in SEEDS
    ]
    cold = [Fluid(usage, sizes, make()).run(lambda _: rate, COLD_S) for make in makes]
    return {
        "tasks": warm[0].workers[-1],
        "changes": max(run.changes_after(SETTLED_S) for run in warm),
        "wait_p95_s": max(run.wait_s(95, SETTLED_S) for run in warm),
        "cold_most": max(max(run.workers) for run in cold),
        "cold_longest_wait_s": max(run.wait_s(100) for run in cold),
        "cold_settled_min": max(round(run.settled_at_s / 60) for run in cold),
    }


# --- bursts --------------------------------------------------------------------------------------


def at_rest(usage: Usage, rate: float, of: int | None) -> Sizes:
    """The deployed sizes, with the tasks that hold *rate* as the minimum."""
    sizes = deployed.sizes_on_ecs(of)
    return replace(sizes, smallest=max(sizes.smallest, tasks_for(usage, rate, sizes)))


def burst_run(
    usage: Usage,
    rate: float,
    sizes: Sizes,
    autoscaler: Autoscaler,
    launches: Launches | None = None,
    seed: int = 1,
) -> FluidRun:
    rate_at = burst(rate, BURST_FACTOR, BURST_AT_S, BURST_AT_S + BURST_S)
    fluid = Fluid(usage, sizes, autoscaler, launches, seed=seed)
    return fluid.run(rate_at, BURST_UNTIL_S)


def burst_figures(run: FluidRun, rate: float) -> Figures:
    return {
        "most_waiting": max(run.waiting),
        "most_tasks": max(run.workers),
        "task_hours": round(run.worker_hours, 1),
        "p95_wait_s": run.wait_s(95, BURST_AT_S),
        "longest_wait_s": run.wait_s(100, BURST_AT_S),
        # The arrivals of one second are no backlog.
        "clear_after_s": run.clear_after_s(BURST_AT_S, round(2 * rate)),
    }


def bursts(usage: Usage, rate: int) -> Figures:
    """Ten times *rate* for five minutes; over CELL_RATE, one cell with its share of launches."""
    cells = max(1.0, rate / CELL_RATE)
    cell, of = rate / cells, deployed.rate_file(round(rate / cells))
    sizes, usual = at_rest(usage, cell, of), Launches()
    launches = Launches(burst=max(1, round(usual.burst / cells)), per_s=usual.per_s / cells)
    run = burst_run(usage, cell, sizes, on_ecs(sizes, deployed.policies_on_ecs(of)), launches)
    figures = dict(burst_figures(run, cell))
    for name in ("most_waiting", "most_tasks", "task_hours"):
        figures[name] = round(figures[name] * cells)
    return {
        "rate": rate,
        "vcpus": sizes.cpus,
        "tasks_before": round(sizes.smallest * cells),
        **figures,
        "timeline": {
            "at_s": [at - BURST_AT_S + 120 for at in range(BURST_AT_S - 120, BURST_UNTIL_S, 10)],
            "waiting": [n * cells for n in run.waiting[BURST_AT_S - 120 :: 10]],
            "tasks": [n * cells for n in run.workers[BURST_AT_S - 120 :: 10]],
        },
    }


def keda_burst(usage: Usage, rate: int) -> Figures:
    sizes = sizes_on_kubernetes(usage, rate)
    sizes = replace(sizes, smallest=tasks_for(usage, rate, sizes))
    figures = burst_figures(burst_run(usage, rate, sizes, on_kubernetes(sizes)), rate)
    return {"rate": rate, "tasks_before": sizes.smallest, **figures}


# --- which policies ------------------------------------------------------------------------------


def grid(usage: Usage) -> list[Figures]:
    """Bursts of the policies that were tried, with the deployed ones among them."""
    return [
        {
            "cpu_cooldown_s": cpu.out_cooldown_s,
            "cpu_period_s": cpu.period_s,
            "backlog_cooldown_s": backlog.out_cooldown_s,
            "backlog": backlog.target,
            "is_deployed": (cpu, backlog) == deployed.policies_on_ecs(),
            "bursts": grid_figures_of(usage, (cpu, backlog)),
        }
        for cpu, backlog in candidates()
    ]


def candidates() -> Iterator[tuple[TrackingPolicy, TrackingPolicy]]:
    cpu, backlog = deployed.policies_on_ecs()
    slow = replace(cpu, period_s=60.0, delay_s=60.0)
    yield slow, backlog
    for cpu_s, backlog_s, share in product((60, 180), (60, 120), (0.4, 1.0, 2.0)):
        yield (
            replace(cpu, out_cooldown_s=cpu_s),
            replace(backlog, out_cooldown_s=backlog_s, target=share * backlog.target),
        )


def grid_figures_of(usage: Usage, policies: Policies) -> list[Figures]:
    return [grid_figures(usage, rate, policies) for rate in GRID_RATES]


def grid_figures(usage: Usage, rate: int, policies: Policies) -> Figures:
    """The mean of three runs, with as many small tasks as the burst needs."""
    sizes = at_rest(usage, rate, None)
    sizes = replace(sizes, largest=3 * tasks_for(usage, BURST_FACTOR * rate, sizes))
    runs = [burst_run(usage, rate, sizes, on_ecs(sizes, policies), seed=n) for n in (1, 2, 3)]
    of = [burst_figures(run, rate) for run in runs]
    return {
        name: round(sum(one[name] for one in of) / len(of), 1)
        for name in ("clear_after_s", "most_tasks", "task_hours")
    }


def sensitivity(usage: Usage) -> list[Figures]:
    """The burst on 10 images a second, with one thing changed at a time."""
    rate = 10
    sizes, policies = at_rest(usage, rate, None), deployed.policies_on_ecs()
    quick = tuple(replace(one, period_s=10.0, delay_s=0.0) for one in policies)
    alone = policies[:1], policies[1:]
    changes: Mapping[str, tuple[Sizes, Policies, Launches]] = {
        "as deployed": (sizes, policies, Launches()),
        "CPU alone": (sizes, alone[0], Launches()),
        "backlog alone": (sizes, alone[1], Launches()),
        "metrics every 10 s, without delay": (sizes, quick, Launches()),
        "starts take 10 to 20 s": (sizes, policies, Launches((10.0, 20.0))),
        "starts take 120 to 180 s": (sizes, policies, Launches((120.0, 180.0))),
        "twice the tasks at rest": (times(sizes, 2), policies, Launches()),
        "five times the tasks at rest": (times(sizes, 5), policies, Launches()),
        "no autoscaler": (replace(sizes, largest=sizes.smallest), policies, Launches()),
    }
    return [
        {
            "change": name,
            **burst_figures(burst_run(usage, rate, size, on_ecs(size, some), launches), rate),
        }
        for name, (size, some, launches) in changes.items()
    ]


def times(sizes: Sizes, factor: int) -> Sizes:
    return replace(sizes, smallest=factor * sizes.smallest)


def day(usage: Usage) -> Figures:
    """The savings by the autoscaler in a day that is compressed to six hours."""
    mean, swing, seconds = 25.0, 0.8, 21_600
    rate_at = diurnal(mean, swing, seconds)
    sizes = deployed.sizes_on_ecs()
    run = Fluid(usage, sizes, on_ecs(sizes, deployed.policies_on_ecs())).run(rate_at, seconds)
    peak = tasks_for(usage, mean * (1 + swing), sizes)
    return {
        "lowest_per_s": round(mean * (1 - swing), 1),
        "highest_per_s": round(mean * (1 + swing), 1),
        "task_hours": round(run.worker_hours, 1),
        "task_hours_for_the_peak": round(peak * seconds / 3600, 1),
        "wait_s": [run.wait_s(percent) for percent in (95, 99, 100)],
    }
