"""Record each delivery in log, trace and metrics. A fault in this module stops no image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from ..domain.messages import Announcement, Job
from ..domain.ports import Delivery
from ..domain.representation import now
from ..observability import logs, tracing
from ..observability.worker_metrics import WorkerMetrics
from .outcome import Outcome

logger = logs.get_logger(__name__)


@contextmanager
def harmless() -> Iterator[None]:
    """A block whose exceptions are logged and suppressed, since it only records."""
    try:
        yield
    except Exception:
        logger.exception("internal error")


class Observer:
    """Records the deliveries of one queue. Thread-safe."""

    def __init__(self, queue: str, metrics: WorkerMetrics) -> None:
        self._queue = queue
        self._metrics = metrics

    @contextmanager
    def delivery(self, delivery: Delivery) -> Iterator[Callable[[Outcome], None]]:
        """A block for the work on *delivery*, in its trace; yields a function for the outcome.

        Every log line of the block carries the ids of the delivery. Unlike in `started`,
        `announced` and `finished`, a fault of the recording itself propagates.
        """
        count = delivery.receive_count
        if count > 1:
            self._metrics.redeliveries.inc()
        with (
            self._metrics.images_in_flight.track_inprogress(),
            logs.bound(**_ids(delivery)),
            tracing.processing(
                self._queue,
                delivery.attributes,
                message_id=delivery.message_id,
                image_id=delivery.image_id,
                receive_count=count,
            ) as span,
        ):

            def ended(outcome: Outcome) -> None:
                span.set_attribute("image_pipeline.outcome", outcome.value)
                self._metrics.ended(outcome)

            yield ended

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A block that is one step of the work, with its duration and its span."""
        with tracing.step(name), self._metrics.step(name):
            yield

    @harmless()
    def started(self, job: Job) -> None:
        """Record that work on *job* begins for the first time."""
        self._metrics.started(_age_s(job.uploaded_at, now()))

    @harmless()
    def announced(self, announcement: Announcement) -> None:
        """Record that SQS accepted *announcement*, which may repeat an earlier one."""
        is_timed = announcement.redrive == 0
        self._metrics.announced(_age_s(announcement.uploaded_at, now()) if is_timed else None)

    @harmless()
    def finished(self, finished: Announcement, *, is_new: bool) -> None:
        """Record a finished image; *is_new* is False when it was finished before."""
        if is_new:
            # The time of a redrive depends on the operator, so it is no processing time.
            is_timed = finished.redrive == 0
            self._metrics.finished(
                finished.status,
                finished.method,
                finished.error.code if finished.error else None,
                _age_s(finished.uploaded_at, finished.processed_at) if is_timed else None,
            )


def _ids(delivery: Delivery) -> dict[str, str]:
    """The fields of every log line: the message, its image, and the request that uploaded it."""
    ids = {"message_id": delivery.message_id, "image_id": delivery.image_id}
    if request_id := tracing.request_id(delivery.attributes):
        ids[tracing.REQUEST_ID] = request_id
    return ids


def _age_s(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else (end - begin).total_seconds()
