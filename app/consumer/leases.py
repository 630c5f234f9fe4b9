"""Know which messages are ours, and keep them ours while we work on them.

A message that was received is hidden from others for the visibility timeout. The heartbeat renews
that at half time. What SQS says is not waited for: a lease ends here, by our own clock, no later
than it ends there, so that whoever was frozen or cut off stops before somebody else begins.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from ..domain.ports import MAX_BATCH, Delivery, Queue, Results
from ..errors import LeaseLostError, PipelineError
from ..observability import logs
from ..observability.worker_metrics import WorkerMetrics

logger = logs.get_logger(__name__)

#: Whoever works longer on one image hangs; its message goes to somebody else.
MAX_LEASE_S: Final = 600.0


class Lease:
    """One delivery, ours until *ends_at* by the clock."""

    def __init__(self, delivery: Delivery, *, ends_at: float, clock: Callable[[], float]) -> None:
        self.delivery = delivery
        self.ends_at = ends_at
        self.began_at = clock()
        #: The thread that works on it, for the log when it hangs.
        self.thread_id: int | None = None
        self.is_overdue = False
        self.is_lost = False
        self._clock = clock

    @property
    def is_ours(self) -> bool:
        return self._clock() < self.ends_at

    def check(self) -> None:
        """Raise LeaseLostError unless the message is still ours."""
        if not self.is_ours:
            raise LeaseLostError(f"Message {self.delivery.message_id} may be somebody else's now.")

    def end(self) -> None:
        self.ends_at = float("-inf")


class Leases:
    """All leases of one process, and the heartbeat that renews them. Thread-safe."""

    def __init__(
        self,
        queue: Queue,
        *,
        visibility_timeout_s: int,
        metrics: WorkerMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._timeout_s = visibility_timeout_s
        self._clock = clock
        self._leases: set[Lease] = set()
        # Held while SQS is asked, so that nothing is renewed that was just given back.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def hold(self, deliveries: Sequence[Delivery], *, asked_at: float) -> list[Lease]:
        """Begin the leases of *deliveries*, which were asked for at *asked_at* by the clock."""
        # From when we asked, not from the answer: we may have been frozen in between.
        ends_at = asked_at + self._timeout_s
        leases = [Lease(d, ends_at=ends_at, clock=self._clock) for d in deliveries]
        with self._lock:
            self._leases.update(leases)
        return leases

    def drop(self, leases: Sequence[Lease]) -> None:
        """Forget *leases*: they are dealt with, or about to be given back."""
        with self._lock:
            self._note_losses(leases)
            self._leases.difference_update(leases)

    def held(self) -> list[Lease]:
        # Without the lock: who asks how we are must not wait for SQS.
        return list(self._leases)

    def __len__(self) -> int:
        return len(self._leases)

    def count_overdue(self) -> int:
        """How many images have been worked on for longer than MAX_LEASE_S."""
        return sum(lease.is_overdue for lease in self.held())

    def give_back(self, leases: Sequence[Lease], *, delay_s: int) -> None:
        """End *leases* and have their messages seen again in *delay_s*; raises nothing."""
        self.drop(leases)
        ours = [lease for lease in leases if lease.is_ours]
        for lease in ours:
            lease.end()
        for start in range(0, len(ours), MAX_BATCH):
            batch = ours[start : start + MAX_BATCH]
            for lease, result in zip(batch, self._change(batch, delay_s), strict=True):
                if result is not None:
                    # It comes back by itself when its visibility timeout ends.
                    logger.warning("message not given back", **_names(lease), reason=str(result))

    def renew(self) -> None:
        """Renew what has passed half its time."""
        self._metrics.heartbeats.inc()
        for lease in self.held():
            self._note_a_hang(lease)
        with self._lock:
            self._note_losses(tuple(self._leases))
            due = sorted(filter(self._is_due, self._leases), key=lambda lease: lease.ends_at)
            for start in range(0, len(due), MAX_BATCH):
                self._renew_batch(due[start : start + MAX_BATCH])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(1)

    def _beat(self) -> None:
        while not self._stopping.wait(min(1.0, self._timeout_s / 8)):
            try:
                self.renew()
            except Exception:
                # Without a heartbeat every long job would be done twice, for ever.
                logger.exception("the heartbeat stumbled")

    def _is_due(self, lease: Lease) -> bool:
        left_s = lease.ends_at - self._clock()
        return 0 < left_s < self._timeout_s / 2 and not lease.is_overdue

    def _note_a_hang(self, lease: Lease) -> None:
        if lease.is_overdue or self._clock() - lease.began_at < MAX_LEASE_S:
            return
        lease.is_overdue = True
        where = _stack_of(lease.thread_id)
        logger.error("message hangs", **_names(lease), after_s=MAX_LEASE_S, stack=where)

    def _note_losses(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            # What was given back is no longer among them.
            if lease in self._leases and not lease.is_ours and not lease.is_lost:
                lease.is_lost = True
                self._metrics.leases_lost.inc()

    def _renew_batch(self, leases: Sequence[Lease]) -> None:
        asked_at = self._clock()
        for lease, result in zip(leases, self._change(leases, self._timeout_s), strict=True):
            self._metrics.renewals[_ending_of(result)].inc()
            if result is None:
                lease.ends_at = asked_at + self._timeout_s
            elif isinstance(result, LeaseLostError):
                logger.warning("message lost", **_names(lease), reason=str(result))
                lease.end()
            else:
                logger.warning("message not renewed", **_names(lease), reason=str(result))

    def _change(self, leases: Sequence[Lease], timeout_s: int) -> Results:
        deliveries = [lease.delivery for lease in leases]
        try:
            return self._queue.change_visibility_batch(deliveries, timeout_s=timeout_s)
        except PipelineError as exc:
            return [exc] * len(leases)


def _names(lease: Lease) -> dict[str, str]:
    delivery = lease.delivery
    return {"message_id": delivery.message_id, "image_id": delivery.image_id}


def _ending_of(renewal: PipelineError | None) -> str:
    if renewal is None:
        return "renewed"
    return "lost" if isinstance(renewal, LeaseLostError) else "failed"


def _stack_of(thread_id: int | None) -> str:
    frame = sys._current_frames().get(thread_id or -1)
    return "".join(traceback.format_stack(frame)) if frame else "(not begun)"
