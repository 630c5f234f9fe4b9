"""Collect the messages of many threads into requests of ten; each thread gets its own result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Generic, TypeVar

from ..domain.ports import MAX_BATCH, Delivery, Message, Queue, Results
from ..errors import PipelineError, QueueUnavailableError
from ..observability import tracing

T = TypeVar("T")

#: SQS may reject one entry of a batch and accept the others; such an entry is retried at once.
_MAX_ATTEMPTS: Final = 3


def _max_batch() -> int:
    return MAX_BATCH


class BatchedQueue:
    """Queue operations on one message each, which share their requests between threads.

    See Batcher for *linger_s* and *most*.
    """

    def __init__(
        self, queue: Queue, *, linger_s: float, most: Callable[[], int] = _max_batch
    ) -> None:
        self._queue = queue
        self._sends: Batcher[Message] = Batcher(queue.send_batch, linger_s=linger_s, most=most)
        self._deletes: Batcher[Delivery] = Batcher(queue.delete_batch, linger_s=linger_s, most=most)

    @property
    def name(self) -> str:
        return self._queue.name

    def send(self, message: Message) -> None:
        """Return once *message* is accepted. Raises QueueUnavailableError."""
        with tracing.sending(self.name) as attributes:
            self._sends.do(replace(message, attributes=attributes))

    def delete(self, delivery: Delivery) -> None:
        """Delete a handled message. Raises QueueUnavailableError, LeaseLostError."""
        with tracing.settling(self.name):
            self._deletes.do(delivery)

    def check(self) -> None:
        """Raise QueueUnavailableError unless the queue answers."""
        self._queue.check()


class _Batch(Generic[T]):
    def __init__(self) -> None:
        self.entries: list[T] = []
        #: The spans of the waiting threads.
        self.spans: list[tracing.SpanContext] = []
        self.is_full = threading.Event()
        self.is_done = threading.Event()
        self.results: Results = []
        self.error: Exception | None = None


class Batcher(Generic[T]):
    """Perform *act* on up to ten entries at a time.

    The first thread of a batch waits *linger_s* for nine others and then acts for all. *most*
    returns the largest number of entries that can come: a batch of that size does not wait. The
    batcher has no thread of its own, so nothing must be stopped, and each entry has a thread.
    """

    def __init__(
        self,
        act: Callable[[Sequence[T]], Results],
        *,
        linger_s: float,
        most: Callable[[], int] = _max_batch,
    ) -> None:
        self._act = act
        self._linger_s = linger_s
        self._most = most
        self._lock = threading.Lock()
        self._open: _Batch[T] | None = None

    def do(self, entry: T) -> None:
        """Return once *entry* is done; raises the error of the entry or of the whole request."""
        attempts_left = _MAX_ATTEMPTS
        while error := self._join(entry):
            attempts_left -= 1
            if not attempts_left or not isinstance(error, QueueUnavailableError):
                raise error

    def _join(self, entry: T) -> PipelineError | None:
        with self._lock:
            batch = self._open = self._open or _Batch()
            place = len(batch.entries)
            batch.entries.append(entry)
            batch.spans.append(tracing.here())
            if len(batch.entries) >= min(MAX_BATCH, self._most()):
                self._open = None
                batch.is_full.set()
        if place == 0:
            self._act_for_all(batch)
        batch.is_done.wait()
        if batch.error:
            raise batch.error
        return batch.results[place]

    def _act_for_all(self, batch: _Batch[T]) -> None:
        batch.is_full.wait(self._linger_s)
        with self._lock:
            if self._open is batch:
                self._open = None
        try:
            with tracing.on_behalf_of(batch.spans):
                batch.results = self._act(batch.entries)
        except Exception as exc:
            batch.error = exc  # every waiting thread raises it
        finally:
            batch.is_done.set()
