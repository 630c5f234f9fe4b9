"""What benchmarks/pipeline/measure.py makes of what it has seen."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pipeline.measure import (
    cost,
    median_of,
    overload_figures,
    summary,
    sustained_per_s,
)
from benchmarks.pipeline.one_load import Seen, figures_of
from benchmarks.pipeline.open_loop import Answer, Load


def rung(rate: float, p95: float, own_ms: float = 20.0) -> dict[str, Any]:
    return {
        "rate_per_s": rate,
        "offered": 10,
        "latency_ms": {"p50": p95 / 2, "p95": p95, "p99": p95},
        "cpu_ms": {"app": own_ms, "localstack": 30.0, "clients": 5.0},
        "aws_calls": {"SendMessage": 1.0},
    }


def seen_of(answers: list[Answer], announced_at: dict[str, float]) -> Seen:
    return Seen(Load(answers, 0.1), announced_at, 0, {"app": 1.0}, {"SendMessage": 4})


def test_the_sustained_rate_is_where_the_p95_has_doubled_between_rungs_in_proportion() -> None:
    assert sustained_per_s([rung(2, 100), rung(8, 150), rung(12, 250)]) == pytest.approx(10)


def test_a_disturbed_rung_below_one_that_holds_is_not_the_limit() -> None:
    rungs = [rung(2, 100), rung(5, 400), rung(8, 150), rung(12, 250)]

    assert sustained_per_s(rungs) == pytest.approx(10)


def test_the_last_rung_is_sustained_if_no_p95_has_doubled() -> None:
    assert sustained_per_s([rung(2, 100), rung(8, 199)]) == 8


def test_a_rung_that_most_rounds_have_not_reached_is_left_out() -> None:
    low, high = [rung(2, 100)], [rung(2, 100), rung(8, 900)]

    assert [r["rate_per_s"] for r in summary([low, low, high])["rungs"]] == [2]
    assert [r["rate_per_s"] for r in summary([low, high, high])["rungs"]] == [2, 8]


def test_rounds_become_medians_and_counts_sums() -> None:
    middle = median_of([rung(2, 100), rung(2, 130), rung(2, 500)])

    assert middle["latency_ms"]["p95"] == 130
    assert middle["offered"] == 30


def test_the_cost_is_that_of_the_last_rung_held_without_localstack_and_clients() -> None:
    seen = cost([rung(2, 100, 40.0), rung(8, 150, 25.0), rung(12, 900, 10.0)], 9.0)

    assert seen["own_cpu_ms"] == 25.0
    assert seen["images_per_cpu_s"] == 40.0


def test_latencies_count_from_when_an_upload_was_due() -> None:
    answers = [Answer(10.0, 12.0, 12.1, 202, "a")]

    seen = figures_of(seen_of(answers, {"a": 13.0}), 1.0)

    assert seen["latency_ms"]["p50"] == 3000
    assert seen["answer_ms"]["p50"] == 2100
    assert seen["cpu_ms"] == {"app": 1000.0}


def test_overload_tells_refused_from_lost_and_from_unanswered() -> None:
    answers = [
        Answer(0.0, 0.0, 0.1, 202, "done"),
        Answer(1.0, 1.0, 1.1, 202, "lost"),
        Answer(2.0, 2.0, 2.02, 503),
        Answer(3.0, 3.0, 3.04, 429),
        Answer(4.0, 4.0, 9.0, 0),
    ]

    seen = overload_figures(seen_of(answers, {"done": 6.5}), 1.0)

    assert (seen["accepted"], seen["refused"], seen["unanswered"], seen["lost"]) == (2, 2, 1, 1)
    assert seen["refusal_ms"]["p50"] == pytest.approx(30)
    assert seen["drain_s"] == 2.5
    assert seen["statuses"] == {"0": 1, "202": 2, "429": 1, "503": 1}
    assert seen["by_second"]["offered"][:5] == [1, 1, 1, 1, 1]
    assert sum(seen["by_second"]["announced"]) == 1
