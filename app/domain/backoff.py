"""Say how long to wait before the next try, differently each time.

A random share keeps a fleet from coming back all at once after an outage:
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

#: 2 ** 16 times any first wait is beyond every longest one; more would only make large numbers.
_MAX_DOUBLINGS: Final = 16


@dataclass(frozen=True)
class Backoff:
    """Waits up to a bound that doubles with each try, from *first_s* to *longest_s*."""

    first_s: float
    longest_s: float

    def full_jitter_s(self, attempt: int) -> float:
        """Between nothing and the bound of this *attempt*; the first is 1."""
        return random.uniform(0, self._bound_s(attempt))  # noqa: S311 (spreads load, hides nothing)

    def equal_jitter_s(self, attempt: int) -> float:
        """Between half the bound of this *attempt* and all of it, for waits that somebody sees."""
        bound_s = self._bound_s(attempt)
        return random.uniform(bound_s / 2, bound_s)  # noqa: S311 (spreads load, hides nothing)

    def _bound_s(self, attempt: int) -> float:
        return min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
