"""A fault is logged once when it begins and once when it ends."""

from __future__ import annotations

import logging

import pytest

from app.observability.complaints import Complaints
from testkit.observability.logged import events


def test_a_reason_is_logged_when_it_changes_in_more_than_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    complaints = Complaints()

    complaints.about("q.fifo", "the clock is 10 s off")
    complaints.about("q.fifo", "the clock is 12 s off")
    complaints.about("bucket", "no credentials")
    complaints.about("q.fifo", "no credentials")
    complaints.over("q.fifo")
    complaints.over("q.fifo")
    complaints.about("q.fifo", "no credentials")

    assert [(e["event"], e.get("reason", e.get("after"))) for e in events(caplog)] == [
        ("unhealthy", "the clock is 10 s off"),
        ("unhealthy", "no credentials"),
        ("unhealthy", "no credentials"),
        ("healthy again", "q.fifo"),
        ("unhealthy", "no credentials"),
    ]
