"""Stop receiving jobs while S3 or SQS is down.

The circuit breaker of Nygard, "Release It!" (2007): closed, open, and half-open during a trial with
one image. Without it an outage uses up the receives of every waiting job and moves the jobs to the
dead-letter queue, without failure records, since their bucket is unavailable, too.
"""

from __future__ import annotations

import random
import threading
from enum import Enum, auto
from typing import Final

from ..observability import logs
from ..observability.worker_metrics import WorkerMetrics

logger = logs.get_logger(__name__)

#: One failed image can be chance; this many in a row indicate an outage.
FAILURES_TO_OPEN: Final = 5
_MAX_PAUSE_S: Final = 3.0


class State(Enum):
    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


class Breaker:
    """Counts failures of S3 and SQS in a row. Thread-safe."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failures = 0

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_open(self) -> bool:
        return self._state is State.OPEN

    def succeeded(self) -> None:
        """Close the breaker: an image reached its end, so S3 and SQS answer."""
        with self._lock:
            if self._state is not State.CLOSED:
                logger.warning("S3 and SQS are back")
            self._state, self._failures = State.CLOSED, 0

    def failed(self) -> None:
        """Count an image that failed because S3 or SQS did."""
        with self._lock:
            self._failures += 1
            is_enough = self._failures >= FAILURES_TO_OPEN or self._state is State.HALF_OPEN
            if is_enough and self._state is not State.OPEN:
                logger.error("S3 or SQS is down; nothing is received until they answer")
                self._metrics.breaker_openings.inc()
                self._state = State.OPEN

    def try_one(self) -> None:
        """Go half-open: receive one image as a trial."""
        with self._lock:
            if self._state is State.OPEN:
                self._state = State.HALF_OPEN

    @staticmethod
    def pause_s() -> float:
        """Seconds until the next probe; random, so that a fleet does not return all at once."""
        return random.uniform(_MAX_PAUSE_S / 2, _MAX_PAUSE_S)  # noqa: S311 (hides nothing)
