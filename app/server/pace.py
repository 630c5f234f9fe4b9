"""Tell who is too slow, and how often a connection is worth a look."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

#: A header must be there by then; of a body or an answer that much must have moved meanwhile.
_SLOW_S: Final = 30.0
_SLOW_BYTES: Final = 30 * 1024
#: A round of the loop costs as much for one byte as for 128 KiB. After a few small reads for one
#: request the next ones wait, twice as long each time, so that bytes collect in the kernel.
_SMALL_READ_BYTES: Final = 1024
_FREE_SMALL_READS: Final = 4
_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.5
#: What a client moves lately is what it moves in one or two of these.
_LATELY_S: Final = 2.0


class Pace:
    """Tells who is too slow: each _SLOW_S of a transfer must bring _SLOW_BYTES."""

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
    """What a client moved in the last seconds."""

    size_bytes: int
    seconds: float

    @property
    def bytes_per_s(self) -> float:
        return self.size_bytes / self.seconds if self.seconds > 0 else 0.0


class RecentPace:
    """Tells what has moved in the last two to four seconds, or since the transfer began."""

    def __init__(self) -> None:
        self.restart(0, time.monotonic())

    def restart(self, moved_bytes: int, now: float) -> None:
        # One assignment: the budget asks from other threads.
        self._marks = ((moved_bytes, now), (moved_bytes, now))

    def look(self, moved_bytes: int, now: float) -> Moved:
        """Note that *moved_bytes* have moved in all; must be called about each second."""
        older, newer = self._marks
        if now - newer[1] >= _LATELY_S:
            older, newer = newer, (moved_bytes, now)
            self._marks = (older, newer)
        return Moved(max(0, moved_bytes - older[0]), max(0.0, now - older[1]))


class ReadPace:
    """Says when to read from a connection again: at once, unless it sends many small pieces."""

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
    """Know when the loop must look at its connections again, though no socket is ready."""

    def __init__(self) -> None:
        self._soonest = math.inf

    def at(self, moment: float) -> None:
        self._soonest = min(self._soonest, moment)

    def take_timeout_s(self, longest_s: float) -> float:
        """How long the loop may sleep. Who must be woken later says so again in each round."""
        soonest, self._soonest = self._soonest, math.inf
        return min(longest_s, max(0.0, soonest - time.monotonic()))
