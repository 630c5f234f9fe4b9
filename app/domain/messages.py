"""Say what travels on the two queues: the job that asks for a page, and its announcement."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator

from ..errors import InvalidMessageError
from . import bodies
from .keys import MAX_KEY_BYTES, fits_s3
from .representation import (
    MAX_GROUP_CHARS,
    Group,
    Image,
    ImageStatus,
    Model,
    Original,
    Owner,
    Parameters,
    Processed,
    Timestamp,
)

#: The version of both messages. Changes within a version only ever add fields.
MESSAGE_VERSION: Final = 1
#: Nobody sends a job again so often; what is counted must fit into a deduplication id.
MAX_REDRIVE: Final = 1_000_000
_MAX_FAULTS: Final = 5
_MAX_DETAIL_CHARS: Final = 1000


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


class Job(Model):
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


def message_group(image_id: UUID, group: str | None, owner: str | None) -> str:
    """The client's group, so that a document keeps its order; else each image for itself.

    Each *owner* has groups of its own: else the pages of one could wait for those of another.
    """
    if not (group and owner):
        return group or str(image_id)
    own = f"{owner}:{group}"  # no owner's name has a colon
    return own if len(own) <= MAX_GROUP_CHARS else hashlib.sha256(own.encode()).hexdigest()


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
