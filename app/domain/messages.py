"""The messages of the two queues: the job that requests a page, and its announcement."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator

from ..errors import InvalidMessageError, UnsupportedJobError
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

#: The version of both messages. A change within a version only adds fields.
MESSAGE_VERSION: Final = 1
#: Bounded because the count is part of a deduplication id, whose length SQS limits.
MAX_REDRIVE: Final = 1_000_000
#: The exceptions of `Job.parse`.
NO_JOB: Final = (InvalidMessageError, UnsupportedJobError)
_MAX_FAULTS: Final = 5
_MAX_DETAIL_CHARS: Final = 1000


def _null_becomes(default: object) -> Callable[[object], object]:
    return lambda value: default if value is None else value


def _version(value: object) -> object:
    return MESSAGE_VERSION if value in (None, str(MESSAGE_VERSION)) else value


def _sha256(value: str) -> str | None:
    """*value* in lower-case hexadecimal; S3 and some producers send base64."""
    value = value.strip()
    if not value or re.fullmatch("[0-9a-fA-F]{64}", value):
        return value.lower() or None
    if re.fullmatch("[0-9A-Za-z+/]{43}=", value):
        return b64decode(value).hex()
    raise ValueError("not a SHA-256 in hexadecimal or base64")


class Job(Model):
    """A message on the input queue; other producers need to send only three fields.

    In any other field, null stands for the default.
    """

    version: Annotated[
        Literal[1], BeforeValidator(_version, json_schema_input_type=Literal[1] | None)
    ] = MESSAGE_VERSION
    image_id: UUID
    bucket: str
    key: str
    method: str | None = Field(None, max_length=64)
    parameters: Annotated[
        Parameters, BeforeValidator(_null_becomes({}), json_schema_input_type=Parameters | None)
    ] = Field(default_factory=dict)
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    group: Group | None = None
    uploaded_at: Timestamp | None = None
    owner: Owner = Field(None, description="The name of the token that sent it.")
    redrive: Annotated[
        int,
        Field(ge=0, le=MAX_REDRIVE),
        BeforeValidator(_null_becomes(0), json_schema_input_type=int | None),
    ] = Field(0, description="The number of times that an operator has sent the job again.")

    @classmethod
    def parse(cls, body: str) -> Self:
        """The job in a message body.

        Raises:
            InvalidMessageError: the body is not JSON, or a field is missing or wrong.
            UnsupportedJobError: the message has a later version.
        """
        try:
            return cls.model_validate_json(bodies.without_mark(body))
        except ValidationError as exc:
            _refuse_later_version(body)
            complaint = _complaint(exc)
        except ValueError:  # a lone surrogate, which SQS itself cannot deliver
            complaint = "body: not Unicode text"
        if envelope := bodies.envelope_of(body):
            complaint = f"it is {envelope}"
        # The detail is part of an announcement, whose size is limited.
        detail = f"The message is not valid: {complaint}."
        raise InvalidMessageError(detail[:_MAX_DETAIL_CHARS])

    @field_validator("key")
    @classmethod
    def _fits_s3(cls, key: str) -> str:
        if not fits_s3(key):
            raise ValueError(f"not 1 to {MAX_KEY_BYTES} bytes of UTF-8")
        return key


def _refuse_later_version(body: str) -> None:
    version = str(bodies.fields_of(body).get("version"))
    if re.fullmatch("[1-9][0-9]{0,8}", version) and int(version) > MESSAGE_VERSION:
        raise UnsupportedJobError(
            f"The message has version {version}; this release reads version {MESSAGE_VERSION}."
        )


def _complaint(exc: ValidationError) -> str:
    faults = exc.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{_path(fault['loc'])}: {fault['msg']}" for fault in faults[:_MAX_FAULTS])


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "body"


class StoredOriginal(Original):
    """The original with its bucket and key, for consumers that read S3 themselves."""

    bucket: str
    key: str


class StoredProcessed(Processed):
    """The result with its bucket and key, for consumers that read S3 themselves."""

    bucket: str
    key: str


class Announcement(Image):
    """A message on the processed queue: the representation, with the buckets and keys."""

    version: Literal[1] = MESSAGE_VERSION
    original: StoredOriginal | None = None
    processed: StoredProcessed | None = None
    owner: Owner = Field(None, description="The name of the token that sent it.")
    redrive: int = Field(
        0, ge=0, description="The number of times that an operator had sent the job again."
    )


def message_group(image_id: UUID, group: str | None, owner: str | None) -> str:
    """The SQS message group: the client's group, or the image's own id without one.

    A group keeps the pages of a document in order. The name includes the *owner*, so that the pages
    of one owner never wait for those of another.
    """
    if not (group and owner):
        return group or str(image_id)
    own = f"{owner}:{group}"  # no owner's name has a colon
    return own if len(own) <= MAX_GROUP_CHARS else hashlib.sha256(own.encode()).hexdigest()


def deduplication_id(image_id: UUID, redrive: int) -> str:
    """The deduplication id of a job: equal on every resend, so that SQS drops it for 5 minutes.

    A job that an operator sends again gets another id, since its outcome may differ.
    """
    return f"{image_id}:{redrive}" if redrive else str(image_id)


def announcement_id(announcement: Announcement) -> str:
    """The deduplication id of *announcement*: equal for the same outcome of the same job.

    Each failure of an image has an id of its own, different from that of a later result: SQS would
    drop the second announcement within five minutes of the first.
    """
    unique = deduplication_id(announcement.image_id, announcement.redrive)
    if announcement.status is not ImageStatus.FAILED:
        return unique
    return f"{unique}:{failure_digest(announcement)}"


def failure_digest(announcement: Announcement) -> str:
    """A digest that differs between failures; the time of the failure has no part in it."""
    said = announcement.model_dump_json(exclude={"processed_at", "expires_at"}, by_alias=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
