"""Validate the model against the measurements, then project rates beyond this machine.

    ./.venv/bin/python -m benchmarks.projections [--measured FILE] [--out FILE]

Reads benchmarks/results/pipeline.json and writes benchmarks/results/projections.json in about two
minutes. CPU per image is measured at the sustained rate. AWS latency is assumed: 40 ms per S3 call
and 20 ms per SQS call, as in benchmarks/worker.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from app.settings import Settings
from benchmarks.arrivals import burst, constant, diurnal, lognormal, poisson
from benchmarks.autoscaler import Scaling
from benchmarks.cost import Fleet, Usage, cost_per_million, demand, through_nat_per_million, whole
from benchmarks.design import Design, Stage
from benchmarks.simulation import Run, Simulation
from benchmarks.worker import S3_LATENCY_S, SQS_LATENCY_S

RESULTS = Path(__file__).resolve().parent / "results"
LINGER_S = Settings().batch_linger_ms / 1000
RATES = (10, 1_000, 100_000)
#: A Fargate task; six images in progress per CPU are the worker's default.
TASK_CPUS, SLOTS_PER_CPU = 2, 6
FLEET = Fleet()
#: Standard deviation of a step's duration, as a share of its mean.
SPREAD = 0.3
#: Larger loads are equal cells of this many images per second, each with its share of launches.
CELL_RATE, STEADY_CELL_RATE = 50.0, 1_000.0
#: Delay of an image above which the autoscaler adds workers.
ACCEPTABLE_S = 30.0
#: Fargate's launch rate limit for one account.
LAUNCH_BURST, LAUNCHES_PER_S = 100, 20.0
BURST_FACTOR, BURST_S, BURST_AT_S = 10.0, 300.0, 120.0
#: Images of one model run; more take longer and give the same result.
STEADY_IMAGES = 60_000
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--measured", type=Path, default=RESULTS / "pipeline.json")
    parser.add_argument("--out", type=Path, default=RESULTS / "projections.json")
    options = parser.parse_args()
    measured = json.loads(options.measured.read_text())
    usages = {"otsu": usage_of(measured, "ours"), "auto": usage_of(measured, "ours-auto")}
    results = {
        "validation": validation(measured),
        "usage": {method: vars(usage) for method, usage in usages.items()},
        "demand": {m: {str(r): demand(r, u, FLEET) for r in RATES} for m, u in usages.items()},
        "cost": {
            m: {str(r): cost_per_million(r, u, FLEET) for r in RATES} for m, u in usages.items()
        },
        "through_nat": through_nat_per_million(usages["auto"]),
        "slots": [slots(usages["otsu"], per_cpu) for per_cpu in (6, 12, 24)],
        "steady": [steady(m, u, rate) for m, u in usages.items() for rate in RATES],
        "bursts": [bursts(usages["auto"], rate) for rate in RATES],
        "sensitivity": sensitivity(usages["auto"]),
        "day": day(usages["auto"]),
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")


def usage_of(measured: Figures, subject: str) -> Usage:
    """Resources per image, from the figures at *subject*'s sustained rate.

    That run has web and worker in one process. The web share comes from the run with separate ones.
    """
    apart = measured["subjects"]["one-worker"]["cpu_ms"]
    seen = measured["subjects"][subject]
    heard = {"ReceiveMessage of others": 0.1, "DeleteMessageBatch of others": 0.1}
    calls = {name: n for name, n in seen["aws_calls"].items() if is_of_sqs(name)}
    return Usage(
        web_cpu_s=apart["web"] / 1000,
        worker_cpu_s=max(0.001, (seen["cpu_ms"]["app"] - apart["web"]) / 1000),
        page_bytes=measured["page_bytes"],
        result_bytes=measured["result_bytes"],
        sqs_calls={name: n for name, n in calls.items() if n >= 0.01} | heard,
        held_s=held_s((seen["cpu_ms"]["app"] - apart["web"]) / 1000),
    )


def is_of_sqs(action: str) -> bool:
    return "Message" in action or "Queue" in action


def held_s(cpu_s: float) -> float:
    return SQS_LATENCY_S + 2 * S3_LATENCY_S + cpu_s + 2 * (LINGER_S + SQS_LATENCY_S)


def design_on_aws(usage: Usage, rate: float, *, per_cpu: int = SLOTS_PER_CPU) -> Design:
    """Fargate tasks, with web servers enough for *rate*, because web scales separately."""
    return Design(
        upload=(Stage(usage.web_cpu_s, S3_LATENCY_S + SQS_LATENCY_S),),
        work=(
            Stage(0.0, SQS_LATENCY_S + S3_LATENCY_S),
            Stage(usage.worker_cpu_s, S3_LATENCY_S + LINGER_S + SQS_LATENCY_S),
        ),
        after=(Stage(0.0, LINGER_S + SQS_LATENCY_S),),
        web_cpus=whole(rate * usage.web_cpu_s / FLEET.web_busy),
        worker_cpus=TASK_CPUS,
        slots=per_cpu * TASK_CPUS,
        partitions=max(1, whole(2 * rate / 300)),
        calls_per_partition_s=300,
    )


def tasks_for(usage: Usage, rate: float, per_cpu: int = SLOTS_PER_CPU) -> int:
    """Tasks needed for the rate, limited by CPUs or by images in progress."""
    of_task = min(by_cpu_of_task(usage), by_slots_of_task(usage, per_cpu))
    return max(1, whole(rate / of_task / FLEET.worker_busy))


def by_cpu_of_task(usage: Usage) -> float:
    """Images per second that the CPUs of one task allow."""
    return TASK_CPUS / usage.worker_cpu_s


def by_slots_of_task(usage: Usage, per_cpu: int = SLOTS_PER_CPU) -> float:
    """Images per second that the slots of one task allow."""
    return per_cpu * TASK_CPUS / usage.held_s


# --- one machine ---------------------------------------------------------------------------------


def validation(measured: Figures) -> Figures:
    """Compare the model of this machine with its measurements, for `web` and one `worker`.

    The model's inputs are CPU per image by component at each rung, and from the lowest rung the
    remaining time (p50) and its spread (p95). LocalStack and the clients share the CPUs, and
    LocalStack is one interpreter, so its work is serialized. Other load is not modelled.
    """
    subject = measured["subjects"]["one-worker"]
    rungs, cpus = subject["rungs"], measured["machine"]["cpus"]
    lowest = rungs[0]
    spread = fitted_spread(lowest, cpus)
    delay_s = fitted_delay_s(lowest, cpus, spread)
    rows = []
    for rung in rungs:
        run = on_one_machine(rung, cpus, delay_s, spread)
        p50, p95 = np.percentile(run.latencies_s(5.0), (50, 95)) * 1000
        rows.append(
            {
                "rate_per_s": rung["rate_per_s"],
                "measured_ms": [rung["latency_ms"]["p50"], rung["latency_ms"]["p95"]],
                "model_ms": [round(float(p50), 1), round(float(p95), 1)],
            }
        )
    return {
        "delay_ms": round(delay_s * 1000, 1),
        "spread": spread,
        "rungs": rows,
        "measured_most_per_s": subject["burst_per_s"],
        "model_most_per_s": round(most_per_s(rungs[-1], cpus), 2),
    }


def on_one_machine(rung: Figures, cpus: int, delay_s: float, spread: float) -> Run:
    of = {name: ms / 1000 for name, ms in rung["cpu_ms"].items()}
    emulator, clients = Stage(of["localstack"] / 4, is_serial=True), Stage(of["clients"] / 2)
    design = Design(
        upload=(clients, Stage(of["web"]), emulator),
        work=(emulator, Stage(of["worker"]), emulator, emulator, replace(clients, delay_s=delay_s)),
        after=(),
        web_cpus=cpus,
        worker_cpus=cpus,
        slots=6 * cpus,
        is_one_machine=True,
    )
    arrivals = constant(rung["rate_per_s"], 120.0)
    return Simulation(design, 1, draw=lognormal(spread), seed=1).run(arrivals, 600.0)


def most_per_s(rung: Figures, cpus: int) -> float:
    """The largest images per second that the CPUs and LocalStack's interpreter allow."""
    by_cpus = 1000 * cpus / sum(rung["cpu_ms"].values())
    return float(min(by_cpus, 1000 / rung["cpu_ms"]["localstack"]))


def fitted_delay_s(rung: Figures, cpus: int, spread: float) -> float:
    run = on_one_machine(rung, cpus, 0.0, spread)
    return max(0.0, rung["latency_ms"]["p50"] / 1000 - float(np.median(run.latencies_s())))


def fitted_spread(rung: Figures, cpus: int) -> float:
    """The candidate spread that best fits the distance from p50 to p95."""
    wanted = rung["latency_ms"]["p95"] - rung["latency_ms"]["p50"]

    def error(spread: float) -> float:
        seen = on_one_machine(rung, cpus, 0.0, spread).latencies_s()
        p50, p95 = np.percentile(seen, (50, 95)) * 1000
        return abs(float(p95 - p50) - wanted)

    return min((n / 10 for n in range(1, 21)), key=error)


# --- fleets --------------------------------------------------------------------------------------


def slots(usage: Usage, per_cpu: int) -> Figures:
    """The largest rate of one task, by images in progress per CPU."""
    design = design_on_aws(usage, 200.0, per_cpu=per_cpu)
    run = Simulation(design, 1, draw=lognormal(SPREAD), seed=1).run(constant(200.0, 60.0), 60.0)
    return {"per_cpu": per_cpu, "most_per_s": round(len(run.announced) / 60.0, 1)}


def steady(method: str, usage: Usage, rate: float) -> Figures:
    """A fleet at its target utilization; over 1,000 images a second, in cells of 1,000."""
    cell = min(rate, STEADY_CELL_RATE)
    tasks, seconds = tasks_for(usage, cell), STEADY_IMAGES / max(cell, 100.0)
    arrivals = poisson(lambda _: cell, cell, seconds, Random(1))
    design = design_on_aws(usage, cell)
    run = Simulation(design, tasks, draw=lognormal(SPREAD), seed=1).run(arrivals, seconds + 60)
    return {
        "method": method,
        "rate": rate,
        "tasks": round(tasks * rate / cell),
        "wait_ms": at_percentiles(run.waits_s(5.0)),
        "latency_ms": at_percentiles(run.latencies_s(5.0)),
    }


def at_percentiles(seconds: np.ndarray) -> list[float]:
    return [round(float(ms), 1) for ms in np.percentile(seconds, (50, 95, 99)) * 1000]


def scaling_for(usage: Usage, rate: float, cells: float = 1.0) -> Scaling:
    """An autoscaler with an acceptable delay, and the workers that *rate* needs as its minimum."""
    return Scaling(
        target_per_worker=ACCEPTABLE_S * min(by_cpu_of_task(usage), by_slots_of_task(usage)),
        busy_cpus_per_worker=TASK_CPUS * FLEET.worker_busy,
        smallest=tasks_for(usage, rate),
        launch_burst=max(1, round(LAUNCH_BURST / cells)),
        launches_per_s=LAUNCHES_PER_S / cells,
    )


def burst_run(usage: Usage, cell: float, scaling: Scaling, until_s: float = 2400.0) -> Run:
    to_s = BURST_AT_S + BURST_S
    arrivals = poisson(
        burst(cell, BURST_FACTOR, BURST_AT_S, to_s), BURST_FACTOR * cell, until_s, Random(1)
    )
    design = design_on_aws(usage, BURST_FACTOR * cell)
    simulation = Simulation(
        design, scaling.smallest, draw=lognormal(SPREAD), seed=1, scaling=scaling
    )
    return simulation.run(arrivals, until_s)


def burst_figures(run: Run) -> Figures:
    timeline = np.array(run.timeline)
    waiting = timeline[:, 1]
    late = np.nonzero(waiting > 10)[0]
    return {
        "most_waiting": int(waiting.max()),
        "most_tasks": int(timeline[:, 3].max()),
        "longest_wait_s": round(float(run.waits_s().max()), 1),
        "p95_wait_s": round(float(np.percentile(run.waits_s(BURST_AT_S), 95)), 1),
        "clear_after_s": round(float(timeline[late[-1], 0] - BURST_AT_S)) if len(late) else 0,
    }


def bursts(usage: Usage, rate: float) -> Figures:
    """Ten times *rate* for five minutes; over CELL_RATE, one cell with its share."""
    cells = max(1.0, rate / CELL_RATE)
    run = burst_run(usage, rate / cells, scaling_for(usage, rate / cells, cells))
    of_cell = burst_figures(run)
    every = np.array(run.timeline)[::10]
    return {
        "rate": rate,
        "tasks_before": round(tasks_for(usage, rate / cells) * cells),
        **of_cell,
        "most_waiting": round(of_cell["most_waiting"] * cells),
        "most_tasks": round(of_cell["most_tasks"] * cells),
        "timeline": {
            "at_s": every[:, 0].tolist(),
            "waiting": (every[:, 1] * cells).tolist(),
            "tasks": (every[:, 3] * cells).tolist(),
        },
    }


def sensitivity(usage: Usage) -> list[Figures]:
    """The burst on 10 images a second, with one parameter changed at a time."""
    rate = 10.0
    usual = scaling_for(usage, rate)
    changes: Mapping[str, Scaling] = {
        "as above": usual,
        "one period is enough to grow": replace(usual, periods_to_grow=1),
        "metric without delay, every 10 s": replace(
            usual, period_s=10.0, delay_s=0.0, periods_to_grow=1, periods_to_shrink=90
        ),
        "starts take 10 to 20 s": replace(usual, start_s=(10.0, 20.0)),
        "starts take 120 to 180 s": replace(usual, start_s=(120.0, 180.0)),
        "twice the tasks at rest": replace(usual, smallest=2 * usual.smallest),
        "five times the tasks at rest": replace(usual, smallest=5 * usual.smallest),
        "no autoscaler": replace(usual, largest=usual.smallest),
    }
    return [
        {"change": name} | burst_figures(burst_run(usage, rate, scaling, 4800.0))
        for name, scaling in changes.items()
    ]


def day(usage: Usage) -> Figures:
    """What an autoscaler saves in a day compressed to six hours, where load changes faster."""
    mean, swing, seconds = 25.0, 0.8, 21_600.0
    peak = tasks_for(usage, mean * (1 + swing))
    scaling = replace(scaling_for(usage, mean), smallest=1)
    arrivals = poisson(diurnal(mean, swing, seconds), mean * (1 + swing), seconds, Random(1))
    design = design_on_aws(usage, mean * (1 + swing))
    run = Simulation(design, 1, draw=lognormal(SPREAD), seed=1, scaling=scaling).run(
        arrivals, seconds
    )
    return {
        "lowest_per_s": round(mean * (1 - swing), 1),
        "highest_per_s": round(mean * (1 + swing), 1),
        "task_hours": round(run.worker_s / 3600, 1),
        "task_hours_for_the_peak": round(peak * seconds / 3600, 1),
        "wait_ms": at_percentiles(run.waits_s()),
        "longest_wait_s": round(float(run.waits_s().max()), 1),
    }


if __name__ == "__main__":
    main()
