"""Say what an image and its messages are, and what we need of storage and queue.

The models are the contracts of docs/architecture.md: one shape for the answer to an upload,
for its status and for the announcement.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Literal, Protocol, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
    ValidationError,
    field_validator,
)

from . import bodies
from .errors import InvalidMessageError, PipelineError
from .exif import Turn
from .object_keys import MAX_KEY_BYTES, fits_s3

#: The version of both messages. Changes within a version only ever add fields.
MESSAGE_VERSION: Final = 1
#: MessageGroupId: up to 128 printable ASCII characters, no space.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_MAX_GROUP_CHARS: Final = 128
GROUP_PATTERN: Final = r"^[!-~]{1,128}$"
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH: Final = 10
#: What is ignored in one file is said in so many lines of so many ASCII characters. They travel
#: in S3 metadata, of which there are 2 KB for everything.
MAX_IGNORED: Final = 9
MAX_IGNORED_CHARS: Final = 48
_MAX_FAULTS: Final = 5
_MAX_DETAIL_CHARS: Final = 1000


def now() -> datetime:
    """The time in UTC, in whole milliseconds, as it is written everywhere."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999 in UTC") from None


Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
Group = Annotated[str, Field(pattern=GROUP_PATTERN)]
#: How operators call who holds a token.
OWNER_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"
Owner = Annotated[str | None, Field(pattern=OWNER_PATTERN)]
#: Beyond it not every reader of JSON has whole numbers (RFC 8259, section 6).
_MAX_INTEGER: Final = 2**53
#: Not a number and infinity are no JSON; names, counts and numbers are bounded, as an
#: announcement is.
Parameters = Annotated[
    dict[
        Annotated[str, Field(max_length=64)],
        Annotated[int, Field(ge=-_MAX_INTEGER, le=_MAX_INTEGER)] | FiniteFloat,
    ],
    Field(max_length=32),
]
#: What somebody else's object says of itself is shown, so it has to be a number that can be.
Count = Annotated[int, Field(ge=0, le=_MAX_INTEGER)]
#: Nobody sends a job again so often; what is counted must fit into a deduplication id.
MAX_REDRIVE: Final = 1_000_000


def _null_is(default: object) -> Callable[[object], object]:
    return lambda value: default if value is None else value


def _version(value: object) -> object:
    return MESSAGE_VERSION if value in (None, str(MESSAGE_VERSION)) else value


def _sha256(value: str) -> str | None:
    """*value* in lower-case hexadecimal: S3 and some producers say it in base64."""
    value = value.strip()
    if not value or re.fullmatch("[0-9a-fA-F]{64}", value):
        return value.lower() or None
    if re.fullmatch("[0-9A-Za-z+/]{43}=", value):
        return b64decode(value).hex()
    raise ValueError("not a SHA-256 in hexadecimal or base64")


Ignored = Annotated[
    list[Annotated[str, Field(max_length=MAX_IGNORED_CHARS, pattern=r"^[ -~]*$")]],
    Field(max_length=MAX_IGNORED),
]


class ImageStatus(StrEnum):
    QUEUED = "queued"
    PROCESSED = "processed"
    FAILED = "failed"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    def to_json(self) -> str:
        """Compact JSON under the published names."""
        text = self.model_dump_json(by_alias=True)
        # SQS takes every character but these; within a JSON string they can be said otherwise.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


class Original(_Model):
    """The PNG as it was sent. What its sender did not say is null."""

    href: str
    filename: str | None = None
    size_bytes: Count | None = Field(None, alias="bytes")
    width: Count | None = None
    height: Count | None = None
    dpi: Count | None = None
    sha256: str | None = None


class Processed(_Model):
    """The black-and-white page. *black_ratio* is the share of black pixels, 0 to 1.

    What a result that we have not made does not say is null.
    """

    href: str
    size_bytes: Count = Field(alias="bytes")
    width: Count | None = None
    height: Count | None = None
    dpi: Count | None = None
    sha256: str | None = None
    threshold: Count | None = None
    black_ratio: float | None = None
    processing_ms: Count | None = None


class TakenFor(_Model):
    """What a page was taken for, and what was done so that it stands as dark on light."""

    kind: Literal["writing", "blank", "photograph"] = Field(
        description="All methods but `auto` take every page for writing."
    )
    inverted: bool = Field(description="Its light writing was turned round.")
    turned: Turn = Field(
        description="By how many degrees, clockwise, it was turned to stand upright."
    )


class Failure(_Model):
    """Why an image could not be processed: a stable code and a sentence."""

    code: str
    detail: str


class Image(_Model):
    """The representation: one shape for the upload's answer, the status and the announcement."""

    image_id: UUID
    status: ImageStatus
    method: str | None = None
    parameters: Parameters = Field(default_factory=dict)
    group: Group | None = None
    uploaded_at: Timestamp | None = None
    processed_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    original: Original | None = None
    processed: Processed | None = None
    error: Failure | None = None
    ignored: Ignored = Field(
        default_factory=list,
        description=(
            "What is wrong with the original and cannot change a pixel, such as `iCCP: wrong CRC`."
        ),
    )
    page: TakenFor | None = None
    #: The name of the token that sent it. Its owner knows, and nobody else sees it.
    owner: Owner = Field(None, exclude=True)


class Job(_Model):
    """A message on the input queue; other producers need to send three fields only.

    Null stands for the default of any other.
    """

    version: Annotated[
        Literal[1], BeforeValidator(_version, json_schema_input_type=Literal[1] | None)
    ] = MESSAGE_VERSION
    image_id: UUID
    bucket: str
    key: str
    method: str | None = Field(None, max_length=64)
    parameters: Annotated[
        Parameters, BeforeValidator(_null_is({}), json_schema_input_type=Parameters | None)
    ] = Field(default_factory=dict)
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    group: Group | None = None
    uploaded_at: Timestamp | None = None
    owner: Owner = Field(None, description="The name of the token that sent it.")
    redrive: Annotated[
        int,
        Field(ge=0, le=MAX_REDRIVE),
        BeforeValidator(_null_is(0), json_schema_input_type=int | None),
    ] = Field(0, description="How many times an operator has sent it again.")

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read a message body.

        Raises:
            InvalidMessageError: not JSON, a field missing or wrong, or another version.
        """
        try:
            return cls.model_validate_json(bodies.without_mark(body))
        except ValidationError as exc:
            complaint = _complaint(exc)
        except ValueError:  # a lone surrogate, which no queue but a fake can hold
            complaint = "body: not Unicode text"
        if envelope := bodies.envelope_of(body):
            complaint = f"it is {envelope}"
        # The detail travels in an announcement, which has a largest size.
        detail = f"The message is not valid: {complaint}."
        raise InvalidMessageError(detail[:_MAX_DETAIL_CHARS])

    @field_validator("key")
    @classmethod
    def _fits_s3(cls, key: str) -> str:
        if not fits_s3(key):
            raise ValueError(f"not 1 to {MAX_KEY_BYTES} bytes of UTF-8")
        return key


def _complaint(exc: ValidationError) -> str:
    faults = exc.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{_path(fault['loc'])}: {fault['msg']}" for fault in faults[:_MAX_FAULTS])


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "body"


class StoredOriginal(Original):
    """Where the original is, for consumers that read S3 themselves."""

    bucket: str
    key: str


class StoredProcessed(Processed):
    """Where the result is, for consumers that read S3 themselves."""

    bucket: str
    key: str


class Announcement(Image):
    """A message on the processed queue: the representation and where the objects are."""

    version: Literal[1] = MESSAGE_VERSION
    original: StoredOriginal | None = None
    processed: StoredProcessed | None = None
    owner: Owner = Field(None, description="The name of the token that sent it.")
    redrive: int = Field(0, ge=0, description="How many times an operator had sent the job again.")


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


#: Turn the bytes of an original into a page as its job asks.
Process = Callable[[bytes, Job], Binarized]


# --- ports: what we need of storage and queue -----------------------------------


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


def message_group(image_id: UUID, group: str | None, owner: str | None) -> str:
    """The client's group, so that a document keeps its order; else each image for itself.

    Each *owner* has groups of its own: else the pages of one could wait for those of another.
    """
    if not (group and owner):
        return group or str(image_id)
    own = f"{owner}:{group}"  # no owner's name has a colon
    return own if len(own) <= _MAX_GROUP_CHARS else hashlib.sha256(own.encode()).hexdigest()


def deduplication_id(image_id: UUID, redrive: int) -> str:
    """The same on every resend, so that SQS drops repetitions for five minutes.

    A job that an operator sends again is another thing: it may end otherwise.
    """
    return f"{image_id}:{redrive}" if redrive else str(image_id)


def announcement_id(announcement: Announcement) -> str:
    """The deduplication id of *announcement*: the same for the same end of the same job.

    A failure is told from every other of the same image, and from a result that comes of it when
    the producer has mended it: SQS would drop the second within five minutes.
    """
    unique = deduplication_id(announcement.image_id, announcement.redrive)
    if announcement.status is not ImageStatus.FAILED:
        return unique
    return f"{unique}:{failure_digest(announcement)}"


def failure_digest(announcement: Announcement) -> str:
    """Tells one failure from another, whenever it came about."""
    said = announcement.model_dump_json(exclude={"processed_at", "expires_at"}, by_alias=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
