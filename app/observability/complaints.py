"""Log what is not well once, however often it is found, and when it is over."""

from __future__ import annotations

import re
from typing import Final

from . import logs

logger = logs.get_logger(__name__)

#: A reason that differs by seconds, or by how far a clock is off, is the same one.
_NUMBER: Final = re.compile(r"\d+")


class Complaints:
    """For one thread at a time."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def about(self, what: str, reason: str) -> None:
        """Say why *what* is not well, unless that has been said."""
        kind = _NUMBER.sub("", reason)
        if self._reasons.get(what) != kind:
            logger.warning("not well", reason=reason)
        self._reasons[what] = kind

    def over(self, what: str) -> None:
        """Say that *what* is well, if anything else was said of it."""
        if self._reasons.pop(what, None):
            logger.info("well again", after=what)
