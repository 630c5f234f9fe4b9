"""What is projected follows from what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.model.autoscaler import Launches
from benchmarks.model.cost import cost_per_million, demand
from benchmarks.model.deployed import Sizes
from benchmarks.model.fleets import burst_figures, burst_run, on_ecs
from benchmarks.model.steady import fleet, slots, tasks_for
from benchmarks.model.target_tracking import BACKLOG, TrackingPolicy
from benchmarks.model.usage import usage_of
from benchmarks.model.validation import most_per_s, validation
from benchmarks.report import tables

CALLS = {"SendMessage": 1.0, "ReceiveMessage": 0.5, "PutObject": 2.0, "GetQueueAttributes": 0.001}
CPU_MS = {"web": 6.0, "worker": 22.0, "localstack": 25.0, "clients": 7.0}


def rung(rate: float, p50: float, p95: float) -> dict[str, Any]:
    return {"rate_per_s": rate, "latency_ms": {"p50": p50, "p95": p95}, "cpu_ms": CPU_MS}


MEASURED = {
    "page_bytes": 170_000,
    "result_bytes": 40_000,
    "machine": {"cpus": 2},
    "subjects": {
        "one-worker": {
            "rungs": [rung(3, 110, 140), rung(15, 130, 180)],
            "cpu_ms": CPU_MS,
            "burst_per_s": 30.0,
        },
        "ours": {"cpu_ms": {"app": 28.0, "localstack": 25.0}, "aws_calls": CALLS},
    },
}
USAGE = usage_of(MEASURED, "ours")


def test_the_worker_takes_what_the_web_side_does_not() -> None:
    assert USAGE.web_cpu_s == 0.006
    assert USAGE.worker_cpu_s == pytest.approx(0.022)


def test_calls_are_those_of_sqs_that_come_with_images_and_those_of_who_listens() -> None:
    assert USAGE.sqs_calls == {
        "SendMessage": 1.0,
        "ReceiveMessage": 0.5,
        "ReceiveMessage of others": 0.1,
        "DeleteMessageBatch of others": 0.1,
    }


def test_a_fleet_is_sized_by_cpus_or_by_what_tasks_have_in_hand() -> None:
    two_cpus = Sizes(cpus=2, slots=12, memory_gb=4, smallest=1, largest=99)
    slow = replace(USAGE, worker_cpu_s=0.14, held_s=0.2)
    waiting = replace(USAGE, worker_cpu_s=0.001, held_s=1.2)

    assert tasks_for(slow, 100, two_cpus) == 10  # 14 CPUs busy, 2 a task, to 70 %
    assert tasks_for(waiting, 70, two_cpus) == 10  # 84 in hand, 12 a task, to 70 %


def test_more_in_hand_helps_until_the_cpus_are_busy() -> None:
    few, many = (slots(USAGE, per_cpu)["most_per_s"] for per_cpu in (1, 24))

    assert few < many
    assert many == pytest.approx(2 / USAGE.worker_cpu_s, rel=0.05)


def test_the_model_is_fitted_to_the_lowest_rung_only() -> None:
    of = validation(MEASURED)
    lowest, other = of["rungs"]

    assert lowest["model_ms"][0] == pytest.approx(110, rel=0.03)
    assert other["model_ms"] != other["measured_ms"]
    assert of["model_most_per_s"] == pytest.approx(2 / 0.060, rel=0.01)


def test_the_most_is_what_the_cpus_or_one_interpreter_allow() -> None:
    busy_emulator = {"cpu_ms": {"web": 1.0, "worker": 1.0, "localstack": 40.0, "clients": 1.0}}

    assert most_per_s(rung(15, 130, 180), 2) == pytest.approx(2000 / 60)
    assert most_per_s(busy_emulator, 2) == pytest.approx(1000 / 40)


def test_a_burst_is_over_sooner_when_more_tasks_wait_for_it() -> None:
    usage = replace(USAGE, worker_cpu_s=0.2, held_s=0.4)
    few = Sizes(cpus=1, slots=6, memory_gb=2, smallest=2, largest=20)
    many = replace(few, smallest=4)
    policy = TrackingPolicy(metric=BACKLOG, target=300)

    late, soon = (
        burst_figures(burst_run(usage, 4.0, one, on_ecs(one, (policy,)), Launches()), 4.0)
        for one in (few, many)
    )

    assert soon["longest_wait_s"] < late["longest_wait_s"]
    assert soon["most_waiting"] < late["most_waiting"]


@pytest.mark.parametrize(("method", "subject"), [("otsu", "ours"), ("auto", "ours-auto")])
def test_what_is_committed_was_projected_from_what_was_measured(method: str, subject: str) -> None:
    """After a new measurement: python -m benchmarks.model.projections."""
    measured, projected = tables.results()
    usage = usage_of(measured, subject)

    assert projected["usage"][method] == vars(usage)
    for rate, seen in projected["demand"][method].items():
        assert seen == demand(int(rate), usage, fleet())
    for rate, seen in projected["cost"][method].items():
        assert seen == cost_per_million(int(rate), usage, fleet())
