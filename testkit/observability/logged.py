"""The log events of a test or of a process that it ran."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.observability import logs

Event = dict[str, Any]


def events(caplog: pytest.LogCaptureFixture) -> list[Event]:
    """The events logged in this process, as parsed from JSON lines."""
    formatter = logs.formatter(logs.JSON)
    return [json.loads(formatter.format(record)) for record in caplog.records]


def parsed(output: str) -> list[Event]:
    """The events in *output*, whose lines must all be JSON."""
    return [json.loads(line) for line in output.splitlines()]
