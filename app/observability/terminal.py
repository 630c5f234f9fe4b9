"""The log on a terminal: short lines without repetitions."""

from __future__ import annotations

import logging
import re
import threading
from datetime import datetime
from typing import Any, Final

from structlog.types import EventDict

from .redaction import harmless

ANSWERED: Final = "request answered"
#: The events at the start and at the end of an outage; the field `endpoint` has the URL.
DOWN: Final = frozenset(("unhealthy", "polling failed"))
UP: Final = frozenset(("healthy again", "polling works again"))
#: Consequences of an outage.
CONSEQUENCES: Final = frozenset(
    (
        "S3 or SQS is down; nothing is received until they answer",
        "S3 or SQS is still down",
        "S3 and SQS are back",
        "message will be retried",
        "request failed",
    )
)
#: The files of the page, and the requests by which it follows an image.
_ROUTINE_PATHS: Final = ("/static/", "/favicon.ico", "/sw.js", "/status", "/service")
_ROUTINE_ROUTE: Final = "/images/<uuid:image_id>"
_HIDDEN: Final = ("logger", "request_id", "trace_id", "span_id", "message_id", "image_method")
_BLOCKS: Final = ("exception", "stack")
_NUMBER: Final = re.compile(r"\d+")


class Quiet(logging.Filter):
    """Drops routine requests, and during an outage all lines but its first and its last."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        #: Current outages by endpoint, or by part without one: the failed parts and their reasons.
        self._down: dict[str, dict[str, str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        event: Any = record.msg
        if not isinstance(event, dict):  # of a library
            return True
        name = event.get("event")
        if name == ANSWERED:
            return not _is_routine(event)
        with self._lock:
            if name in DOWN:
                return self._is_first(event)
            if name in UP:
                return self._is_last(event)
            return not (name in CONSEQUENCES and self._down)

    def _is_first(self, event: EventDict) -> bool:
        what, kind = _subject(event), _NUMBER.sub("", str(event.get("reason")))
        place = event.get("endpoint") or what
        if "endpoint" not in event and self._down.keys() - {place}:
            return False  # the worker, without its queue
        known = self._down.setdefault(place, {})
        # Only the part that failed first on an endpoint reports a changed reason.
        is_news = not known or (what == next(iter(known)) and known[what] != kind)
        known[what] = kind
        return is_news

    def _is_last(self, event: EventDict) -> bool:
        place = event.get("endpoint") or _subject(event)
        known = self._down.get(place, {})
        is_known = known.pop(_subject(event), None) is not None
        if not known:
            self._down.pop(place, None)
        return is_known and not known


class Short:
    """Writes an event in few words: the time of day, the event and the image."""

    def __call__(self, _logger: Any, _name: str, event: EventDict) -> str:
        blocks = [harmless(str(event.pop(b)), is_block=True) for b in _BLOCKS if b in event]
        time = datetime.fromisoformat(event.pop("time")).astimezone()
        level = str(event.pop("level")).upper()
        loud = f"{level} " if level not in ("INFO", "DEBUG") else ""
        line = f"{time:%H:%M:%S} {loud}{harmless(_words(event))}"
        return "\n".join([line.rstrip(), *blocks])


def _words(event: EventDict) -> str:
    name = event.pop("event")
    if name == ANSWERED:
        code = f" {event['code']}" if "code" in event else ""
        duration = f"{event['duration_ms']:.0f} ms"
        return f"{event['method']} {event['path']} {event['status']}{code} {duration}"
    if name in DOWN | UP:
        where = event.get("endpoint") or _subject(event)
        return f"{name}: {where}" + (f": {event['reason']}" if "reason" in event else "")
    shown = {key: value for key, value in event.items() if key not in _HIDDEN}
    image_id = shown.pop("image_id", "")
    facts = [f"{key}={value}" for key, value in shown.items() if not key.startswith("_")]
    return " ".join([str(name), *facts, str(image_id)])


def _is_routine(event: EventDict) -> bool:
    """Whether a browser repeats the request, and it succeeded."""
    if event["status"] >= 400 or event["method"] not in ("GET", "HEAD"):
        return False
    is_of_page = str(event["path"]).startswith(_ROUTINE_PATHS)
    return is_of_page or event.get("route") == _ROUTINE_ROUTE


def _subject(event: EventDict) -> str:
    return str(event.get("of") or event.get("after") or "polling")
