"""Rates such as `60/minute`: how many calls are allowed in how much time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

RATE_PATTERN: Final = r"^[1-9]\d{0,5}/(second|minute|hour|day)$"
_WINDOW_S: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True)
class Rate:
    """At most *limit* calls in *window_s* seconds."""

    limit: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rate that *text* spells, such as `60/minute`; it must match RATE_PATTERN."""
        limit, unit = re.split("/", text)
        return cls(int(limit), _WINDOW_S[unit])

    def __str__(self) -> str:
        unit = next(name for name, seconds in _WINDOW_S.items() if seconds == self.window_s)
        return f"{self.limit} per {unit}"
