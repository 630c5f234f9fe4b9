"""Tell log, trace and metrics what becomes of each delivery. A fault in here stops no image."""

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
    """A block that only watches: an exception in it is logged and ends there."""
    try:
        yield
    except Exception:
        logger.exception("a fault of ours")


class Observer:
    """Watches the deliveries of one queue. Thread-safe."""

    def __init__(self, queue: str, metrics: WorkerMetrics) -> None:
        self._queue = queue
        self._metrics = metrics

    @contextmanager
    def delivery(self, delivery: Delivery) -> Iterator[Callable[[Outcome], None]]:
        """The work on *delivery*; log and trace name its image. Yields what takes its outcome.

        Raises what goes wrong before the work begins or after it ended.
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
        """A step of the work: its time and its span."""
        with tracing.step(name), self._metrics.step(name):
            yield

    @harmless()
    def started(self, job: Job) -> None:
        """Work on *job* began for the first time."""
        self._metrics.started(_age_s(job.uploaded_at, now()))

    @harmless()
    def announced(self, announcement: Announcement) -> None:
        """SQS took *announcement*. Nobody knows whether an earlier one was heard."""
        is_timed = announcement.redrive == 0
        self._metrics.announced(_age_s(announcement.uploaded_at, now()) if is_timed else None)

    @harmless()
    def finished(self, finished: Announcement, *, is_new: bool) -> None:
        """An image is done with; it *is_new* unless it was before."""
        if is_new:
            # What an operator has sent again says nothing of how long an image takes.
            is_timed = finished.redrive == 0
            self._metrics.finished(
                finished.status,
                finished.method,
                finished.error.code if finished.error else None,
                _age_s(finished.uploaded_at, finished.processed_at) if is_timed else None,
            )


def _ids(delivery: Delivery) -> dict[str, str]:
    """What each line of the log says: which image it is about, and which request asked for it."""
    ids = {"message_id": delivery.message_id, "image_id": delivery.image_id}
    if request_id := tracing.request_id(delivery.attributes):
        ids[tracing.REQUEST_ID] = request_id
    return ids


def _age_s(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else (end - begin).total_seconds()
