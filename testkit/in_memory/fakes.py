"""Fakes of storage and queue; tests/contract compares them with S3 and SQS."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from app.domain.ports import (
    MAX_BATCH,
    Admit,
    Delivery,
    Depth,
    Listed,
    Message,
    Results,
    StoredObject,
)
from app.errors import (
    LeaseLostError,
    NotFoundError,
    PipelineError,
    QueueUnavailableError,
    StorageUnavailableError,
)

DEDUPLICATION_S = 300
#: The limits of S3; LocalStack accepts more.
MAX_KEY_BYTES, MAX_METADATA_BYTES = 1024, 2048


class MemoryBucket:
    """A bucket in a dict. Set *is_down* to make every call fail as in an outage."""

    def __init__(self, name: str = "memory", *, expires_at: datetime | None = None) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.modified_at: dict[str, datetime] = {}
        self.is_down = False
        self._name = name
        self._expires_at = expires_at
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        self._check_key(key)
        if sum(len(name) + len(value) for name, value in metadata.items()) > MAX_METADATA_BYTES:
            raise StorageUnavailableError("MetadataTooLarge")
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        stored = StoredObject(key, dict(metadata), len(data), etag, self._expires_at, data)
        self.objects[key] = stored
        self.modified_at[key] = datetime.now(UTC)
        return stored

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        with self._lock:
            if key in self.objects:
                self.check()
                return None
            return self.put(key, data, content_type=content_type, metadata=metadata)

    def get(self, key: str, *, admit: Admit | None = None) -> StoredObject:
        self._check_key(key)
        if key not in self.objects:
            raise NotFoundError(f"There is no {self.name}/{key}.")
        if admit:
            admit(self.objects[key].size_bytes)
        return self.objects[key]

    def head(self, key: str) -> StoredObject:
        stored = self.get(key)
        return replace(stored, data=b"")

    def delete(self, key: str) -> None:
        self.check()
        self.objects.pop(key, None)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        self.check()
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield Listed(key, self.modified_at[key])

    def check(self) -> None:
        if self.is_down:
            raise StorageUnavailableError(f"{self.name} is down.")

    def _check_key(self, key: str) -> None:
        self.check()
        if len(key.encode()) > MAX_KEY_BYTES:
            raise StorageUnavailableError("KeyTooLong")


@dataclass
class _Message:
    body: str
    group: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receive_count: int = 0
    receipt_handle: str = ""
    visible_at: float = 0.0
    sent_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class MemoryQueue:
    """A FIFO queue in a list: order within a group, visibility timeout, deduplication.

    Thread-safe. Set *is_down* to make every call fail as in an outage.
    """

    def __init__(
        self,
        name: str = "memory.fifo",
        *,
        clock: Callable[[], float] = time.monotonic,
        dead_letters: MemoryQueue | None = None,
        max_receives: int = 0,
    ) -> None:
        self.dead_letters = dead_letters
        self._max_receives = max_receives
        self.messages: list[_Message] = []
        self.is_down = False
        self._name = name
        self._clock = clock
        self._sent_at: dict[str, float] = {}
        self._deleted: set[str] = set()
        self._changed = threading.Condition(threading.RLock())

    @property
    def name(self) -> str:
        return self._name

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.messages]

    def send(self, message: Message) -> None:
        with self._changed:
            self.check()
            key = f"{message.group}/{message.deduplication_id}"
            sent_at = self._sent_at.get(key)
            if sent_at is not None and self._clock() - sent_at < DEDUPLICATION_S:
                return
            self._sent_at[key] = self._clock()
            self.messages.append(_Message(message.body, message.group, message.attributes))
            self._changed.notify_all()

    def send_batch(self, messages: Sequence[Message]) -> Results:
        self._check_batch(messages)
        for message in messages:
            self.send(message)
        return [None] * len(messages)

    def receive(
        self,
        *,
        max_messages: int,
        wait_time_s: int,
        visibility_timeout_s: int,
        attempt_id: str | None = None,
    ) -> list[Delivery]:
        deadline = time.monotonic() + wait_time_s
        with self._changed:
            while not (found := self._receive(max_messages, visibility_timeout_s)):
                if time.monotonic() >= deadline:
                    break
                # Messages also become visible by the clock, without a notification.
                self._changed.wait(0.01)
            return found

    def _receive(self, max_messages: int, visibility_timeout_s: int) -> list[Delivery]:
        self.check()
        now = self._clock()
        blocked = {m.group for m in self.messages if m.visible_at > now}
        free = [m for m in self.messages if m.group not in blocked]
        for message in [m for m in free if self._is_given_up(m)]:
            self._give_up(message)
            free.remove(message)
        return [self._deliver(m, now + visibility_timeout_s) for m in free[:max_messages]]

    def _is_given_up(self, message: _Message) -> bool:
        return self.dead_letters is not None and message.receive_count >= self._max_receives

    def _give_up(self, message: _Message) -> None:
        assert self.dead_letters
        self.messages.remove(message)
        self.dead_letters.messages.append(_Message(message.body, message.group, message.attributes))

    def _deliver(self, message: _Message, visible_at: float) -> Delivery:
        message.receive_count += 1
        message.receipt_handle = str(uuid.uuid4())
        message.visible_at = visible_at
        return Delivery(
            message.body,
            message.message_id,
            message.group,
            message.receive_count,
            message.receipt_handle,
            message.attributes,
            message.sent_at,
        )

    def delete_batch(self, deliveries: Sequence[Delivery]) -> Results:
        self._check_batch(deliveries)
        with self._changed:
            return [self._delete(delivery) for delivery in deliveries]

    def _delete(self, delivery: Delivery) -> PipelineError | None:
        if delivery.receipt_handle in self._deleted:
            return None
        message = self._held(delivery)
        if message is None:
            return LeaseLostError("the receipt handle has expired")
        self.messages.remove(message)
        self._deleted.add(delivery.receipt_handle)
        return None

    def change_visibility_batch(self, deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        self._check_batch(deliveries)
        with self._changed:
            return [self._change_visibility(delivery, timeout_s) for delivery in deliveries]

    def _change_visibility(self, delivery: Delivery, timeout_s: int) -> PipelineError | None:
        message = self._held(delivery)
        if message is None:
            return LeaseLostError("the receipt handle has expired")
        message.visible_at = self._clock() + timeout_s
        return None

    def _held(self, delivery: Delivery) -> _Message | None:
        """The message of *delivery* while its receipt is valid, as in SQS FIFO."""
        for message in self.messages:
            is_same = message.receipt_handle == delivery.receipt_handle
            if is_same and message.visible_at > self._clock():
                return message
        return None

    def depth(self) -> Depth:
        self.check()
        with self._changed:
            held = sum(message.visible_at > self._clock() for message in self.messages)
        return Depth(waiting=len(self.messages) - held, held=held)

    def check(self) -> None:
        if self.is_down:
            raise QueueUnavailableError(f"{self.name} is down.")

    def _check_batch(self, entries: Sequence[object]) -> None:
        self.check()
        if not 1 <= len(entries) <= MAX_BATCH:
            raise QueueUnavailableError(f"{len(entries)} entries are no batch.")


class CountedQueue(MemoryQueue):
    """A queue that counts depth requests; clear *may_answer* to delay their responses."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def depth(self) -> Depth:
        self.asked += 1
        self.may_answer.wait(60)
        return super().depth()


class CountedBucket(MemoryBucket):
    """A bucket that counts its checks."""

    asked = 0

    def check(self) -> None:
        self.asked += 1
        super().check()
