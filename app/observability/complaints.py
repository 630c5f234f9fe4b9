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
        self._reasons: dict[str, str] = {}

    def about(self, what: str, reason: str) -> None:
        """Log the *reason* of a fault of *what*, unless it is logged already."""
        kind = _NUMBER.sub("", reason)
        if self._reasons.get(what) != kind:
            logger.warning("unhealthy", reason=reason)
        self._reasons[what] = kind

    def over(self, what: str) -> None:
        """Log that the fault of *what* has ended, if one was logged."""
        if self._reasons.pop(what, None):
            logger.info("healthy again", after=what)
