"""The model of this machine beside its measurements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.model.arrivals import constant, lognormal
from benchmarks.model.design import Design, Stage
from benchmarks.model.run import Run
from benchmarks.model.simulation import Simulation
from benchmarks.report.rows import Figures


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
