"""Ask S3, SQS and the worker how they are; log what is not well once, and when it is over."""

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

#: Why the process is not ready: the class of the error, and its words. They are general, since
#: everybody may ask; the log has the names and the cause.
Fault = tuple[type[PipelineError], str]
NO_QUEUE: Final[Fault] = QueueUnavailableError, "The queue does not answer."
NO_STORAGE: Final[Fault] = StorageUnavailableError, "Storage does not answer."
NO_WORKER: Final[Fault] = QueueUnavailableError, "The worker in this process does not work."
#: Seconds between two counts of the dead-letter queue, which only the metrics need.
_DEAD_LETTERS_PACE_S: Final = 5.0


@dataclass(frozen=True)
class Watched:
    """What is asked; *check_worker* raises a PipelineError when the worker here is stuck."""

    store: ImageStore
    jobs: Queue
    check_worker: Callable[[], None] | None = None
    dead_letters: Queue | None = None


class Checks:
    """One thread at a time may ask. *metrics* are told how much lies in the queues."""

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
        """How many jobs wait and are held; None if SQS does not say."""
        return self._count("input", self._watched.jobs)

    def count_dead_letters(self) -> None:
        """Tell the metrics how many dead letters there are, unless they were told a moment ago."""
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
            self._complaints.about(queue.name, str(exc))
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
            self._complaints.about(words, str(exc))
            return fault
        self._complaints.over(words)
        return None
