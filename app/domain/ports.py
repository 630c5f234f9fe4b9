"""The ports: what the application needs of a bucket, a queue and the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, Protocol

from ..errors import PipelineError
from . import bodies
from .messages import Announcement, Job, announcement_id, deduplication_id, message_group
from .representation import Ignored, Parameters, TakenFor

#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH: Final = 10


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket; *data* is empty after a HEAD request.

    *etag* is quoted, as in RFC 9110, section 8.8.3, and differs whenever the data differs.
    """

    key: str
    metadata: Mapping[str, str]
    size_bytes: int
    etag: str
    expires_at: datetime | None = None
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Listed:
    """One entry of a bucket's listing."""

    key: str
    modified_at: datetime


#: Called with the number of bytes before a fetch; raises when they are too many for now.
Admit = Callable[[int], None]


class Bucket(Protocol):
    """A store of objects under keys. Each call is safe to repeat."""

    @property
    def name(self) -> str: ...

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        """Store *data*, replacing any object under *key*. Raises StorageUnavailableError."""

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        """Store *data*; None if the key has an object already. Raises StorageUnavailableError."""

    def get(self, key: str, *, admit: Admit | None = None) -> StoredObject:
        """The object with its data. Raises NotFoundError, StorageUnavailableError.

        *admit* is called with the size before the data is fetched; an exception from it propagates.
        """

    def head(self, key: str) -> StoredObject:
        """The object without its data. Raises NotFoundError, StorageUnavailableError."""

    def delete(self, key: str) -> None:
        """Remove an object, if there is one. Raises StorageUnavailableError."""

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """The objects whose keys begin with *prefix*, by key. Raises StorageUnavailableError."""

    def check(self) -> None:
        """Raise StorageUnavailableError unless the bucket answers."""


@dataclass(frozen=True)
class Message:
    """A message to send; its *deduplication_id* is the same on every resend.

    *attributes* carry the trace and the request id; readers of the message need none of them.
    """

    body: str
    group: str
    deduplication_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def asking(job: Job) -> Message:
    """The message that requests the processing of *job*."""
    return Message(
        job.to_json(),
        group=message_group(job.image_id, job.group, job.owner),
        deduplication_id=deduplication_id(job.image_id, job.redrive),
    )


def announcing(announcement: Announcement) -> Message:
    """The message that carries *announcement*."""
    return Message(
        announcement.to_json(),
        group=message_group(announcement.image_id, announcement.group, announcement.owner),
        deduplication_id=announcement_id(announcement),
    )


@dataclass(frozen=True)
class Delivery:
    """One receipt of a message; this worker holds it until the visibility timeout ends."""

    body: str
    message_id: str
    group: str
    receive_count: int
    receipt_handle: str = field(repr=False)
    #: The attributes of the message whose names are in `tracing.TRAVELS`.
    attributes: Mapping[str, str] = field(default_factory=dict)
    #: By the clock of the queue; None where it does not say.
    sent_at: datetime | None = None

    @cached_property
    def image_id(self) -> str:
        """The id of the image that the message names; the message's own id when it names none."""
        return str(bodies.image_named_in(self.body) or self.message_id)


@dataclass(frozen=True)
class Depth:
    """About how many messages wait in a queue, and how many are in flight."""

    waiting: int
    held: int


#: The result of each entry of a batch, in the order of the entries: None for success.
Results = list[PipelineError | None]


class Queue(Protocol):
    """A FIFO queue: delivers at least once, in order within each message group.

    A batch method sends 1 to MAX_BATCH entries in one request. It raises QueueUnavailableError when
    the whole request fails.
    """

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> None:
        """Return once *message* is accepted. Raises QueueUnavailableError."""

    def send_batch(self, messages: Sequence[Message]) -> Results:
        """Send several; a result is None once that message is accepted."""

    def receive(
        self,
        *,
        max_messages: int,
        wait_time_s: int,
        visibility_timeout_s: int,
        attempt_id: str | None = None,
    ) -> list[Delivery]:
        """At most *max_messages*, after at most *wait_time_s*. Raises QueueUnavailableError.

        After a lost response, a call with the same *attempt_id* returns the same messages.
        """

    def delete_batch(self, deliveries: Sequence[Delivery]) -> Results:
        """Delete handled messages; a result is LeaseLostError where the receipt has expired."""

    def change_visibility_batch(self, deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        """Hide the messages for *timeout_s*; LeaseLostError where the receipt has expired."""

    def depth(self) -> Depth:
        """The number of messages in the queue. Raises QueueUnavailableError."""

    def check(self) -> None:
        """Raise QueueUnavailableError unless the queue answers."""


@dataclass(frozen=True)
class Binarized:
    """A black-and-white page, with the method and the measurements that describe it.

    *png* is a 1-bit grayscale PNG of the input's size, turned upright. *threshold* is the global
    threshold, None for local methods. *black_ratio* is the share of black pixels, 0 to 1.
    """

    png: bytes = field(repr=False)
    width: int
    height: int
    dpi: int | None
    method: str
    parameters: Parameters
    threshold: int | None
    black_ratio: float
    processing_ms: int
    #: Faults of the input that cannot change a pixel, such as "iCCP: wrong CRC".
    ignored: Ignored = field(default_factory=list)
    page: TakenFor | None = None


class Binarize(Protocol):
    """The engine: a function from the bytes of an original to a page."""

    def __call__(
        self, data: bytes, *, method: str | None, parameters: Mapping[str, str | float]
    ) -> Binarized: ...


#: A function that turns the bytes of an original into the page that its job requests.
Process = Callable[[bytes, Job], Binarized]
