"""Limit the rate of each caller in bounded memory, with a sliding window of two counters.

The previous window counts in proportion to its overlap with the sliding window, as if its calls had
been evenly spread. Cloudflare, "How we built rate limiting capable of scaling to millions of
domains", 2017, measured wrong decisions for 0.003 % of 400 million requests:
https://blog.cloudflare.com/counting-things-a-lot-of-different-things/
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..domain.rates import Rate

#: Evict the least recently seen keys beyond this; a key takes about 100 bytes.
_MAX_KEYS: Final = 100_000


@dataclass(frozen=True)
class Quota:
    """The calls left of a rate: *remaining* of *limit*; more are allowed in *reset_s* seconds."""

    limit: int
    window_s: int
    remaining: int
    reset_s: int


class Limiter:
    """Counts calls by key and says whether they are within *rate*. Thread-safe."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        #: By key, most recent last: window number, calls in that window, calls in the previous one.
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def take(self, key: str) -> tuple[bool, Quota]:
        """Whether a call of *key* is within the rate, and the quota left; counts it if so."""
        with self._lock:
            window, elapsed = divmod(self._clock(), self.rate.window_s)
            share = 1 - elapsed / self.rate.window_s
            current, last = self._counted(key, int(window))
            is_within = current + last * share + 1 <= self.rate.limit
            current += is_within
            self._keep(key, (int(window), current, last))
        return is_within, self._quota(current, last, share)

    def _counted(self, key: str, window: int) -> tuple[int, int]:
        seen, current, last = self._counts.get(key, (window, 0, 0))
        if seen == window:
            return current, last
        return 0, current if seen == window - 1 else 0

    def _keep(self, key: str, counts: tuple[int, int, int]) -> None:
        self._counts[key] = counts
        self._counts.move_to_end(key)
        if len(self._counts) > _MAX_KEYS:
            self._counts.popitem(last=False)

    def _quota(self, current: int, last: int, share: float) -> Quota:
        remaining = max(0, math.floor(self.rate.limit - current - last * share))
        wait_s = math.ceil(self._wait_s(current, last, share))
        return Quota(self.rate.limit, self.rate.window_s, remaining, max(1, wait_s))

    def _wait_s(self, current: int, last: int, share: float) -> float:
        """Seconds until the rate allows one more call, or until the window ends."""
        window_s, room = self.rate.window_s, self.rate.limit - 1
        to_the_end_s = share * window_s
        if current <= room and last:
            # last * (share - x) + current <= room
            return min(to_the_end_s, max(0.0, (share - (room - current) / last) * window_s))
        if current <= room:
            return to_the_end_s
        # In the next window, current * (1 - x) <= room.
        return to_the_end_s + (1 - room / current) * window_s
