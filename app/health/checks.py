"""Check S3, SQS and the worker; log each fault once when it begins and once when it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..domain.ports import Depth, Queue
from ..errors import PipelineError, QueueUnavailableError, StorageUnavailableError
from ..images.store import ImageStore
from ..observability.complaints import Complaints
from ..observability.metrics import QueueMetrics

#: The reason why the process is not ready: an error class and its detail. The detail is general,
#: because anybody may request it; the log has the resource names and the cause.
Fault = tuple[type[PipelineError], str]
NO_QUEUE: Final[Fault] = QueueUnavailableError, "The queue does not answer."
NO_STORAGE: Final[Fault] = StorageUnavailableError, "Storage does not answer."
NO_WORKER: Final[Fault] = QueueUnavailableError, "The worker in this process does not work."
#: Minimum seconds between two counts of the dead-letter queue, which only the metrics need.
_DEAD_LETTERS_PACE_S: Final = 5.0


@dataclass(frozen=True)
class Watched:
    """The parts to check; *check_worker* raises a PipelineError if the local worker is stuck."""

    store: ImageStore
    jobs: Queue
    check_worker: Callable[[], None] | None = None
    dead_letters: Queue | None = None


class Checks:
    """The checks of the *watched* parts; *metrics* get the queue depths. Not thread-safe."""

    def __init__(
        self,
        watched: Watched,
        metrics: QueueMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._metrics = metrics
        self._clock = clock
        self._complaints = Complaints()
        self._dead_letters_at = -math.inf

    def count_jobs(self) -> Depth | None:
        """The numbers of waiting and held jobs; None if SQS does not answer."""
        return self._count("input", self._watched.jobs)

    def count_dead_letters(self) -> None:
        """Update the dead-letter metric, at most once in _DEAD_LETTERS_PACE_S seconds."""
        queue = self._watched.dead_letters
        if queue and self._clock() - self._dead_letters_at > _DEAD_LETTERS_PACE_S:
            self._count("dead-letter", queue)
            self._dead_letters_at = self._clock()

    def check_storage(self) -> Fault | None:
        return self._try(self._watched.store.check, NO_STORAGE)

    def check_worker(self) -> Fault | None:
        check = self._watched.check_worker
        return self._try(check, NO_WORKER) if check else None

    def _count(self, name: str, queue: Queue) -> Depth | None:
        try:
            depth = queue.depth()
        except QueueUnavailableError as exc:
            self._complaints.about(queue.name, str(exc), exc.endpoint)
            self._metrics.unknown(name)
            return None
        self._complaints.over(queue.name)
        self._metrics.counted(name, waiting=depth.waiting, held=depth.held)
        return depth

    def _try(self, check: Callable[[], None], fault: Fault) -> Fault | None:
        _, words = fault
        try:
            check()
        except PipelineError as exc:
            self._complaints.about(words, str(exc), getattr(exc, "endpoint", None))
            return fault
        self._complaints.over(words)
        return None
