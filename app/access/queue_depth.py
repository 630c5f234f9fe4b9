"""Refuse uploads while too many images wait in the queue."""

from __future__ import annotations

from typing import Final

from ..domain.ports import Depth
from ..errors import QueueFullError

_RETRY_AFTER_S: Final = 30


class QueueLimit:
    """The limit of waiting images, for all clients together; 0 means no limit."""

    def __init__(self, max_waiting: int) -> None:
        self.max_waiting = max_waiting

    def is_exceeded_by(self, depth: Depth | None) -> bool:
        """Whether more images wait than may; an unknown depth exceeds nothing."""
        return depth is not None and 0 < self.max_waiting < depth.waiting

    def check(self, depth: Depth | None) -> None:
        """Raise QueueFullError if *depth* exceeds the limit."""
        if depth is not None and self.is_exceeded_by(depth):
            raise QueueFullError(
                f"{depth.waiting} images wait; at most {self.max_waiting} may.",
                limit=self.max_waiting,
                actual=depth.waiting,
                retry_after_s=_RETRY_AFTER_S,
            )
