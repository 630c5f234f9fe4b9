"""Let a client wait for a result (`Prefer: wait`, RFC 7240) without starving other clients.

Each wait occupies a server thread, so their number is limited; a server may ignore the preference.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

FIRST_LOOK_S: Final = 0.05
LAST_LOOK_S: Final = 0.5


class Waits:
    """Grants at most *slots* waits at a time. Thread-safe."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._stopping = threading.Event()

    def wait(self, look: Callable[[], T], done: Callable[[T], bool], timeout_s: float) -> T | None:
        """The result of *look* once it is *done* or time is up; None if all slots are taken."""
        if not self._slots.acquire(blocking=False):
            return None
        try:
            return self._wait(look, done, time.monotonic() + timeout_s)
        finally:
            self._slots.release()

    def stop(self) -> None:
        """End every current wait after its next look; later waits look once and return."""
        self._stopping.set()

    def _wait(self, look: Callable[[], T], done: Callable[[T], bool], deadline: float) -> T:
        pause_s = FIRST_LOOK_S
        while True:
            found = look()
            left_s = deadline - time.monotonic()
            if done(found) or left_s <= 0 or self._stopping.wait(min(pause_s, left_s)):
                return found
            pause_s = min(LAST_LOOK_S, pause_s * 1.5)
