"""The representation of an image, shared by the upload response, the status and the announcement.

The models are a contract of docs/architecture.md. A change within a version only adds fields.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
)

#: MessageGroupId: up to 128 printable ASCII characters, no space.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
MAX_GROUP_CHARS: Final = 128
GROUP_PATTERN: Final = r"^[!-~]{1,128}$"
#: Maximum lines, and ASCII characters per line, about the ignored faults of one file. They are
#: stored in S3 metadata, which is limited to 2 KB per object.
MAX_IGNORED: Final = 9
MAX_IGNORED_CHARS: Final = 48


def now() -> datetime:
    """The time in UTC, in whole milliseconds: the precision of every timestamp."""
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
#: The name that an operator gives to a token.
OWNER_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"
Owner = Annotated[str | None, Field(pattern=OWNER_PATTERN)]
#: Beyond it not every JSON parser represents integers exactly (RFC 8259, section 6).
_MAX_INTEGER: Final = 2**53
#: JSON has no NaN and no infinity. Names, counts and numbers are bounded because the size of an
#: announcement is.
Parameters = Annotated[
    dict[
        Annotated[str, Field(max_length=64)],
        Annotated[int, Field(ge=-_MAX_INTEGER, le=_MAX_INTEGER)] | FiniteFloat,
    ],
    Field(max_length=32),
]
#: Bounded because clients see values from the metadata of objects that other producers stored.
Count = Annotated[int, Field(ge=0, le=_MAX_INTEGER)]
Ignored = Annotated[
    list[Annotated[str, Field(max_length=MAX_IGNORED_CHARS, pattern=r"^[ -~]*$")]],
    Field(max_length=MAX_IGNORED),
]


class ImageStatus(StrEnum):
    QUEUED = "queued"
    PROCESSED = "processed"
    FAILED = "failed"


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    def to_json(self) -> str:
        """Compact JSON under the published names."""
        text = self.model_dump_json(by_alias=True)
        # SQS rejects only these characters; a JSON string can hold them as escapes.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


class Original(Model):
    """The PNG as it was sent. A value that its sender left out is null."""

    href: str
    filename: str | None = None
    size_bytes: Count | None = Field(None, alias="bytes")
    width: Count | None = None
    height: Count | None = None
    dpi: Count | None = None
    sha256: str | None = None


class Processed(Model):
    """The black-and-white page. *black_ratio* is the share of black pixels, 0 to 1.

    A value that is missing in a result from another program is null.
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


class TakenFor(Model):
    """The detected kind of a page, and how it was made upright with dark writing on white."""

    kind: Literal["writing", "blank", "photograph"] = Field(
        description="All methods except `auto` treat every page as writing."
    )
    inverted: bool = Field(description="Whether light writing was inverted to dark.")
    turned: Literal[0, 90, 180, 270] = Field(
        description="Degrees clockwise by which the page was turned upright."
    )


class Failure(Model):
    """The reason why an image could not be processed: a stable code and a sentence."""

    code: str
    detail: str


class Image(Model):
    """The representation of an image: in the upload response, the status and the announcement."""

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
            "Faults of the original that cannot change a pixel, such as `iCCP: wrong CRC`."
        ),
    )
    page: TakenFor | None = None
    #: The name of the token that sent the image. No response shows it.
    owner: Owner = Field(None, exclude=True)
