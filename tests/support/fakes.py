"""Fakes of storage and queue; tests/contract holds them to what S3 and SQS do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain import Delivery, StoredObject
from app.errors import NotFoundError, QueueUnavailableError, StorageUnavailableError

DEDUPLICATION_S = 300


class MemoryBucket:
    """A bucket in a dict. Set *is_down* to have every call fail as in an outage."""

    def __init__(self, name: str = "memory", *, expires_at: datetime | None = None) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.is_down = False
        self._name = name
        self._expires_at = expires_at

    @property
    def name(self) -> str:
        return self._name

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        self.check()
        stored = StoredObject(key, dict(metadata), len(data), self._expires_at, data)
        self.objects[key] = stored
        return stored

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        self.check()
        if key in self.objects:
            return None
        return self.put(key, data, content_type=content_type, metadata=metadata)

    def get(self, key: str) -> StoredObject:
        self.check()
        if key not in self.objects:
            raise NotFoundError(f"There is no {self.name}/{key}.")
        return self.objects[key]

    def head(self, key: str) -> StoredObject:
        stored = self.get(key)
        return StoredObject(key, stored.metadata, stored.size_bytes, stored.expires_at)

    def check(self) -> None:
        if self.is_down:
            raise StorageUnavailableError(f"{self.name} is down.")


@dataclass
class _Message:
    body: str
    group: str
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receive_count: int = 0
    receipt_handle: str = ""
    visible_at: float = 0.0


class MemoryQueue:
    """A FIFO queue in a list: order within a group, visibility timeout, deduplication."""

    def __init__(
        self,
        name: str = "memory.fifo",
        *,
        visibility_timeout_s: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.messages: list[_Message] = []
        self.is_down = False
        self._name = name
        self._visibility_timeout_s = visibility_timeout_s
        self._clock = clock
        self._sent_at: dict[str, float] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.messages]

    def send(self, body: str, *, group: str, deduplication_id: str) -> None:
        self.check()
        sent_at = self._sent_at.get(f"{group}/{deduplication_id}")
        if sent_at is not None and self._clock() - sent_at < DEDUPLICATION_S:
            return
        self._sent_at[f"{group}/{deduplication_id}"] = self._clock()
        self.messages.append(_Message(body, group))

    def receive(self, *, max_messages: int, wait_time_s: int) -> list[Delivery]:
        self.check()
        taken: list[Delivery] = []
        now = self._clock()
        blocked = {m.group for m in self.messages if m.visible_at > now}
        for message in self.messages:
            if len(taken) == max_messages or message.group in blocked:
                continue
            message.receive_count += 1
            message.receipt_handle = str(uuid.uuid4())
            message.visible_at = now + self._visibility_timeout_s
            taken.append(
                Delivery(
                    message.body,
                    message.message_id,
                    message.group,
                    message.receive_count,
                    message.receipt_handle,
                )
            )
        return taken

    def delete(self, delivery: Delivery) -> None:
        self.check()
        self.messages = [m for m in self.messages if m.message_id != delivery.message_id]

    def release(self, delivery: Delivery, *, delay_s: int) -> None:
        self.check()
        for message in self.messages:
            if message.message_id == delivery.message_id:
                message.visible_at = self._clock() + delay_s

    def check(self) -> None:
        if self.is_down:
            raise QueueUnavailableError(f"{self.name} is down.")
