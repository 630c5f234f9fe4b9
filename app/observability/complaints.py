"""Log a repeated fault once when it begins and once when it ends."""

from __future__ import annotations

import re
from typing import Final

from . import logs

logger = logs.get_logger(__name__)

#: Reasons that differ only in numbers, such as seconds, count as the same reason.
_NUMBER: Final = re.compile(r"\d+")


class Complaints:
    """The current faults, each logged once. Not thread-safe."""

    def __init__(self) -> None:
        #: The reason without its numbers, and the endpoint.
        self._known: dict[str, tuple[str, dict[str, str]]] = {}

    def about(self, what: str, reason: str, endpoint: str | None = None) -> None:
        """Log the *reason* of a fault of *what*, unless it is logged already."""
        kind, where = _NUMBER.sub("", reason), {"endpoint": endpoint} if endpoint else {}
        known, _ = self._known.get(what, (None, {}))
        if known != kind:
            logger.warning("unhealthy", of=what, reason=reason, **where)
        self._known[what] = kind, where

    def over(self, what: str) -> None:
        """Log that the fault of *what* has ended, if one was logged."""
        known = self._known.pop(what, None)
        if known:
            logger.info("healthy again", after=what, **known[1])
