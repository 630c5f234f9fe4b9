"""The model of the pipeline agrees with queueing theory where that has an answer."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from benchmarks.model.arrivals import burst, constant, diurnal, exponential, lognormal, poisson
from benchmarks.model.autoscaler import Launches, Sample
from benchmarks.model.design import Design, Stage
from benchmarks.model.run import Run
from benchmarks.model.simulation import Simulation

#: Nothing but a queue and a worker.
BARE = Design(upload=(), work=(Stage(1.0),), after=(), web_cpus=1, worker_cpus=1, slots=1)
#: A bit of everything.
WHOLE = Design(
    upload=(Stage(0.002, 0.06),),
    work=(Stage(0.0, 0.06), Stage(0.025, 0.1)),
    after=(Stage(0.0, 0.04),),
    web_cpus=2,
    worker_cpus=2,
    slots=12,
    partitions=4,
    calls_per_partition_s=300,
)
STEADY = lognormal(0.0)


def erlang_c_wait_s(rate: float, service_s: float, servers: int) -> float:
    """Mean wait in M/M/c: A. K. Erlang, 1917; Kleinrock, Queueing Systems I, section 3.4."""
    load = rate * service_s
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last) / (servers / service_s - rate)


def poisson_run(design: Design, rate: float, seconds: float, *, workers: int = 1) -> Run:
    arrivals = poisson(lambda _: rate, rate, seconds, Random(5))
    return Simulation(design, workers, draw=exponential, seed=25).run(arrivals, seconds + 600)


@pytest.mark.parametrize("servers", [1, 4])
def test_the_mean_wait_is_that_of_erlang(servers: int) -> None:
    """With one worker of so many CPUs and as many images in hand."""
    design = replace(BARE, worker_cpus=servers, slots=servers)
    rate = 0.7 * servers

    seen = poisson_run(design, rate, 40_000 / rate)

    assert seen.waits_s().mean() == pytest.approx(erlang_c_wait_s(rate, 1.0, servers), rel=0.1)


def test_workers_of_one_cpu_wait_as_the_servers_of_one_queue_do() -> None:
    seen = poisson_run(BARE, 2.8, 15_000, workers=4)

    assert seen.waits_s().mean() == pytest.approx(erlang_c_wait_s(2.8, 1.0, 4), rel=0.1)


def test_an_image_alone_takes_as_long_as_its_stages() -> None:
    design = replace(WHOLE, calls_per_partition_s=math.inf)

    seen = Simulation(design, 1, draw=STEADY, seed=0).run(constant(1, 20), 60)

    assert seen.latencies_s() == pytest.approx([0.002 + 0.06 + 0.06 + 0.025 + 0.1] * 20)


def test_every_image_is_announced_or_still_inside() -> None:
    """Also in the middle of things, with workers that die."""
    arrivals = poisson(lambda _: 120, 120, 60, Random(3))

    seen = Simulation(WHOLE, 2, draw=lognormal(0.3), seed=4).run(arrivals, 40, deaths=[10, 20])

    assert seen.waiting > 0
    assert seen.again > 0
    assert seen.offered == (
        len(seen.announced) + seen.waiting + seen.held + seen.uploading + seen.hidden
    )


def test_nothing_is_lost_when_workers_die_and_what_they_held_comes_late() -> None:
    arrivals = constant(20, 60)

    seen = Simulation(WHOLE, 3, draw=STEADY, seed=4).run(arrivals, 300, deaths=[10, 20, 30])

    assert len(seen.announced) == seen.offered == 1200
    late = [p for p in seen.announced if p.announced_at - p.due_at > 30]
    assert len(late) == seen.again > 0


def test_the_same_seed_gives_the_same_run_and_another_one_does_not() -> None:
    def run(seed: int) -> list[float]:
        arrivals = poisson(lambda _: 50, 50, 20, Random(seed))
        seen = Simulation(WHOLE, 2, draw=lognormal(0.3), seed=seed).run(arrivals, 60)
        return seen.latencies_s().tolist()

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_a_partition_takes_no_more_than_its_quota() -> None:
    design = replace(WHOLE, partitions=2, calls_per_partition_s=10)

    seen = Simulation(design, 4, draw=STEADY, seed=0).run(constant(50, 20), 20)

    assert len(seen.announced) == pytest.approx(2 * 10 * 20, rel=0.05)


def test_a_worker_has_no_more_in_hand_than_its_slots() -> None:
    """Ten at a time that take a second each are ten a second, whatever the CPUs could do."""
    design = replace(BARE, work=(Stage(0.0, 1.0),), slots=10)

    seen = Simulation(design, 1, draw=STEADY, seed=0).run(constant(100, 30), 30)

    assert max(held for _, _, held, _ in seen.timeline) == 10
    assert len(seen.announced) == pytest.approx(10 * 30, abs=10)


def test_on_one_machine_web_and_workers_share_the_cpus() -> None:
    apart = replace(BARE, upload=(Stage(0.5),), work=(Stage(0.5),), web_cpus=1, slots=8)
    together = replace(apart, is_one_machine=True)

    def count(design: Design) -> int:
        return len(
            Simulation(design, 1, draw=STEADY, seed=0).run(constant(1.2, 100), 100).announced
        )

    assert count(apart) == pytest.approx(119, abs=1)
    assert count(together) < 100


def test_what_one_interpreter_does_is_done_one_at_a_time_by_however_many_cpus() -> None:
    free = replace(BARE, work=(Stage(1.0),), worker_cpus=4, slots=4)
    serial = replace(free, work=(Stage(1.0, is_serial=True),))

    def count(design: Design) -> int:
        return len(Simulation(design, 1, draw=STEADY, seed=0).run(constant(3, 50), 50).announced)

    assert count(free) == pytest.approx(147, abs=2)
    assert count(serial) == pytest.approx(50, abs=2)


def test_the_images_of_a_group_are_in_work_one_after_the_other_and_in_order() -> None:
    """Each takes a second of a worker that has room for ten; those of no group pass them."""
    design = replace(BARE, work=(Stage(0.0, 1.0),), slots=10)

    seen = Simulation(design, 2, draw=STEADY, seed=0).run(
        constant(2, 10), 30, groups={"book": iter([0.0] * 8)}
    )
    pages = seen.of("book").announced

    assert [round(one.announced_at) for one in pages] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert seen.of("").latencies_s().tolist() == pytest.approx([1.0] * 20)


def test_a_group_goes_on_when_the_worker_of_its_image_has_died() -> None:
    design = replace(BARE, work=(Stage(0.0, 1.0),), slots=10)

    seen = Simulation(design, 1, draw=STEADY, seed=0).run(
        iter([]), 200, deaths=[0.5], groups={"book": iter([0.0] * 8)}
    )

    assert seen.again == 1
    assert len(seen.announced) == 8


def test_a_full_group_is_refused_and_nobody_else_until_the_queue_is_full() -> None:
    design = replace(BARE, max_group_depth=5, max_queue_depth=8)

    seen = Simulation(design, 1, draw=STEADY, seed=0).run(
        iter(0.5 + n / 100 for n in range(10)),
        0.9,
        groups={"book": (n / 100 for n in range(20))},
    )

    # One in work, five behind it; then three of the others fill the queue.
    assert seen.refused == {"book": 14, "": 7}
    assert seen.waiting == 8


# --- arrivals ------------------------------------------------------------------------------------


def test_a_burst_brings_its_factor_and_only_in_its_time() -> None:
    at = list(poisson(burst(10, 5, 100, 200), 50, 300, Random(1)))

    assert sum(100 <= one < 200 for one in at) == pytest.approx(5000, rel=0.05)
    assert sum(one < 100 for one in at) == pytest.approx(1000, rel=0.1)
    assert at == sorted(at)


def test_a_day_has_its_mean_and_its_swing() -> None:
    rate_at = diurnal(10, 0.8)

    assert rate_at(0) == pytest.approx(2)
    assert rate_at(43_200) == pytest.approx(18)
    assert sum(rate_at(at) for at in range(86_400)) / 86_400 == pytest.approx(10)


def test_times_have_the_mean_and_the_deviation_that_were_asked_for() -> None:
    random, draw = Random(1), lognormal(0.4)
    times = [draw(random, 2.0) for _ in range(20_000)]
    mean = sum(times) / len(times)

    assert mean == pytest.approx(2.0, rel=0.02)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in times) / len(times))
    assert deviation == pytest.approx(0.8, rel=0.05)


# --- the autoscaler ------------------------------------------------------------------------------


class Script:
    """Orders what it is told, step by step, and keeps what it was shown."""

    step_s = 30.0

    def __init__(self, *wanted: int) -> None:
        self._wanted, self.seen = list(wanted), list[Sample]()

    def decide(self, sample: Sample, ordered: int) -> int:
        self.seen.append(sample)
        return self._wanted.pop(0) if self._wanted else ordered


def test_an_autoscaler_is_shown_the_queue_the_workers_and_the_cpus_that_were_busy() -> None:
    script = Script()
    design = replace(BARE, work=(Stage(2.0),), worker_cpus=1, slots=4)

    Simulation(design, 1, draw=STEADY, seed=1, autoscaler=script).run(constant(1, 200), 61)

    first, second = script.seen
    assert (first.at_s, first.running) == (30.0, 1)
    assert first.in_flight == first.groups == 4
    assert first.waiting == pytest.approx(30 - 15 - 4, abs=1)
    assert second.busy_cpus == pytest.approx(1.0, rel=0.1)


def test_a_worker_that_is_ordered_polls_when_it_has_started() -> None:
    launches = Launches(start_s=(40, 40))

    seen = Simulation(WHOLE, 1, draw=STEADY, seed=1, autoscaler=Script(3), launches=launches).run(
        constant(1, 100), 100
    )
    workers = {round(at): count for at, _, _, count in seen.timeline}

    assert (workers[69], workers[71]) == (1, 3)


def test_a_cancelled_worker_does_not_start() -> None:
    launches = Launches(start_s=(900, 900))

    seen = Simulation(
        WHOLE, 2, draw=STEADY, seed=1, autoscaler=Script(9, 2), launches=launches
    ).run(constant(10, 1500), 1500)

    assert max(workers for _, _, _, workers in seen.timeline) == 2


def test_a_worker_that_is_let_go_finishes_what_it_has() -> None:
    seen = Simulation(WHOLE, 3, draw=STEADY, seed=1, autoscaler=Script(1)).run(
        constant(20, 60), 120
    )

    assert seen.timeline[-1][3] == 1
    assert len(seen.announced) == seen.offered
    assert seen.again == 0


def test_an_image_in_hand_waits_for_a_cpu_which_is_no_wait_in_the_queue() -> None:
    """Four at once on one CPU: 0, 1, 2 and 3 seconds."""
    design = replace(BARE, slots=4)

    seen = Simulation(design, 1, draw=STEADY, seed=0).run(iter([0.0] * 4), 10)

    assert seen.waits_s().tolist() == [0.0] * 4
    assert sorted(seen.cpu_waits_s().tolist()) == pytest.approx([0.0, 1.0, 2.0, 3.0])
