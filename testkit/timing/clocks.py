"""Clocks that a test sets."""

from __future__ import annotations

import time


class Clock:
    """A clock that stands still unless a test moves it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class ShiftedClock:
    """The monotonic clock of the machine, ahead by *ahead_s*."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s
