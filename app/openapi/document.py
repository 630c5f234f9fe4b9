"""Build the OpenAPI 3.1 document from the response models, the methods and the settings.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from ..domain.methods import Method
from ..domain.representation import Image
from ..errors import UnauthorizedError
from ..health.monitor import Service
from ..observability.version import NAME, VERSION
from ..settings import Settings
from ..web.uploads import MAX_WAIT_S
from .example import EXAMPLE
from .form import form
from .parts import Json, Refusal, answer, content, parameter, ref, refusals
from .refusals import ALWAYS, FILE, PROBES, RESULT, STORED, UPLOAD

_PREFER: Final = parameter(
    "Prefer",
    "header",
    {"type": "string", "examples": ["wait=30"]},
    "With `wait=N` the response waits until the image is finished, but at most N seconds; N is "
    f"at most {MAX_WAIT_S}.",
)
_UPLOAD_HEADERS: Final = [
    _PREFER,
    parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "pattern": r"^[ -~]{16,255}$"},
        "A name for the request: a repetition under the same name creates no second image.",
    ),
]
_QUOTA_HEADERS: Final = {
    "RateLimit": "The uploads that are left, if there is a limit.",
    "RateLimit-Policy": "The limit and its period.",
}
_UNCHANGED: Final = answer("Not modified (`If-None-Match`).")
_PATH_PARAMETERS: Final = {
    "parameters": [
        parameter("image_id", "path", {"type": "string", "format": "uuid"}, required=True)
    ]
}


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
    """The response to a probe."""

    status: Literal["alive", "ready"]


def contract(methods: Mapping[str, Method], default_method: str, settings: Settings) -> Json:
    """The document, with the limits of *settings*; it requires a token only if they have one."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in (Image, Problem, Health, Service)],
        ref_template="#/components/schemas/{model}",
    )
    needs_token = settings.has_tokens
    components: Json = {"schemas": schemas["$defs"]}
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": NAME,
            "version": VERSION,
            "description": (
                "PNG scans in, clean black-and-white pages out. Later versions only add to the API."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/upload": _upload(form(methods, default_method, settings), needs_token),
            "/images/{image_id}": _image(needs_token),
            **_files(needs_token),
            **_service(settings),
        },
        "components": components,
        **({"security": [{"token": []}]} if needs_token else {}),
    }


def _upload(body: Json, needs_token: bool) -> Json:
    queued = {"Location": "The URL of the image.", "Retry-After": "Seconds.", **_QUOTA_HEADERS}
    granted = {**queued, "Preference-Applied": "The granted wait."}
    shown = content(ref("Image"), example=EXAMPLE)
    finished = "The image finished during the wait (`Prefer: wait`); `status` has its outcome."
    answers = {
        "202": answer("The image is accepted and waits to be processed.", shown, queued),
        "201": answer(finished, shown, granted),
        "303": answer("A redirect to the page of the image, for a form sent without JavaScript."),
    }
    about = {"requestBody": body, "parameters": _UPLOAD_HEADERS}
    refused = _with_unauthorized(UPLOAD, needs_token)
    return {"post": _operation("upload", "Upload one PNG.", answers, refused, **about)}


def _image(needs_token: bool) -> Json:
    page = {"text/html": {"schema": {"type": "string"}}}
    shown = {**content(ref("Image"), example=EXAMPLE), **page}
    answers = {
        "200": answer("The state of the image.", shown, {"ETag": "The entity tag of this state."}),
        "304": _UNCHANGED,
    }
    erased = {"204": answer("The image is deleted.")}
    erasure = "Delete the image: its original, result and failure record."
    refused = _with_unauthorized(STORED, needs_token)
    known = "Get the state of an image."
    return {
        **_PATH_PARAMETERS,
        "get": _operation("getImage", known, answers, refused, parameters=[_PREFER]),
        "delete": _operation("deleteImage", erasure, erased, refused),
    }


def _files(needs_token: bool) -> Json:
    file = {"image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}}
    answers = {
        "200": answer(
            "The PNG.", file, {"ETag": "The entity tag of the file.", "Accept-Ranges": "bytes"}
        ),
        "206": answer("A part of the PNG.", file, {"Content-Range": "The bytes of the part."}),
        "304": _UNCHANGED,
    }
    words = "Any value makes browsers save the file instead of showing it."
    about = {"parameters": [parameter("download", "query", {"type": "string"}, words)]}

    def path(name: str, summary: str, refused: tuple[Refusal, ...]) -> Json:
        refused = _with_unauthorized(refused, needs_token)
        return {**_PATH_PARAMETERS, "get": _operation(name, summary, answers, refused, **about)}

    return {
        "/images/{image_id}/original": path("getOriginal", "Get the PNG as it was uploaded.", FILE),
        "/images/{image_id}/processed": path(
            "getProcessed", "Get the black-and-white PNG.", RESULT
        ),
    }


#: Behind a load balancer, any of the web processes answers.
SERVICE: Final = "Get the state of the process that answers, and of the queue."


def _service(settings: Settings) -> Json:
    health = content(ref("Health"))
    is_open: Json = {"security": []} if settings.has_tokens else {}

    def public(name: str, summary: str, shown: Json, refused: tuple[Refusal, ...] = ()) -> Json:
        found = _operation(name, summary, {"200": answer(summary, shown)}, refused)
        return {"get": found | {"tags": ["service"], **is_open}}

    readiness = public("ready", "Check whether the process reaches S3 and SQS.", health, PROBES)
    return {
        "/healthz": public("alive", "Check whether the process responds.", health),
        # With METRICS_PORT, /readyz is served on that port only.
        **({} if settings.metrics_port else {"/readyz": readiness}),
        "/service": public("service", SERVICE, content(ref("Service"))),
        "/openapi.json": public("contract", "Get this document.", content({"type": "object"})),
    }


def _with_unauthorized(refused: tuple[Refusal, ...], needs_token: bool) -> tuple[Refusal, ...]:
    return (*refused, UnauthorizedError) if needs_token else refused


def _operation(
    name: str, summary: str, answers: Json, refused: tuple[Refusal, ...], **about: Any
) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["images"],
        **about,
        "responses": answers | refusals((*refused, *ALWAYS)),
    }
