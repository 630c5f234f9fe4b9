"""Describe the API as OpenAPI 3.1, from the models that make its answers and the methods it offers.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from . import errors
from .errors import PipelineError
from .lookout import Service
from .method_catalogue import Method, Parameter
from .representation import GROUP_PATTERN, Image
from .settings import MULTIPART_OVERHEAD_BYTES, Settings
from .uploads import MAX_WAIT_S

VERSION: Final = "1.0.0"
_Error = type[PipelineError]
_Errors = tuple[_Error, ...]
_Json = dict[str, Any]

_ALWAYS: Final[_Errors] = (
    errors.BadRequestError,
    errors.TooManyConnectionsError,
    errors.HeadTooLargeError,
    errors.InternalError,
)
#: What each operation can refuse, beside what every one can.
_UPLOAD: Final[_Errors] = (
    errors.MalformedMultipartError,
    errors.MissingImageError,
    errors.MultipleImagesError,
    errors.EmptyImageError,
    errors.FileTooLargeError,
    errors.NotAPngError,
    errors.ContentCodingError,
    errors.CorruptPngError,
    errors.UnsupportedPngError,
    errors.TooManyPixelsError,
    errors.InvalidParameterError,
    errors.IdempotencyKeyReusedError,
    errors.RateLimitedError,
    errors.StorageUnavailableError,
    errors.QueueUnavailableError,
    errors.QueueFullError,
    errors.BusyError,
)
_STORED: Final[_Errors] = (errors.NotFoundError, errors.StorageUnavailableError)
_FILE: Final[_Errors] = (*_STORED, errors.RangeNotSatisfiableError, errors.BusyError)
_RESULT: Final[_Errors] = (*_FILE, errors.NotReadyError, errors.ProcessingFailedError)
_PROBES: Final[_Errors] = (errors.StorageUnavailableError, errors.QueueUnavailableError)
#: Answered by the server itself, or to a path and method that the API does not have, such as those
#: of the pages' forms.
_ELSEWHERE: Final[_Errors] = (
    errors.MethodNotAllowedError,
    errors.TargetTooLongError,
    errors.TransferCodingError,
    errors.CrossSiteError,
)


class Problem(BaseModel):
    """A problem document (RFC 9457). `code` is the part to program against."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:image-pipeline:problem:too-many-pixels"])
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    detail: str
    instance: str | None = None
    request_id: str


class Health(BaseModel):
    """The answer of a probe."""

    status: Literal["alive", "ready"]


def contract(methods: Mapping[str, Method], default_method: str, settings: Settings) -> _Json:
    """The document; it has the limits of *settings* and demands a token only if they do."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in (Image, Problem, Health, Service)],
        ref_template="#/components/schemas/{model}",
    )
    needs_token = settings.has_tokens
    components: _Json = {"schemas": schemas["$defs"]}
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Alvura",
            "version": VERSION,
            "description": "PNG scans in, clean black-and-white pages out. Changes only ever add.",
        },
        "servers": [{"url": "/"}],
        "paths": _paths(methods, default_method, settings, needs_token=needs_token),
        "components": components,
        **({"security": [{"token": []}]} if needs_token else {}),
    }


def documented_errors() -> set[str]:
    """The codes that the document names, and those of requests that it does not describe."""
    known: _Errors = (*_ALWAYS, *_UPLOAD, *_RESULT, *_PROBES, *_ELSEWHERE, errors.UnauthorizedError)
    return {error.code for error in known}


def _paths(
    methods: Mapping[str, Method], default: str, settings: Settings, *, needs_token: bool
) -> _Json:
    guarded: _Errors = (errors.UnauthorizedError,) if needs_token else ()
    image_id = _parameter("image_id", "path", {"type": "string", "format": "uuid"}, required=True)
    queued = {"Location": "Where to ask.", "Retry-After": "Seconds.", **_QUOTA_HEADERS}
    representation = _content(_ref("Image"), "application/json", example=_EXAMPLE)
    shown = {**representation, "text/html": {"schema": {"type": "string"}}}
    file = {"image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}}
    file_answers = {
        "200": _answer("The PNG.", file, {"ETag": "Of the file.", "Accept-Ranges": "bytes"}),
        "206": _answer("A part of it.", file, {"Content-Range": "Which part."}),
        "304": _answer("As it was (`If-None-Match`)."),
    }
    file_parameters = [
        _parameter("download", "query", {"type": "string"}, "Have browsers save the file."),
    ]

    def operation(name: str, summary: str, answers: _Json, refused: _Errors, **more: Any) -> _Json:
        return {
            "operationId": name,
            "summary": summary,
            "tags": ["images"],
            **more,
            "responses": answers | _refusals((*refused, *_ALWAYS)),
        }

    def public(name: str, summary: str, content: _Json, refused: _Errors = ()) -> _Json:
        found = operation(name, summary, {"200": _answer(summary, content)}, refused)
        is_open: _Json = {"security": []} if needs_token else {}
        return {"get": found | {"tags": ["service"], **is_open}}

    readiness = public("ready", "Can reach S3 and SQS.", _content(_ref("Health")), _PROBES)
    return {
        "/upload": {
            "post": operation(
                "upload",
                "Send one PNG.",
                {
                    "202": _answer("Taken, and waiting.", representation, queued),
                    "201": _answer(
                        "Finished while you waited (`Prefer: wait`); `status` tells how.",
                        representation,
                        {**queued, "Preference-Applied": "The wait that was granted."},
                    ),
                    "303": _answer("To the page of the image, for a form without script."),
                },
                (*_UPLOAD, *guarded),
                requestBody=_form(methods, default, settings),
                parameters=_UPLOAD_HEADERS,
            )
        },
        "/images/{image_id}": {
            "parameters": [image_id],
            "get": operation(
                "getImage",
                "What is known of an image.",
                {
                    "200": _answer("Its representation.", shown, {"ETag": "Of it."}),
                    "304": _answer("As it was (`If-None-Match`)."),
                },
                (*_STORED, *guarded),
                parameters=[_PREFER],
            ),
            "delete": operation(
                "deleteImage",
                "Erase original, result and failure record.",
                {"204": _answer("Gone.")},
                (*_STORED, *guarded),
            ),
        },
        "/images/{image_id}/original": {
            "parameters": [image_id],
            "get": operation(
                "getOriginal",
                "The PNG as it was sent.",
                file_answers,
                (*_FILE, *guarded),
                parameters=file_parameters,
            ),
        },
        "/images/{image_id}/processed": {
            "parameters": [image_id],
            "get": operation(
                "getProcessed",
                "The black-and-white page.",
                file_answers,
                (*_RESULT, *guarded),
                parameters=file_parameters,
            ),
        },
        "/healthz": public("alive", "Alive.", _content(_ref("Health"))),
        # With METRICS_PORT it is served there only.
        **({} if settings.metrics_port else {"/readyz": readiness}),
        "/service": public("service", "How the service is.", _content(_ref("Service"))),
        "/openapi.json": public("contract", "This document.", _content({"type": "object"})),
    }


# --- the form of an upload: one variant a method, so that every combination is as the engine has it


def _form(methods: Mapping[str, Method], default: str, settings: Settings) -> _Json:
    image = {
        "type": "string",
        "format": "binary",  # by which tools know a file
        "contentMediaType": "image/png",
        "description": (
            f"At most {settings.max_upload_bytes} bytes, {settings.max_pixels} pixels and "
            f"{settings.max_side} a side."
        ),
    }
    group = {
        "type": "string",
        # Empty for none, as every field of the form.
        "pattern": f"^$|{GROUP_PATTERN}",
        "description": "Images of one group are processed and announced in the order they came.",
        "examples": _LEFT_EMPTY,
    }
    names = sorted({p.name for method in methods.values() for p in method.parameters})
    schema = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": image,
            "method": {"type": "string", "enum": list(methods), "default": default},
            **{name: _parameter_of_some(methods, name) for name in names},
            "group": group,
        },
        "oneOf": [_variant(method, is_default=name == default) for name, method in methods.items()],
    }
    media = {"schema": schema, "encoding": {"image": {"contentType": "image/png"}}}
    return {
        "required": True,
        "description": (
            f"The file, and at most {MULTIPART_OVERHEAD_BYTES} bytes around it. "
            "A field that is empty counts as not sent."
        ),
        "content": {"multipart/form-data": media},
    }


def _parameter_of_some(methods: Mapping[str, Method], name: str) -> _Json:
    takers = [m.name for m in methods.values() if name in {p.name for p in m.parameters}]
    return {
        "type": "number",
        "description": f"Of {', '.join(takers)}; left empty, each has its default.",
        "examples": _LEFT_EMPTY,
    }


def _variant(method: Method, *, is_default: bool) -> _Json:
    own = {parameter.name: _schema_of(parameter) for parameter in method.parameters}
    return {
        "title": method.name,
        "description": method.description,
        "properties": {"method": {"const": method.name}, **own},
        "propertyNames": {"enum": ["image", "method", "group", *own]},
        **({} if is_default else {"required": ["method"]}),
    }


def _schema_of(parameter: Parameter) -> _Json:
    return {
        "type": "integer" if parameter.kind is int else "number",
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "default": parameter.default,
        "description": parameter.description,
    }


# --- pieces --------------------------------------------------------------------------------------


def _parameter(
    name: str, place: str, schema: _Json, description: str = "", *, required: bool = False
) -> _Json:
    words = {"description": description} if description else {}
    return {"name": name, "in": place, "required": required, "schema": schema, **words}


#: Pages to try an API on fill fields with examples, and would send what no method takes at once.
_LEFT_EMPTY: Final = [""]
_PREFER: Final = _parameter(
    "Prefer",
    "header",
    {"type": "string", "examples": ["wait=30"]},
    f"`wait=N` answers once the image is finished, after at most N seconds, N up to {MAX_WAIT_S}.",
)
_UPLOAD_HEADERS: Final = [
    _PREFER,
    _parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "pattern": r"^[ -~]{16,255}$"},
        "Names the request, so that repeating it sends nothing twice.",
    ),
]
_QUOTA_HEADERS: Final = {
    "RateLimit": "What is left, where there is a limit.",
    "RateLimit-Policy": "The limit.",
}


def _ref(model: str) -> _Json:
    return {"$ref": f"#/components/schemas/{model}"}


def _content(schema: _Json, mime: str = "application/json", **more: Any) -> _Json:
    return {mime: {"schema": schema, **more}}


def _answer(description: str, content: _Json | None = None, headers: Any = None) -> _Json:
    answer: _Json = {"description": description}
    if content:
        answer["content"] = content
    if headers:
        answer["headers"] = {
            name: {"description": words, "schema": {"type": "string"}}
            for name, words in headers.items()
        }
    return answer


def _refusals(refused: _Errors) -> _Json:
    """One answer a status, with an example of each code."""
    by_status: dict[int, list[_Error]] = {}
    for error in refused:
        by_status.setdefault(error.status, []).append(error)
    return {str(status): _refusal(by_status[status]) for status in sorted(by_status)}


def _refusal(kinds: list[_Error]) -> _Json:
    examples = {
        kind.code: {"value": kind(_first_line(kind)).to_problem() | {"request_id": "38ad55ff98c5"}}
        for kind in kinds
    }
    content = _content(_ref("Problem"), "application/problem+json", examples=examples)
    page = {"text/html": {"schema": {"type": "string"}}}
    return _answer("; ".join(f"`{k.code}`: {k.title}" for k in kinds) + ".", content | page)


def _first_line(kind: _Error) -> str:
    return (kind.__doc__ or kind.title).splitlines()[0]


_EXAMPLE: Final = Image.model_validate(
    {
        "image_id": "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de",
        "status": "processed",
        "method": "simple",
        "parameters": {"threshold": 127},
        "group": "invoice-42",
        "uploaded_at": "2026-11-24T03:05:38.913Z",
        "processed_at": "2026-11-24T03:05:39.004Z",
        "expires_at": "2026-12-02T00:00:00Z",
        "original": {
            "href": "/images/6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de/original",
            "filename": "scan.png",
            "bytes": 1149870,
            "width": 1240,
            "height": 1754,
            "dpi": 150,
            "sha256": "3f5a7a2f6d0f7a54d4f2d1d7c1a8f3b4f2f3c1a0e9d8c7b6a5f4e3d2c1b0a998",
        },
        "processed": {
            "href": "/images/6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de/processed",
            "bytes": 30376,
            "width": 1240,
            "height": 1754,
            "dpi": 150,
            "sha256": "aa5a7a2f6d0f7a54d4f2d1d7c1a8f3b4f2f3c1a0e9d8c7b6a5f4e3d2c1b0a998",
            "threshold": 127,
            "black_ratio": 0.104,
            "processing_ms": 25,
        },
        "ignored": ["iCCP: wrong CRC"],
        "page": {"kind": "writing", "inverted": False, "turned": 90},
    }
).model_dump(mode="json", by_alias=True)
