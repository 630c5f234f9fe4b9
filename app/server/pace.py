"""Measure the speed of transfers, and bound how often a connection is read."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

#: A head must be complete within this time. Within each such period, a body or a response must
#: move at least _SLOW_BYTES.
_SLOW_S: Final = 30.0
_SLOW_BYTES: Final = 30 * 1024
#: A round of the event loop costs as much for 1 byte as for 128 KiB. After a few small reads for
#: one request, the pause before each further read doubles, so that bytes collect in the kernel.
_SMALL_READ_BYTES: Final = 1024
_FREE_SMALL_READS: Final = 4
_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.5
#: Recent speed is measured over one to two of these periods.
_LATELY_S: Final = 2.0


class Pace:
    """Tells whether a transfer is too slow: it must move _SLOW_BYTES in each _SLOW_S."""

    def __init__(self) -> None:
        self.restart()

    def restart(self, moved_bytes: int = 0) -> None:
        self._since = time.monotonic()
        self._bytes = moved_bytes

    def is_too_slow(self, moved_bytes: int, now: float) -> bool:
        if now - self._since < _SLOW_S:
            return False
        is_slow = moved_bytes - self._bytes < _SLOW_BYTES
        self._since, self._bytes = now, moved_bytes
        return is_slow


@dataclass(frozen=True)
class Moved:
    """The bytes that a client moved in the last *seconds*."""

    size_bytes: int
    seconds: float

    @property
    def bytes_per_s(self) -> float:
        return self.size_bytes / self.seconds if self.seconds > 0 else 0.0


class RecentPace:
    """Measures the bytes moved in the last 2 to 4 seconds, or since the transfer began."""

    def __init__(self) -> None:
        self.restart(0, time.monotonic())

    def restart(self, moved_bytes: int, now: float) -> None:
        # One assignment, because the budget reads the marks from other threads.
        self._marks = ((moved_bytes, now), (moved_bytes, now))

    def look(self, moved_bytes: int, now: float) -> Moved:
        """The recent movement, given *moved_bytes* in total; must be called about once a second."""
        older, newer = self._marks
        if now - newer[1] >= _LATELY_S:
            older, newer = newer, (moved_bytes, now)
            self._marks = (older, newer)
        return Moved(max(0, moved_bytes - older[0]), max(0.0, now - older[1]))


class ReadPace:
    """Tells when to read from a connection again: at once, unless it sends many small pieces."""

    def __init__(self) -> None:
        self.reads_again_at = 0.0
        self._small_reads = 0

    def has_read(self, size_bytes: int, *, is_in_request: bool) -> None:
        is_small = is_in_request and size_bytes < _SMALL_READ_BYTES
        self._small_reads = self._small_reads + 1 if is_small else 0
        doublings = self._small_reads - _FREE_SMALL_READS - 1
        if doublings >= 0:
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(doublings, 10))
            self.reads_again_at = time.monotonic() + pause_s


class Wakeups:
    """Collects the times at which the event loop must run although no socket is ready."""

    def __init__(self) -> None:
        self._soonest = math.inf

    def at(self, moment: float) -> None:
        self._soonest = min(self._soonest, moment)

    def take_timeout_s(self, longest_s: float) -> float:
        """Seconds that the loop may sleep. Clears the times; connections set them each round."""
        soonest, self._soonest = self._soonest, math.inf
        return min(longest_s, max(0.0, soonest - time.monotonic()))
