"""What a test, or a process that it ran, has written to the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.observability import logs

Event = dict[str, Any]


def events(caplog: pytest.LogCaptureFixture) -> list[Event]:
    """What was logged in this process, as the lines of JSON that it would be."""
    formatter = logs.formatter(logs.JSON)
    return [json.loads(formatter.format(record)) for record in caplog.records]


def parsed(output: str) -> list[Event]:
    """Each line of *output*, which has to be JSON."""
    return [json.loads(line) for line in output.splitlines()]
