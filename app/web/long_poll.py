"""Let a client wait for something (`Prefer: wait`, RFC 7240) without starving the others.

Each wait holds a thread of the server, so only so many are granted; the preference is optional.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_FIRST_LOOK_S: Final = 0.05
_LAST_LOOK_S: Final = 0.5


class Waits:
    """Grants at most *slots* waits at a time. Thread-safe."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._stopping = threading.Event()

    def wait(self, look: Callable[[], T], done: Callable[[T], bool], timeout_s: float) -> T | None:
        """What *look* returns once it is *done*, or at the end; None when no wait is granted."""
        if not self._slots.acquire(blocking=False):
            return None
        try:
            return self._wait(look, done, time.monotonic() + timeout_s)
        finally:
            self._slots.release()

    def stop(self) -> None:
        """End every wait with its next look, and grant none that lasts."""
        self._stopping.set()

    def _wait(self, look: Callable[[], T], done: Callable[[T], bool], deadline: float) -> T:
        pause_s = _FIRST_LOOK_S
        while True:
            found = look()
            left_s = deadline - time.monotonic()
            if done(found) or left_s <= 0 or self._stopping.wait(min(pause_s, left_s)):
                return found
            pause_s = min(_LAST_LOOK_S, pause_s * 1.5)
