"""Exponential backoff with jitter: how long to wait before the next attempt.

The random share keeps a fleet from retrying all at once after an outage:
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

#: After 16 doublings every backoff has reached its longest wait; more would only overflow.
_MAX_DOUBLINGS: Final = 16


@dataclass(frozen=True)
class Backoff:
    """Random waits below a bound that doubles with each attempt, from *first_s* to *longest_s*."""

    first_s: float
    longest_s: float

    def full_jitter_s(self, attempt: int) -> float:
        """A wait between 0 and the bound of this *attempt*; the first attempt is 1."""
        return random.uniform(0, self._bound_s(attempt))  # noqa: S311 (spreads load, hides nothing)

    def equal_jitter_s(self, attempt: int) -> float:
        """A wait between half the bound of this *attempt* and the bound; for waits a user sees."""
        bound_s = self._bound_s(attempt)
        return random.uniform(bound_s / 2, bound_s)  # noqa: S311 (spreads load, hides nothing)

    def _bound_s(self, attempt: int) -> float:
        return min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
