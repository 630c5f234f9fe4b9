"""See every ten seconds how S3, SQS and the worker are, so that nobody who asks us waits for them.

Inside its `with` block a thread looks. Without it those who ask look themselves, when nobody has
for a while; one of them at a time, the others get what is known.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from . import logs
from .domain import Depth, Queue
from .errors import PipelineError, QueueUnavailableError
from .history import INTERVAL_S, Backlog, History, Service
from .image_store import ImageStore
from .metrics import QueueMetrics

logger = logs.get_logger(__name__)

#: While somebody asks, the thread looks this often.
_WATCHED_S: Final = 2.0
#: Whoever asks looks for himself after this; the thread, if there is one, is always earlier.
_DUE_S: Final = 2.0 * INTERVAL_S
#: What was seen longer ago says nothing.
_STALE_S: Final = 30.0
#: An answer is given again for this long, so that a flood costs next to nothing.
_ANSWER_LIFE_S: Final = 1.0
_STOP_S: Final = 0.5


class Lookout:
    """Thread-safe. *check_worker* raises a PipelineError when the worker in this process is stuck.

    *max_waiting* is how many images may wait before uploads are refused; 0 means any number.
    """

    def __init__(
        self,
        *,
        store: ImageStore,
        jobs: Queue,
        history: History,
        dead_letters: Queue | None = None,
        check_worker: Callable[[], None] | None = None,
        max_waiting: int = 0,
        metrics: QueueMetrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.history = history
        self._jobs = jobs
        self._dead_letters = dead_letters
        self._checks = [store.check, *([check_worker] if check_worker else [])]
        self._max_waiting = max_waiting
        self._metrics = metrics or QueueMetrics()
        self._clock = clock
        self._depth: Depth | None = None
        self._is_well = False
        self._looked_at = -math.inf
        self._looking = threading.Lock()
        self._answer, self._answered_at = b"", -math.inf
        self._asked_at = -math.inf
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)

    def service(self) -> bytes:
        """The answer to GET /service, a Service in JSON, at most a second old."""
        self._asked_at = self._clock()
        if self._asked_at - self._answered_at > _ANSWER_LIFE_S:
            if self._clock() - self._looked_at > _DUE_S:
                self.look()
            self._answer, self._answered_at = self._describe(), self._clock()
        return self._answer

    def look(self) -> None:
        """Ask all of them; raises nothing. One thread asks, the others go on."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            depth = self._count("input", self._jobs)
            if self._dead_letters:
                self._count("dead-letter", self._dead_letters)
            if depth:
                self.history.queue_seen(depth.waiting)
            self._is_well = depth is not None and all(map(_is_well, self._checks))
            self._depth, self._looked_at = depth, self._clock()
        finally:
            self._looking.release()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        # It may be waiting for an SQS that is away; nothing is lost with it.
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:
                # Without it the page would say for ever what was true once.
                logger.exception("the lookout stumbled")
            is_watched = self._clock() - self._asked_at < INTERVAL_S
            pause_s = _seconds_to_the_middle(time.time())
            self._stopping.wait(min(pause_s, _WATCHED_S) if is_watched else pause_s)

    def _count(self, name: str, queue: Queue) -> Depth | None:
        try:
            depth = queue.depth()
        except QueueUnavailableError as exc:
            logger.warning("depth of a queue unknown", queue=queue.name, reason=str(exc))
            self._metrics.unknown(name)
            return None
        self._metrics.counted(name, waiting=depth.waiting, held=depth.held)
        return depth

    def _describe(self) -> bytes:
        is_known = self._clock() - self._looked_at < _STALE_S
        depth = self._depth if is_known else None
        is_full = depth is not None and 0 < self._max_waiting < depth.waiting
        answer = Service(
            status="up" if is_known and self._is_well and not is_full else "degraded",
            queue=Backlog(waiting=depth.waiting, held=depth.held) if depth else None,
            wait_s=self.history.wait_s(),
            interval_s=INTERVAL_S,
            samples=self.history.samples(),
        )
        return answer.model_dump_json().encode()


def _is_well(check: Callable[[], None]) -> bool:
    try:
        check()
    except PipelineError as exc:
        logger.warning("not well", reason=str(exc))
        return False
    return True


def _seconds_to_the_middle(at: float) -> float:
    """From *at* to the middle of an interval, so that each of them is looked at once."""
    return INTERVAL_S - (at - INTERVAL_S / 2) % INTERVAL_S
