"""Say what the application needs of a bucket, a queue and the engine, whoever provides it."""

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
    """An object of a bucket; *data* is empty when only its head was asked for.

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
    """An object as a listing shows it."""

    key: str
    modified_at: datetime


#: Is told how many bytes are to be fetched, and raises where they are too many for now.
Admit = Callable[[int], None]


class Bucket(Protocol):
    """Keep bytes under keys. Each call is safe to repeat."""

    @property
    def name(self) -> str: ...

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        """Store *data*, replacing what was there. Raises StorageUnavailableError."""

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        """Store *data* unless the key is taken: then None. Raises StorageUnavailableError."""

    def get(self, key: str, *, admit: Admit | None = None) -> StoredObject:
        """Read an object whole. Raises NotFoundError, StorageUnavailableError.

        *admit* is told the size before the data is fetched; what it raises ends the call.
        """

    def head(self, key: str) -> StoredObject:
        """Read all but the data. Raises NotFoundError, StorageUnavailableError."""

    def delete(self, key: str) -> None:
        """Remove an object, if there is one. Raises StorageUnavailableError."""

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """What lies under *prefix*, ordered by key. Raises StorageUnavailableError."""

    def check(self) -> None:
        """Raise StorageUnavailableError unless the bucket answers."""


@dataclass(frozen=True)
class Message:
    """What is sent: *deduplication_id* is the same on every resend of the same thing.

    *attributes* say where it comes from; none is needed to understand it.
    """

    body: str
    group: str
    deduplication_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def asking(job: Job) -> Message:
    """The message that asks for the processing of *job*."""
    return Message(
        job.to_json(),
        group=message_group(job.image_id, job.group, job.owner),
        deduplication_id=deduplication_id(job.image_id, job.redrive),
    )


def announcing(announcement: Announcement) -> Message:
    """The message that tells of *announcement*."""
    return Message(
        announcement.to_json(),
        group=message_group(announcement.image_id, announcement.group, announcement.owner),
        deduplication_id=announcement_id(announcement),
    )


@dataclass(frozen=True)
class Delivery:
    """One receipt of a message; it is ours until the visibility timeout ends."""

    body: str
    message_id: str
    group: str
    receive_count: int
    receipt_handle: str = field(repr=False)
    #: Those of `tracing.TRAVELS` that it was sent with.
    attributes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def image_id(self) -> str:
        """The image that the message names; its own id when it names none."""
        return str(bodies.image_named_in(self.body) or self.message_id)


@dataclass(frozen=True)
class Depth:
    """About how many messages wait in a queue, and how many somebody holds."""

    waiting: int
    held: int


#: What became of each entry of a batch, in its order: None where it was done.
Results = list[PipelineError | None]


class Queue(Protocol):
    """Pass messages on in order within a group, at least once.

    The batch verbs take 1 to MAX_BATCH entries and are one request. They raise
    QueueUnavailableError when the request failed as a whole.
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
        """Wait up to *wait_time_s* for at most *max_messages*. Raises QueueUnavailableError.

        After an answer that was lost, the same *attempt_id* asks for the same messages again.
        """

    def delete_batch(self, deliveries: Sequence[Delivery]) -> Results:
        """Say that the messages are dealt with; LeaseLostError for one that is not ours."""

    def change_visibility_batch(self, deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        """Have the messages seen again in *timeout_s*; LeaseLostError for one that is not ours."""

    def depth(self) -> Depth:
        """How much is in it. Raises QueueUnavailableError."""

    def check(self) -> None:
        """Raise QueueUnavailableError unless the queue answers."""


@dataclass(frozen=True)
class Binarized:
    """A black-and-white page and how it came about.

    *png* is a 1-bit grayscale PNG of the input's size, turned upright. *threshold* is the global
    one, None for methods without. *black_ratio* is the share of black pixels, 0 to 1.
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
    #: What is wrong with the input and cannot change a pixel, such as "iCCP: wrong CRC".
    ignored: Ignored = field(default_factory=list)
    page: TakenFor | None = None


class Binarize(Protocol):
    """The engine: turn the bytes of an original into a page."""

    def __call__(
        self, data: bytes, *, method: str | None, parameters: Mapping[str, str | float]
    ) -> Binarized: ...


#: Turn the bytes of an original into a page as its job asks.
Process = Callable[[bytes, Job], Binarized]
