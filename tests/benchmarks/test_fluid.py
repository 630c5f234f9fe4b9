"""The model by seconds and the one by images say the same where both can run."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.model.arrivals import burst, lognormal, poisson
from benchmarks.model.autoscaler import Launches
from benchmarks.model.cost import Usage
from benchmarks.model.deployed import Sizes
from benchmarks.model.fluid import SPREAD, Fluid, FluidRun
from benchmarks.model.run import Run
from benchmarks.model.simulation import Simulation
from benchmarks.model.steady import design_on_aws
from benchmarks.model.target_tracking import BACKLOG, CPU, Scaling, ShrinkPolicy, TrackingPolicy

USAGE = Usage(
    web_cpu_s=0.008,
    worker_cpu_s=0.12,
    page_bytes=1,
    result_bytes=1,
    sqs_calls={},
    held_s=0.34,
)
SIZES = Sizes(cpus=1.0, slots=6, memory_gb=2.0, smallest=2, largest=40)
POLICIES = (
    TrackingPolicy(metric=CPU, target=70, period_s=20, delay_s=20, out_cooldown_s=180),
    TrackingPolicy(metric=BACKLOG, target=600, out_cooldown_s=120),
)
RATE_AT, SECONDS = burst(10, 10, 300, 600), 1800


SHRINK = ShrinkPolicy(threshold=63, steps=((33, 0.5), (0, 0.1)))


def autoscaler() -> Scaling:
    return Scaling(POLICIES, SHRINK, SIZES.cpus, SIZES.smallest, SIZES.largest)


@pytest.fixture(scope="module")
def by_seconds() -> FluidRun:
    return Fluid(USAGE, SIZES, autoscaler()).run(RATE_AT, SECONDS)


@pytest.fixture(scope="module")
def by_images() -> Run:
    design = design_on_aws(USAGE, 100, SIZES)
    simulation = Simulation(
        design,
        SIZES.smallest,
        draw=lognormal(SPREAD),
        seed=1,
        autoscaler=autoscaler(),
        launches=Launches(),
    )
    return simulation.run(poisson(RATE_AT, 100, SECONDS, Random(1)), SECONDS)


def test_in_both_models_a_burst_makes_as_many_images_wait(
    by_seconds: FluidRun, by_images: Run
) -> None:
    waiting = max(waiting for _, waiting, _, _ in by_images.timeline)

    assert max(by_seconds.waiting) == pytest.approx(waiting, rel=0.15)


def test_in_both_models_a_burst_is_over_at_the_same_time(
    by_seconds: FluidRun, by_images: Run
) -> None:
    late = max(at for at, waiting, _, _ in by_images.timeline if waiting > 20)

    assert by_seconds.clear_after_s(0, 20) == pytest.approx(late, rel=0.1)


def test_in_both_models_images_wait_as_long(by_seconds: FluidRun, by_images: Run) -> None:
    assert by_seconds.wait_s(100) == pytest.approx(float(by_images.waits_s().max()), rel=0.15)


def test_in_both_models_a_burst_costs_as_much(by_seconds: FluidRun, by_images: Run) -> None:
    assert by_seconds.worker_hours == pytest.approx(by_images.worker_s / 3600, rel=0.15)


def test_even_arrivals_have_the_rate_in_each_second_and_in_total() -> None:
    class Nobody:
        step_s = 60.0

        def decide(self, _: object, ordered: int) -> int:
            return ordered

    run = Fluid(USAGE, SIZES, Nobody(), is_even=True).run(lambda _: 7.5, 100)

    assert sum(count for _, _, count in run.waits) + run.waiting[-1] == 750
    assert run.changes == []
    assert run.settled_at_s == 0


def test_a_percentile_counts_images_and_not_seconds() -> None:
    run = FluidRun(waits=[(0, 0, 90), (1, 5, 9), (2, 60, 1)])

    assert [run.wait_s(percent) for percent in (50, 95, 99.5)] == [0, 5, 60]
