"""Read an upload: the form and headers of a request as a checked image, cheapest check first."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import IO, Any, Final
from uuid import UUID, uuid4

from flask import Request
from pydantic import TypeAdapter, ValidationError
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_dict_header

from . import png
from .domain import (
    Group,
    Image,
    ImageStatus,
    Method,
    Original,
    Parameters,
    choose_method,
    now,
)
from .errors import (
    EmptyImageError,
    InvalidParameterError,
    MalformedMultipartError,
    MissingImageError,
    MultipleImagesError,
)
from .image_store import original_href, shorten_filename
from .png import PngLimits

_GROUP: Final = TypeAdapter[str](Group)
_KEY: Final = re.compile(r"[ -~]{16,255}")
MAX_WAIT_S: Final = 30


class UploadRequest(Request):
    """A request whose form must be sound, its file in memory."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        # The file is read whole in any case; the default would put it on the disk first.
        return BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        # Otherwise Werkzeug takes a broken form for an empty one.
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser


@dataclass(frozen=True)
class Upload:
    """An image that may be taken, and its bytes."""

    image: Image
    data: bytes
    #: The client has named its request, so it may be a repetition.
    has_key: bool


@dataclass(frozen=True)
class Reader:
    """Reads uploads under the *limits*; *secret* makes ids out of idempotency keys."""

    methods: Mapping[str, Method]
    default_method: str
    limits: PngLimits
    secret: bytes

    def read(self, request: Request, owner: str | None) -> Upload:
        """The upload that *request* is.

        Raises:
            PermanentError: one of those that docs/errors.md names; nothing is stored yet.
        """
        part = _image_part(request)
        key = _idempotency_key(request)
        fields = _fields(request)
        group = _group(fields.pop("group", None))
        name = fields.pop("method", self.default_method)
        parameters = choose_method(self.methods, name).parse(_parameters_of(name, fields))
        image_id = self._image_id(key, owner) if key else uuid4()
        data = _bytes_of(part)
        image = Image(
            image_id=image_id,
            status=ImageStatus.QUEUED,
            method=name,
            parameters=parameters,
            group=group,
            uploaded_at=now(),
            original=_original(image_id, part, data, png.inspect(data, self.limits)),
            owner=owner,
        )
        return Upload(image, data, has_key=key is not None)

    def _image_id(self, key: str, owner: str | None) -> UUID:
        """The same for the same key of the same owner: a UUIDv8 (RFC 9562, section 5.8)."""
        digest = hmac.digest(self.secret, f"{owner or ''}\n{key}".encode(), "sha256")
        number = int.from_bytes(digest[:16])
        number = number & ~(0xF << 76) | 8 << 76
        return UUID(int=number & ~(0b11 << 62) | 0b10 << 62)


def is_same_request(image: Image, known: Image) -> bool:
    """Whether two uploads of one key are one: the same bytes, asked for in the same way."""
    return _asked(image) == _asked(known)


def _asked(image: Image) -> tuple[str | None, str | None, Parameters, str | None]:
    sha256 = image.original.sha256 if image.original else None
    return sha256, image.method, image.parameters, image.group


def wait_asked_s(request: Request) -> int | None:
    """The seconds of `Prefer: wait`, at most MAX_WAIT_S; None without (RFC 7240, section 4.3)."""
    asked = parse_dict_header(request.headers.get("Prefer", ""))
    wait = {name.lower(): value for name, value in asked.items()}.get("wait") or ""
    if not (wait.isascii() and wait.isdecimal()):
        return None
    return min(int(wait.lstrip("0")[:9] or 0), MAX_WAIT_S)


def _image_part(request: Request) -> FileStorage:
    if request.mimetype != "multipart/form-data":
        raise MalformedMultipartError("Send multipart/form-data with the PNG in the part `image`.")
    try:
        files = request.files
    except ValueError as exc:  # how werkzeug says that the body is not what its header says
        raise MalformedMultipartError(f"The body is not sound multipart: {exc}.") from None
    parts = files.getlist("image")
    if not parts:
        raise MissingImageError("No file is in the part `image`.")
    count = sum(len(parts) for _, parts in files.lists())
    if count > 1:
        raise MultipleImagesError(f"{count} files were sent; send one per request.", actual=count)
    return parts[0]


def _bytes_of(part: FileStorage) -> bytes:
    stream: Any = part.stream
    data: bytes = stream.getvalue()  # a BytesIO gives its bytes away without a copy
    if not data:
        raise EmptyImageError("The part `image` holds no byte.")
    return data


def _original(image_id: UUID, part: FileStorage, data: bytes, info: png.PngInfo) -> Original:
    return Original(
        href=original_href(image_id),
        filename=shorten_filename(PurePath(part.filename or "").name) or None,
        size_bytes=len(data),
        width=info.width,
        height=info.height,
        dpi=info.dpi,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _fields(request: Request) -> dict[str, str]:
    """The text fields; an empty one counts as not sent."""
    fields = {}
    for name, values in request.form.lists():
        given = [value for value in values if value]
        if len(given) > 1:
            shown = name[:40]
            raise InvalidParameterError(f"{shown!r} is given {len(given)} times.", parameter=shown)
        if given:
            fields[name] = given[0]
    return fields


def _parameters_of(method: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are meant for *method*: `k`, or `k@sauvola` where that is its name.

    A form without script has those of every method, and cannot leave out what is not chosen.
    """
    asked = {}
    for field, value in fields.items():
        name, _, owner = field.partition("@")
        if owner in ("", method):
            asked[name] = value
    return asked


def _group(group: str | None) -> str | None:
    try:
        return _GROUP.validate_python(group) if group else None
    except ValidationError:
        raise InvalidParameterError(
            "group is not 1 to 128 printable ASCII characters without a space.",
            parameter="group",
        ) from None


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidParameterError(
            f"Idempotency-Key has {len(key)} characters; it takes 16 to 255 of printable ASCII.",
            parameter="Idempotency-Key",
            actual=len(key),
        )
    return key
