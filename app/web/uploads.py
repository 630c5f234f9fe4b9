"""Read the form and headers of an upload into a checked image; the cheapest checks run first."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from uuid import UUID, uuid4

from flask import Request
from pydantic import TypeAdapter, ValidationError
from werkzeug.http import parse_dict_header

from ..domain.filenames import clean_filename
from ..domain.methods import Method, choose_method
from ..domain.representation import Group, Image, ImageStatus, Original, Parameters, now
from ..errors import (
    EmptyImageError,
    InvalidParameterError,
    MalformedMultipartError,
    MissingImageError,
    MultipleImagesError,
)
from ..images.metadata import original_href
from ..png import check
from ..png.format import SIGNATURE
from ..png.limits import PngLimits
from .upload_form import Part, read_parts

_GROUP: Final = TypeAdapter[str](Group)
_KEY: Final = re.compile(r"[ -~]{16,255}")
MAX_WAIT_S: Final = 30
_MAX_FIELD_BYTES: Final = 4096
_IMAGE: Final = "image"
#: Lower-case names of fields that browsers and frameworks add to forms; the API has none of them.
#: Any other unknown field is refused, because it can be a mistyped parameter.
DECORATIONS: Final = frozenset(
    (
        "_charset_",  # HTML, section 4.10.18.1: the encoding of the form
        "submit",  # a named button; an image button sends the coordinates of the click
        "submit.x",
        "submit.y",
        "x",
        "y",
        "commit",  # Rails
        "utf8",
        "authenticity_token",
        "_method",  # Rails, Laravel
        "_token",
        "csrf_token",  # Flask-WTF
        "csrfmiddlewaretoken",  # Django
        "_csrf",  # Spring, Express
        "__requestverificationtoken",  # ASP.NET
        "__viewstate",
        "__viewstategenerator",
        "__eventvalidation",
        "max_file_size",  # PHP
        "_wpnonce",  # WordPress
        "_wp_http_referer",
    )
)


@dataclass(frozen=True)
class Upload:
    """A checked image that can be accepted, and its bytes."""

    image: Image
    data: bytes
    #: Whether the request has an Idempotency-Key, so that it may be a repetition.
    has_key: bool


@dataclass(frozen=True)
class Reader:
    """Reads uploads within the *limits*; *secret* keys the hash that maps Idempotency-Key to id."""

    methods: Mapping[str, Method]
    default_method: str
    limits: PngLimits
    secret: bytes

    def read(self, request: Request, owner: str | None) -> Upload:
        """The checked upload in *request*; nothing is stored yet.

        Raises:
            PermanentError: the request is not valid; docs/errors.md lists the codes.
        """
        form = _form(request, self._field_names)
        key = _idempotency_key(request)
        fields = dict(form.fields)
        group = _group(fields.pop("group", None))
        name = fields.pop("method", self.default_method)
        parameters = choose_method(self.methods, name).parse(_parameters_of(name, fields))
        image_id = self._image_id(key, owner) if key else uuid4()
        data = _bytes_of(form.image)
        info = check.inspect(data, self.limits)
        image = Image(
            image_id=image_id,
            status=ImageStatus.QUEUED,
            method=name,
            parameters=parameters,
            group=group,
            uploaded_at=now(),
            original=_original(image_id, form.image, info),
            ignored=list(info.ignored),
            owner=owner,
        )
        return Upload(image, data, has_key=key is not None)

    @cached_property
    def _field_names(self) -> frozenset[str]:
        parameters = (p.name for method in self.methods.values() for p in method.parameters)
        return frozenset(("method", "group", *parameters))

    def _image_id(self, key: str, owner: str | None) -> UUID:
        """A UUIDv8 (RFC 9562, section 5.8), the same for the same key of the same owner."""
        digest = hmac.digest(self.secret, f"{owner or ''}\n{key}".encode(), "sha256")
        number = int.from_bytes(digest[:16])
        number = number & ~(0xF << 76) | 8 << 76
        return UUID(int=number & ~(0b11 << 62) | 0b10 << 62)


def is_same_request(image: Image, known: Image) -> bool:
    """Whether two uploads have the same bytes, method, parameters and group."""
    return _asked(image) == _asked(known)


def _asked(image: Image) -> tuple[str | None, str | None, Parameters, str | None]:
    sha256 = image.original.sha256 if image.original else None
    return sha256, image.method, image.parameters, image.group


def wait_asked_s(request: Request) -> int | None:
    """Seconds of `Prefer: wait`, at most MAX_WAIT_S; None if absent (RFC 7240, section 4.3)."""
    asked = parse_dict_header(request.headers.get("Prefer", ""))
    wait = {name.lower(): value for name, value in asked.items()}.get("wait") or ""
    if not (wait.isascii() and wait.isdecimal()):
        return None
    return min(int(wait.lstrip("0")[:9] or 0), MAX_WAIT_S)


# --- the parts of the form -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Form:
    image: Part
    #: The non-empty text fields.
    fields: Mapping[str, str]


def _form(request: Request, names: Collection[str]) -> _Form:
    """The form of *request*; *names* are the fields that an upload may have."""
    if request.mimetype != "multipart/form-data":
        raise MalformedMultipartError("Send multipart/form-data with the PNG in the part `image`.")
    _check_query(request, names)
    parts = read_parts(request.stream, request.mimetype_params.get("boundary", ""))
    images = [part for part in parts if part.name == _IMAGE and _is_file(part)]
    # A known field may have a file name: the library `requests` sends one for each of its `files`.
    files = [p for p in parts if p.filename is not None and p.name not in names and p.data]
    _check_files(parts, images, others=[part for part in files if part.name != _IMAGE])
    texts = [part for part in parts if part.filename is None or part.name in names]
    return _Form(images[0], _fields([part for part in texts if part not in images]))


def _check_query(request: Request, names: Collection[str]) -> None:
    """Refuse form fields in the query string, which would otherwise be ignored silently."""
    for name, value in request.args.items():
        if value and (name.partition("@")[0] in names or name == _IMAGE):
            shown = name[:40]
            raise InvalidParameterError(
                f"{shown!r} is in the query string; send it as a field of the form.",
                parameter=shown,
            )


def _is_file(part: Part) -> bool:
    """Whether *part*, named `image`, is a file; an empty file input is not.

    The file name is optional (RFC 7578, section 4.2). Without it, the part's content type or its
    first bytes decide.
    """
    if part.filename is not None:
        return bool(part.filename or part.data)
    is_text = part.content_type in ("", "text/plain")
    return part.data.startswith(SIGNATURE) or not is_text


def _check_files(parts: Sequence[Part], images: Sequence[Part], others: Sequence[Part]) -> None:
    if not images:
        raise MissingImageError(_missing(parts, others))
    if (count := len(images) + len(others)) > 1:
        raise MultipleImagesError(f"{count} files were sent; send one per request.", actual=count)


def _missing(parts: Sequence[Part], others: Sequence[Part]) -> str:
    texts = [part for part in parts if part.name == _IMAGE]
    if any(part.data for part in texts):
        return "The part `image` is text, not a file; with curl, write -F image=@FILE."
    if others:
        return f"No file is in the part `image`; there is one in {others[0].name[:40]!r}."
    if texts:
        return "The part `image` was left empty; choose a file."
    return "No file is in the part `image`."


def _fields(texts: Sequence[Part]) -> dict[str, str]:
    """The values of the text fields, without empty ones and those in DECORATIONS."""
    fields: dict[str, str] = {}
    for part in texts:
        if not part.data or part.name.lower() in DECORATIONS:
            continue
        shown = part.name[:40]
        if part.name in fields:
            raise InvalidParameterError(f"{shown!r} is given more than once.", parameter=shown)
        if (size := len(part.data)) > _MAX_FIELD_BYTES:
            raise InvalidParameterError(
                f"{shown!r} has {size} bytes; a field may have {_MAX_FIELD_BYTES}.",
                parameter=shown,
                actual=size,
                limit=_MAX_FIELD_BYTES,
            )
        fields[part.name] = part.text
    return fields


def _bytes_of(part: Part) -> bytes:
    if not part.data:
        raise EmptyImageError("The part `image` is empty.")
    return part.data


def _original(image_id: UUID, part: Part, info: check.PngInfo) -> Original:
    return Original(
        href=original_href(image_id),
        filename=clean_filename(part.filename or ""),
        size_bytes=len(part.data),
        width=info.width,
        height=info.height,
        dpi=info.dpi,
        sha256=hashlib.sha256(part.data).hexdigest(),
    )


def _parameters_of(method: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The parameters for *method*: `k`, or `k@sauvola` if the method is sauvola.

    Without JavaScript the page sends the fields of every method, named `parameter@method`. People
    type those with the decimal comma or point of their language.
    """
    asked = {}
    for field, value in fields.items():
        name, _, owner = field.partition("@")
        if owner in ("", method):
            asked[name] = value.replace(",", ".") if owner else value
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
