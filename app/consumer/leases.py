"""Leases: the received messages of this worker, renewed while it works on them.

SQS hides a received message from other workers for the visibility timeout. The heartbeat renews a
lease at half that time. A lease ends by the local clock, no later than at SQS and without asking
SQS, so that a frozen or disconnected worker stops before another worker begins.
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

#: A job that takes longer hangs; its lease is not renewed, and another worker gets the message.
MAX_LEASE_S: Final = 600.0
#: Clocks of Linux and macOS that continue while the machine is suspended, as the clock of SQS does.
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def now_s() -> float:
    """Seconds on a clock that suspending the machine does not stop, unlike `time.monotonic`."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class Lease:
    """One delivery, held by this worker until *ends_at* by *clock*."""

    def __init__(self, delivery: Delivery, *, ends_at: float, clock: Callable[[], float]) -> None:
        self.delivery = delivery
        self.ends_at = ends_at
        self.began_at = clock()
        #: The thread that works on the message, whose stack is logged when it hangs.
        self.thread_id: int | None = None
        self.is_overdue = False
        self.is_lost = False
        self._clock = clock

    @property
    def is_ours(self) -> bool:
        return self._clock() < self.ends_at

    def check(self) -> None:
        """Raise LeaseLostError once the lease has ended."""
        if not self.is_ours:
            raise LeaseLostError(f"Another worker may have message {self.delivery.message_id}.")

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
        clock: Callable[[], float] = now_s,
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._timeout_s = visibility_timeout_s
        self.clock = clock
        self._leases: set[Lease] = set()
        # Held during renewal requests, so that none renews a lease that was just given back.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def hold(self, deliveries: Sequence[Delivery], *, asked_at: float) -> list[Lease]:
        """The new leases of *deliveries*, whose request was sent at *asked_at* by `clock`."""
        # Counted from the request: the process may have been frozen before it got the response.
        ends_at = asked_at + self._timeout_s
        leases = [Lease(d, ends_at=ends_at, clock=self.clock) for d in deliveries]
        with self._lock:
            self._leases.update(leases)
        return leases

    def drop(self, leases: Sequence[Lease]) -> None:
        """Stop renewing *leases*: their messages are handled, or about to be given back."""
        with self._lock:
            self._note_losses(leases)
            self._leases.difference_update(leases)

    def held(self) -> list[Lease]:
        # Without the lock: the readiness check must not wait for SQS.
        return list(self._leases)

    def __len__(self) -> int:
        return len(self._leases)

    def count_overdue(self) -> int:
        """The number of images in progress for longer than MAX_LEASE_S."""
        return sum(lease.is_overdue for lease in self.held())

    def give_back(self, leases: Sequence[Lease], *, delay_s: int) -> None:
        """End *leases* and make their messages visible in *delay_s*; raises nothing."""
        self.drop(leases)
        ours = [lease for lease in leases if lease.is_ours]
        for lease in ours:
            lease.end()
        for start in range(0, len(ours), MAX_BATCH):
            batch = ours[start : start + MAX_BATCH]
            for lease, result in zip(batch, self._change_visibility(batch, delay_s), strict=True):
                if result is not None:
                    # SQS redelivers the message when its visibility timeout ends.
                    logger.warning("message not given back", **_names(lease), reason=str(result))

    def renew(self) -> None:
        """Renew the leases that have passed half their time."""
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
                # Without a heartbeat every long job would be repeated by another worker, forever.
                logger.exception("lease renewal failed")

    def _is_due(self, lease: Lease) -> bool:
        left_s = lease.ends_at - self.clock()
        return 0 < left_s < self._timeout_s / 2 and not lease.is_overdue

    def _note_a_hang(self, lease: Lease) -> None:
        if lease.is_overdue or self.clock() - lease.began_at < MAX_LEASE_S:
            return
        lease.is_overdue = True
        where = _stack_of(lease.thread_id)
        logger.error("message hangs", **_names(lease), after_s=MAX_LEASE_S, stack=where)

    def _note_losses(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            # A lease that was given back is no longer in the set.
            if lease in self._leases and not lease.is_ours and not lease.is_lost:
                lease.is_lost = True
                self._metrics.leases_lost.inc()

    def _renew_batch(self, leases: Sequence[Lease]) -> None:
        asked_at = self.clock()
        for lease, result in zip(
            leases, self._change_visibility(leases, self._timeout_s), strict=True
        ):
            self._metrics.renewals[_ending_of(result)].inc()
            if result is None:
                lease.ends_at = asked_at + self._timeout_s
            elif isinstance(result, LeaseLostError):
                logger.warning("lease lost", **_names(lease), reason=str(result))
                lease.end()
            else:
                logger.warning("lease not renewed", **_names(lease), reason=str(result))

    def _change_visibility(self, leases: Sequence[Lease], timeout_s: int) -> Results:
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
