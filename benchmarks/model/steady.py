"""A fleet of the deployed tasks under a load that it holds, image by image."""

from __future__ import annotations

from random import Random

import numpy as np

from benchmarks.model import deployed
from benchmarks.model.arrivals import constant, lognormal, poisson
from benchmarks.model.cost import Fleet, Usage, whole
from benchmarks.model.deployed import Sizes
from benchmarks.model.design import Design, Stage
from benchmarks.model.simulation import Simulation
from benchmarks.model.usage import LINGER_S
from benchmarks.report.rows import Figures
from benchmarks.service.worker import S3_LATENCY_S, SQS_LATENCY_S

#: Standard deviation of a step's duration, as a share of its mean.
SPREAD = 0.3
#: Larger loads are equal cells of this many images per second.
CELL_RATE = 1_000
#: Images of one model run; more take longer and give the same result.
IMAGES = 60_000


def fleet(rate: int | None = None) -> Fleet:
    """The fleet of docs/scaling.md, with the figures of deploy/."""
    sizes = deployed.sizes_on_ecs(rate)
    cpu, _ = deployed.policies_on_ecs(rate)
    return Fleet(
        web_busy=deployed.web_busy(),
        worker_busy=cpu.target / 100,
        gb_per_vcpu=sizes.memory_gb / sizes.cpus,
        retention_days=float(deployed.parameters(rate)["RetentionDays"]),
        log_days=float(deployed.parameters(rate)["LogRetentionDays"]),
    )


def design_on_aws(usage: Usage, rate: float, sizes: Sizes) -> Design:
    """Fargate tasks, with web servers enough for *rate*, because web scales separately."""
    return Design(
        upload=(Stage(usage.web_cpu_s, S3_LATENCY_S + SQS_LATENCY_S),),
        work=(
            Stage(0.0, SQS_LATENCY_S + S3_LATENCY_S),
            Stage(usage.worker_cpu_s, S3_LATENCY_S + LINGER_S + SQS_LATENCY_S),
        ),
        after=(Stage(0.0, LINGER_S + SQS_LATENCY_S),),
        web_cpus=whole(rate * usage.web_cpu_s / fleet().web_busy),
        worker_cpus=round(sizes.cpus),
        slots=sizes.slots,
        partitions=max(1, whole(2 * rate / 300)),
        calls_per_partition_s=300,
    )


def by_task(usage: Usage, sizes: Sizes) -> float:
    """Images per second of one task, limited by its CPUs or by its images in progress."""
    return min(sizes.cpus / usage.worker_cpu_s, sizes.slots / usage.held_s)


def tasks_for(usage: Usage, rate: float, sizes: Sizes) -> int:
    """Tasks that hold *rate* at the policy's CPU target."""
    return max(1, whole(rate / by_task(usage, sizes) / fleet().worker_busy))


def slots(usage: Usage, per_cpu: int) -> Figures:
    """The largest rate of one task of 2 vCPU, by images in progress per CPU."""
    sizes = Sizes(cpus=2, slots=2 * per_cpu, memory_gb=4, smallest=1, largest=1)
    design = design_on_aws(usage, 200.0, sizes)
    run = Simulation(design, 1, draw=lognormal(SPREAD), seed=1).run(constant(200.0, 60.0), 60.0)
    return {"per_cpu": per_cpu, "most_per_s": round(len(run.announced) / 60.0, 1)}


def steady(method: str, usage: Usage, rate: int) -> Figures:
    """A fleet at its CPU target; over 1,000 images a second, in cells of 1,000."""
    cell = min(rate, CELL_RATE)
    sizes = deployed.sizes_on_ecs(deployed.rate_file(cell))
    tasks, seconds = tasks_for(usage, cell, sizes), IMAGES / max(cell, 100.0)
    arrivals = poisson(lambda _: cell, cell, seconds, Random(1))
    design = design_on_aws(usage, cell, sizes)
    run = Simulation(design, tasks, draw=lognormal(SPREAD), seed=1).run(arrivals, seconds + 60)
    return {
        "method": method,
        "rate": rate,
        "tasks": round(tasks * rate / cell),
        "vcpus": sizes.cpus,
        "wait_ms": at_percentiles(run.waits_s(5.0)),
        "cpu_wait_ms": at_percentiles(run.cpu_waits_s(5.0)),
        "latency_ms": at_percentiles(run.latencies_s(5.0)),
    }


def at_percentiles(seconds: np.ndarray) -> list[float]:
    return [round(float(ms), 1) for ms in np.percentile(seconds, (50, 95, 99)) * 1000]
