"""Receive messages and process them in a pool of threads, in order within each group.

One poller, the job threads, and the heartbeat of `leases`. Every wait is bounded: the number of
threads limits received messages, `admission` limits pixels, and `breaker` limits retries.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from ..domain.backoff import Backoff
from ..domain.ports import MAX_BATCH, Queue
from ..errors import PipelineError, QueueUnavailableError
from ..observability import logs, tracing
from ..observability.worker_metrics import WorkerMetrics
from .breaker import Breaker, State
from .leases import Lease, Leases
from .outcome import Ending, Outcome

logger = logs.get_logger(__name__)

_BACKOFF: Final = Backoff(first_s=0.4, longest_s=5.0)
#: SQS repeats a response for five minutes, unless one of its messages was changed or deleted.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
_ATTEMPT_ID_LIFE_S: Final = 240.0
#: Unanswered poll periods before the worker reports not ready.
_SILENCE_IN_POLLS: Final = 3
_ANSWER_TIMEOUT_S: Final = 5


class Consumer:
    """Processes *threads* images at once; at most half as many messages wait for a thread."""

    def __init__(
        self,
        *,
        jobs: Queue,
        handle: Callable[[Lease], Ending],
        probe: Callable[[], None],
        threads: int,
        visibility_timeout_s: int,
        poll_wait_s: int,
        metrics: WorkerMetrics,
    ) -> None:
        self._jobs = jobs
        self._handle = handle
        self._probe = probe
        self._visibility_timeout_s = visibility_timeout_s
        self._poll_wait_s = poll_wait_s
        self._metrics = metrics
        self._leases = Leases(jobs, visibility_timeout_s=visibility_timeout_s, metrics=metrics)
        self._breaker = Breaker(metrics)
        self._metrics.watch(
            in_hand=lambda: len(self._leases), is_open=lambda: self._breaker.is_open
        )
        self._capacity = threads + min(MAX_BATCH, threads // 2)
        self._ready: queue.SimpleQueue[list[Lease] | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting = 0
        self._stopping = threading.Event()
        self._has_polled = threading.Event()
        self._attempt = _Attempt()
        self._unanswered_since: float | None = None
        self._poller = _thread(self._poll, "poller")
        self._workers = [_thread(self._work, f"worker-{n}") for n in range(threads)]

    def start(self) -> None:
        self._leases.start()
        for thread in (self._poller, *self._workers):
            thread.start()

    def stop(self, *, grace_s: float) -> None:
        """Finish images within *grace_s* and give back the others, so that no message is hidden."""
        deadline = time.monotonic() + grace_s
        logger.info("stopping", messages_in_hand=len(self._leases))
        self._stop_polling()
        # Otherwise messages from the pending poll stay hidden until their visibility timeout.
        _join([self._poller], deadline)
        for _ in self._workers:
            self._ready.put(None)
        _join(self._workers, deadline)
        self._leases.give_back(self._leases.held(), delay_s=0)
        # Last, since the images in progress need their leases renewed until the end.
        self._leases.stop()

    def abandon(self) -> None:
        """Give back all messages at once; another worker repeats the images in progress."""
        self._stop_polling()
        # Wait for the pending poll, which would receive the same messages again. Not by join():
        # after a signal interrupts it, Python 3.11 considers the thread ended.
        self._has_polled.wait()
        self._leases.give_back(self._leases.held(), delay_s=0)

    def _stop_polling(self) -> None:
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()

    @property
    def in_hand(self) -> int:
        """The number of messages that are received and not yet settled."""
        return len(self._leases)

    def check(self) -> None:
        """Raise QueueUnavailableError when the queue does not answer or an image hangs."""
        limit_s = _SILENCE_IN_POLLS * (self._poll_wait_s + _ANSWER_TIMEOUT_S)
        if self._silent_s() > limit_s:
            raise QueueUnavailableError(
                f"The queue has not answered the worker for {self._silent_s():.0f} s; "
                f"the limit is {limit_s} s."
            )
        if self._breaker.is_open:
            raise QueueUnavailableError("The worker waits for S3 and SQS to come back.")
        if self._has_polled.is_set():
            raise QueueUnavailableError("The worker does not poll any more.")
        if hanging := self._leases.count_overdue():
            raise QueueUnavailableError(f"{hanging} images hang in the worker; restart it.")

    def _silent_s(self) -> float:
        since = self._unanswered_since
        return 0.0 if since is None else time.monotonic() - since

    def _poll(self) -> None:
        failures = _PollFailures(self._jobs.name, self._metrics)
        while not self._stopping.is_set():
            try:
                self._poll_once()
                failures.end(is_down=self._breaker.is_open)
            except Exception as exc:
                # A short outage of the queue must not end the worker.
                self._stopping.wait(failures.add(exc))
        self._has_polled.set()

    def _poll_once(self) -> None:
        self._wait_for_room()
        if self._breaker.is_open:
            self._wait_out_an_outage()
        elif not self._stopping.is_set():
            self._admit(self._receive())

    def _wait_for_room(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or self._has_room())

    def _has_room(self) -> bool:
        if self._breaker.state is State.HALF_OPEN:
            return len(self._leases) == 0
        # Wait for more than one free thread: one request can return up to ten messages.
        return self._waiting == 0 and len(self._leases) < self._capacity

    def _wait_out_an_outage(self) -> None:
        if self._stopping.wait(self._breaker.pause_s()):
            return
        try:
            self._probe()
        except PipelineError as exc:
            logger.warning("S3 or SQS is still down", reason=str(exc))
        else:
            self._breaker.try_one()

    def _receive(self) -> list[Lease]:
        is_trial = self._breaker.state is State.HALF_OPEN
        room = 1 if is_trial else self._capacity - len(self._leases)
        asked_at, began_at_ns = self._leases.clock(), time.time_ns()
        self._unanswered_since = self._unanswered_since or time.monotonic()
        deliveries = self._jobs.receive(
            max_messages=min(MAX_BATCH, room),
            wait_time_s=self._poll_wait_s,
            visibility_timeout_s=self._visibility_timeout_s,
            attempt_id=self._attempt.id_at(asked_at),
        )
        self._unanswered_since = None
        self._attempt = _Attempt()
        self._metrics.polls.inc()
        tracing.received(self._jobs.name, began_at_ns, [d.attributes for d in deliveries])
        return self._leases.hold(deliveries, asked_at=asked_at)

    def _admit(self, leases: Sequence[Lease]) -> None:
        groups: dict[str, list[Lease]] = {}
        for lease in leases:
            groups.setdefault(lease.delivery.group, []).append(lease)
        self._now_waiting(len(leases))
        for group in groups.values():
            self._ready.put(group)

    # --- the job threads -----------------------------------------------------------------------

    def _work(self) -> None:
        while (group := self._ready.get()) is not None:
            self._now_waiting(-len(group))
            try:
                self._do_group(group)
            except Exception:
                # The pool never replaces a thread that ends. The messages are redelivered.
                logger.exception("internal error")
                self._leases.drop(group)
            self._now_waiting(0)

    def _do_group(self, group: list[Lease]) -> None:
        """Process a group in order; when one image has to be retried, give back the rest, too."""
        for place, lease in enumerate(group):
            rest = group[place:]
            if self._stopping.is_set():
                self._has_polled.wait()  # the pending poll would receive them again
                return self._leases.give_back(rest, delay_s=0)
            if self._breaker.is_open:
                return self._leases.give_back(rest, delay_s=round(self._breaker.pause_s()))
            lease.thread_id = threading.get_ident()
            ending = self._handle(lease)
            self._note(ending)
            if ending.outcome in (Outcome.RETRIED, Outcome.LEASE_LOST):
                return self._leases.give_back(rest, delay_s=ending.delay_s)
            if ending.outcome is Outcome.GIVEN_UP:
                # SQS moves the message to the dead-letter queue; the group continues.
                self._leases.give_back([lease], delay_s=0)
            self._leases.drop([lease])
            self._now_waiting(0)
        return None

    def _note(self, ending: Ending) -> None:
        if ending.is_outage:
            self._breaker.failed()
        elif ending.outcome in (Outcome.PROCESSED, Outcome.FAILED, Outcome.ANNOUNCED_AGAIN):
            self._breaker.succeeded()

    def _now_waiting(self, more: int) -> None:
        """Count the messages that wait for a thread, and wake the poller to check its capacity."""
        with self._changed:
            self._waiting += more
            self._changed.notify_all()


class _PollFailures:
    """The failed polls in a row, which are logged and counted."""

    def __init__(self, queue: str, metrics: WorkerMetrics) -> None:
        self._queue, self._metrics = queue, metrics
        self._count, self._endpoint = 0, queue

    def add(self, exc: Exception) -> float:
        """The seconds to wait before the next poll, after *exc*."""
        self._count += 1
        self._metrics.poll_failures.inc()
        self._endpoint = getattr(exc, "endpoint", None) or self._queue
        delay_s = _BACKOFF.full_jitter_s(self._count)
        about = {"reason": str(exc), "endpoint": self._endpoint}
        logger.warning("polling failed", delay_s=round(delay_s, 1), **about)
        return delay_s

    def end(self, *, is_down: bool) -> None:
        """Reset the count after a successful poll; with *is_down* there was no poll."""
        if self._count and not is_down:
            logger.info("polling works again", endpoint=self._endpoint)
        self._count = 0


class _Attempt:
    """The id of a poll: the same until a response arrives, so that losing one hides no message."""

    def __init__(self) -> None:
        self._id, self._began_at = "", 0.0

    def id_at(self, now: float) -> str:
        if not self._id or now - self._began_at > _ATTEMPT_ID_LIFE_S:
            self._id, self._began_at = uuid.uuid4().hex, now
        return self._id


def _thread(target: Callable[[], None], name: str) -> threading.Thread:
    # Daemon threads, so that a hanging job cannot block the exit: SQS redelivers its message.
    return threading.Thread(target=target, name=name, daemon=True)


def _join(threads: Sequence[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
