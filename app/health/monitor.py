"""Monitor S3, SQS and the worker, so that health requests cause no calls to AWS of their own.

A process has one monitor: readiness, the page's status, the gate and the metrics read its results.
Inside its `with` block a thread checks every 10 s, and about every 2 s while requests ask for
results. Without the block the requesting thread checks by itself, one thread at a time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final, Literal

from pydantic import BaseModel, Field

from ..access.queue_depth import QueueLimit
from ..domain.ports import Depth
from ..errors import QueueUnavailableError
from ..observability import logs
from ..observability.metrics import QueueMetrics
from .checks import NO_QUEUE, Checks, Fault, Watched

logger = logs.get_logger(__name__)

#: Seconds between two checks while no request asks for results.
_INTERVAL_S: Final = 10
#: Maximum age of a readiness result, counted from the start of its check.
_FRESH_S: Final = 2.0
#: Seconds between two checks while requests ask for results: below _FRESH_S, so that a request
#: rarely has to wait for a check.
_PACE_S: Final = 1.8
#: Maximum wait of a readiness request, counted from the start of the check.
_PATIENCE_S: Final = 1.0
#: Without the thread, a status request runs a check when the last one is older than this.
_DUE_S: Final = 2.0 * _INTERVAL_S
#: Results older than this count as unknown.
_STALE_S: Final = 30.0
#: A status response is reused for this long, so that a flood of requests costs little CPU.
_ANSWER_LIFE_S: Final = 1.0
#: Without a first result after this time, log a warning: the time-outs that name the cause take
#: longer.
_SLOW_START_S: Final = 3.0
_STOP_S: Final = 0.5
_NOT_KNOWN: Final[Fault] = (
    QueueUnavailableError,
    "Storage and queue have not answered in time.",
)
_STOPPING: Final[Fault] = QueueUnavailableError, "The process is stopping."


class Service(BaseModel):
    """The state of the service.

    `degraded` means that the last check of S3, SQS or the worker in the process failed, or that so
    many images wait that uploads are refused.
    """

    status: Literal["up", "degraded"]
    queue: Depth | None = Field(
        description="How many images wait and are in progress, as SQS counts; null if unknown."
    )


class Monitor:
    """The monitor. Thread-safe.

    *max_waiting* is the number of images that may wait before uploads are refused; 0 means no
    limit. With *is_resting* it checks once at the start, and then only on request.
    """

    def __init__(
        self,
        watched: Watched,
        *,
        max_waiting: int = 0,
        is_resting: bool = False,
        metrics: QueueMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = Checks(watched, metrics, clock)
        self._queue_name = watched.jobs.name
        self._limit = QueueLimit(max_waiting)
        self._is_resting = is_resting
        self._clock = clock
        #: Guards the fields below, and is notified when they change.
        self._changed = threading.Condition()
        self._is_looking = False
        self._began_at = self._counted_at = -math.inf
        #: The result of the last full check: its start time, and why the process is not ready.
        self._seen_at = -math.inf
        self._fault: Fault | None = None
        self._depth: Depth | None = None
        self._depth_at = -math.inf
        self._is_asked = self._is_counted_on = False
        self._answer, self._answered_at = b"", -math.inf
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._slow_start = threading.Timer(_SLOW_START_S, self._say_slow)
        self._slow_start.daemon = True

    @property
    def is_running(self) -> bool:
        """Whether the monitor's thread runs, that is, inside its `with` block."""
        return self._thread.is_alive()

    # --- results ---------------------------------------------------------------------------------

    def check_ready(self) -> None:
        """Raise a PipelineError unless a check of S3, SQS and the worker passed in the last 2 s.

        A recent result costs no call to AWS; otherwise all callers wait for the same check.
        """
        self._request_check(is_whole=True)
        if not self._is_fresh():
            if not self.is_running:
                self.look()
            with self._changed:
                self._changed.wait_for(self._is_fresh, self._patience_s())
        if fault := self._current_fault():
            kind, detail = fault
            raise kind(detail)

    def service(self) -> bytes:
        """The response body of GET /service: a Service as JSON, reused for up to 1 s."""
        self._request_check(is_whole=True)
        now = self._clock()
        if now - self._answered_at > _ANSWER_LIFE_S:
            if now - self._seen_at > _DUE_S:
                self.look()
            self._answer, self._answered_at = self._describe(), self._clock()
        return self._answer

    def check_queue_depth(self) -> None:
        """Raise QueueFullError if the last count found too many waiting images. Never blocks."""
        self._limit.check(self._depth if self._clock() - self._depth_at < _STALE_S else None)

    def keep_counting(self) -> None:
        """Have the jobs counted within 2 s; `check_queue_depth` needs the count for uploads."""
        if not self._limit.max_waiting:
            return
        self._request_check(is_whole=False)
        if not self.is_running and self._clock() - self._depth_at > _FRESH_S:
            self._look(is_whole=False)

    def look(self) -> None:
        """Run a full check; raises nothing. Returns at once if another thread is checking."""
        self._look(is_whole=True)

    # --- the thread ------------------------------------------------------------------------------

    def __enter__(self) -> None:
        self._thread.start()
        self._slow_start.start()

    def __exit__(self, *_: object) -> None:
        self._slow_start.cancel()
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        # Do not wait longer: the thread may hang on an unreachable SQS, and holds no state to save.
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        is_whole = True
        while not self._is_stopping:
            try:
                self._look(is_whole=is_whole)
            except Exception:
                # The thread must survive, or the page would show an outdated state for ever.
                logger.exception("monitor check failed")
            self._slow_start.cancel()
            round_at = math.inf if self._is_resting else self._began_at + _INTERVAL_S
            is_whole = self._wait_until_due(round_at)

    def _wait_until_due(self, round_at: float) -> bool:
        """Wait until the next check is due; returns whether it is a full one."""
        with self._changed:
            while not self._is_stopping:
                whole_at = self._began_at + _PACE_S if self._is_asked else round_at
                count_at = self._counted_at + _PACE_S if self._is_counted_on else math.inf
                left_s = min(whole_at, count_at, round_at) - self._clock()
                if left_s <= 0:
                    return min(whole_at, round_at) <= self._clock()
                self._changed.wait(left_s if left_s < math.inf else None)
        return False

    def _request_check(self, *, is_whole: bool) -> None:
        if self._is_asked if is_whole else self._is_asked or self._is_counted_on:
            return
        with self._changed:
            self._is_asked |= is_whole
            self._is_counted_on |= not is_whole
            self._changed.notify_all()

    def _say_slow(self) -> None:
        logger.warning(
            "no answer yet from S3 or SQS", queue=self._queue_name, after_s=_SLOW_START_S
        )

    # --- one check -------------------------------------------------------------------------------

    def _look(self, *, is_whole: bool) -> None:
        with self._changed:
            if self._is_looking:
                return
            self._is_looking = True
            self._counted_at = began_at = self._clock()
            if is_whole:
                self._began_at = began_at
                self._is_asked = False
            self._is_counted_on = False
        try:
            fault = self._ask_all() if is_whole else self._count_jobs()
            if is_whole:
                self._fault, self._seen_at = fault, began_at
        finally:
            with self._changed:
                self._is_looking = False
                self._changed.notify_all()

    def _ask_all(self) -> Fault | None:
        without_queue = self._count_jobs()
        self._checks.count_dead_letters()
        without_storage, without_worker = self._checks.check_storage(), self._checks.check_worker()
        return without_storage or without_queue or without_worker

    def _count_jobs(self) -> Fault | None:
        self._depth, self._depth_at = self._checks.count_jobs(), self._clock()
        return NO_QUEUE if self._depth is None else None

    # --- the last result -------------------------------------------------------------------------

    def _is_fresh(self) -> bool:
        return self._is_stopping or self._clock() - self._seen_at <= _FRESH_S

    def _patience_s(self) -> float:
        began_at = self._began_at if self._is_looking else self._clock()
        return max(0.0, began_at + _PATIENCE_S - self._clock())

    def _current_fault(self) -> Fault | None:
        if self._is_stopping:
            return _STOPPING
        if self._is_fresh():
            return self._fault
        return self._fault or _NOT_KNOWN

    def _describe(self) -> bytes:
        is_known = self._clock() - self._seen_at < _STALE_S
        depth = self._depth if is_known else None
        is_up = is_known and not self._fault and not self._limit.is_exceeded_by(depth)
        return Service(status="up" if is_up else "degraded", queue=depth).model_dump_json().encode()
