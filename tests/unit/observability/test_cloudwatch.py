"""What a process writes for CloudWatch: the format, the counts, and that nothing stops it."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import jsonschema
import pytest

from app.consumer.outcome import Outcome
from app.observability import cloudwatch
from app.observability.cloudwatch import CloudWatchMetrics, line, since, totals
from app.observability.metrics import Metrics
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

SCHEMA = json.loads(
    (ROOT / "tests" / "data" / "cloudwatch" / "embedded_metric_format.json").read_text()
)


@pytest.fixture
def metrics() -> Metrics:
    found = Metrics()
    assert found.http
    assert found.worker
    return found


def counted(metrics: Metrics) -> dict[str, float]:
    return totals(metrics.registry.collect())


def assert_is_of_the_format(text: str) -> dict[str, Any]:
    """Also that every name that the document mentions is a member of it."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimension in itertools.chain(*directive["Dimensions"]):
            assert isinstance(document[dimension], str)
        for metric in directive["Metrics"]:
            assert isinstance(document[metric["Name"]], int | float)
    assert "\n" not in text
    return document


def test_a_line_has_cloudwatchs_format_and_tells_the_cell(metrics: Metrics) -> None:
    document = assert_is_of_the_format(line(counted(metrics), "lisbon", 1_800_000_000.5))

    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert document["_aws"]["Timestamp"] == 1_800_000_000_500
    assert directive["Dimensions"] == [["service", "cell"]]
    assert (document["service"], document["cell"]) == ("image-pipeline", "lisbon")


def test_the_check_of_the_format_finds_a_missing_value() -> None:
    broken = json.loads(line({"ValidUploads": 1}, "main", 1_800_000_000))
    del broken["ValidUploads"]

    with pytest.raises(KeyError):
        assert_is_of_the_format(json.dumps(broken))


def test_uploads_with_a_fault_of_the_client_are_not_counted_as_valid(metrics: Metrics) -> None:
    metrics.http.uploaded(1024, is_replay=False)
    metrics.http.uploaded(1024, is_replay=True)
    for code in ("queue-full", "storage-unavailable", "unauthorized", "not-png"):
        metrics.http.refused(code)

    values = counted(metrics)

    assert (values["ValidUploads"], values["FailedUploads"]) == (4, 2)


def test_announcements_are_late_over_300_s(metrics: Metrics) -> None:
    for seconds in (0.2, 300, 301, 4000):
        metrics.worker.announced(seconds)

    values = counted(metrics)

    assert (values["Announcements"], values["LateAnnouncements"]) == (4, 2)


def test_every_outcome_but_a_retry_counts_as_ended(metrics: Metrics) -> None:
    for outcome in Outcome:
        metrics.worker.ended(outcome)

    assert counted(metrics)["EndedDeliveries"] == len(Outcome) - 2
    assert set(Outcome) - cloudwatch.ENDED == {Outcome.RETRIED, Outcome.LEASE_LOST}


def test_counters_are_written_as_increments_and_gauges_as_values(metrics: Metrics) -> None:
    metrics.worker.watch(in_hand=lambda: 0, is_open=lambda: True)
    metrics.http.refused("queue-full")
    before = counted(metrics)
    metrics.http.refused("queue-full")
    metrics.http.refused("queue-full")

    added = since(before, counted(metrics))

    assert added["FailedUploads"] == 2
    assert added["Announcements"] == 0
    assert added["OpenBreaker"] == 1


def test_a_process_writes_only_what_its_role_counts() -> None:
    web, worker = Metrics(), Metrics()
    assert web.http
    assert worker.worker

    assert counted(web) == {"ValidUploads": 0, "FailedUploads": 0}
    assert counted(worker).keys() & counted(web).keys() == set()


def test_counts_since_the_last_line_are_written_at_a_stop(metrics: Metrics) -> None:
    lines: list[str] = []
    writer = CloudWatchMetrics(metrics.registry, "main", interval_s=0.05, write=lines.append)

    with writer:
        metrics.http.refused("queue-full")
        wait_until(lambda: len(lines) > 2)
        metrics.http.refused("queue-full")

    assert sum(json.loads(each)["FailedUploads"] for each in lines) == 2


def test_a_closed_pipe_does_not_end_the_writer(metrics: Metrics) -> None:
    tries = 0

    def refuse(_: str) -> None:
        nonlocal tries
        tries += 1
        raise BrokenPipeError

    with CloudWatchMetrics(metrics.registry, "main", interval_s=0.01, write=refuse):
        assert wait_until(lambda: tries > 2)


def test_every_metric_is_a_row_of_the_page(metrics: Metrics) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `([A-Z]\w+)` \|", page, re.MULTILINE)

    assert sorted(rows) == sorted(counted(metrics))
