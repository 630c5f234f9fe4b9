"""CPUs of the model of simulation.py."""

from __future__ import annotations

import heapq


class Cpus:
    """First-come-first-served CPUs; callers must ask in order of time."""

    def __init__(self, count: int) -> None:
        self._free_at = [0.0] * count

    def take(self, now: float, work_s: float, not_before: float = 0.0) -> float:
        """The time at which *work_s* requested *now* will be done."""
        if not work_s:
            return now
        done_at = max(now, self._free_at[0], not_before) + work_s
        heapq.heapreplace(self._free_at, done_at)
        return done_at
