"""Translate HTTP to store and queue, and what can go wrong to problem documents (RFC 9457)."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import IO, Final
from urllib.parse import quote
from uuid import UUID, uuid4

from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    current_app,
    g,
    jsonify,
    render_template,
    request,
)
from flask.typing import ResponseReturnValue
from pydantic import TypeAdapter, ValidationError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from . import png
from .domain import (
    Group,
    Image,
    ImageStatus,
    Method,
    Original,
    Parameters,
    Queue,
    StoredObject,
    choose_method,
    now,
)
from .errors import (
    BadRequestError,
    EmptyImageError,
    FileTooLargeError,
    InternalError,
    InvalidParameterError,
    MalformedMultipartError,
    MethodNotAllowedError,
    MissingImageError,
    MultipleImagesError,
    NotFoundError,
    PipelineError,
    RangeNotSatisfiableError,
    TransientError,
)
from .image_store import ImageStore, filename_of, original_href, shorten_filename
from .settings import Settings

logger = logging.getLogger(__name__)
api = Blueprint("api", __name__)

_EXTENSION: Final = "image_pipeline"
_RETRY_AFTER_S: Final = {409: 1, 503: 5}
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GROUP: Final = TypeAdapter[str](Group)

#: On every response, whatever its status.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: A stored PNG is somebody else's file: as a document of its own it may do nothing at all.
_FILE_POLICY: Final = "default-src 'none'; sandbox"


@dataclass(frozen=True)
class Services:
    """What the views work with; `create_app` puts it together."""

    settings: Settings
    store: ImageStore
    jobs: Queue
    methods: Mapping[str, Method]
    default_method: str
    #: Raises QueueUnavailableError when the worker in this process is stuck; None without one.
    check_worker: Callable[[], None] | None


class _Request(Request):
    """A request whose form must be sound, its file in memory."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        # The file is read whole in any case; the default would put it on the disk first.
        return BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        # Otherwise Werkzeug takes a broken form for an empty one.
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser


def register(app: Flask, services: Services) -> None:
    """Add the routes, the error handlers and the headers to *app*."""
    app.extensions[_EXTENSION] = services
    app.request_class = _Request
    app.register_blueprint(api)
    app.register_error_handler(PipelineError, _problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _bug)
    app.before_request(_name_request)
    app.after_request(_add_headers)


def services() -> Services:
    found: Services = current_app.extensions[_EXTENSION]
    return found


# --- the page and the images -----------------------------------------------------------------


@api.get("/")
def page() -> ResponseReturnValue:
    limits = services().settings.png_limits
    return render_template("index.html", limits=limits, methods=services().methods.values())


@api.post("/upload")
def upload() -> ResponseReturnValue:
    """Take one PNG; the answer is given once the message is accepted."""
    part = _image_part()
    data = part.read()
    if not data:
        raise EmptyImageError("The part `image` holds no byte.")
    info = png.inspect(data, services().settings.png_limits)
    image = _new_image(part, data, info)
    # Store, then send: a crash in between leaves an object without a message, never the reverse.
    image = services().store.put_original(image, data)
    _send_job(image)
    logger.info("image %s queued, %d bytes", image.image_id, len(data))
    return _represent(image, 202, Location=f"/images/{image.image_id}")


@api.get("/images/<uuid:image_id>")
def get_image(image_id: UUID) -> ResponseReturnValue:
    return _represent(services().store.find(image_id), 200)


@api.get("/images/<uuid:image_id>/original")
def get_original(image_id: UUID) -> ResponseReturnValue:
    stored = services().store.open_original(image_id)
    return _png(stored, filename_of(stored) or f"{image_id}.png")


@api.get("/images/<uuid:image_id>/processed")
def get_processed(image_id: UUID) -> ResponseReturnValue:
    stored = services().store.open_processed(image_id)
    stem = PurePath(filename_of(stored) or str(image_id)).stem
    return _png(stored, f"{stem}-bw.png")


@api.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Alive: says nothing of S3, SQS or the worker, so that their outage restarts nobody."""
    return jsonify(status="alive")


@api.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Ready: S3 and SQS answer and the worker of this process, if any, polls."""
    services().store.check()
    services().jobs.check()
    if check_worker := services().check_worker:
        check_worker()
    return jsonify(status="ready")


# --- reading an upload -------------------------------------------------------------------------


def _image_part() -> FileStorage:
    if request.mimetype != "multipart/form-data":
        raise MalformedMultipartError("Send multipart/form-data with the PNG in the part `image`.")
    try:
        parts = request.files.getlist("image")
    except ValueError as exc:  # how werkzeug says that the body is not what its header says
        raise MalformedMultipartError(f"The body is not sound multipart: {exc}.") from None
    if not parts:
        raise MissingImageError("No file is in the part `image`.")
    if len(parts) > 1:
        raise MultipleImagesError(f"{len(parts)} parts are named `image`; send one per request.")
    return parts[0]


def _new_image(part: FileStorage, data: bytes, info: png.PngInfo) -> Image:
    method, parameters = _method()
    image_id = uuid4()
    return Image(
        image_id=image_id,
        status=ImageStatus.QUEUED,
        method=method,
        parameters=parameters,
        group=_group(),
        uploaded_at=now(),
        original=Original(
            href=original_href(image_id),
            filename=shorten_filename(PurePath(part.filename or "").name) or None,
            size_bytes=len(data),
            width=info.width,
            height=info.height,
            dpi=info.dpi,
            sha256=hashlib.sha256(data).hexdigest(),
        ),
    )


def _method() -> tuple[str, Parameters]:
    """The method asked for and its checked parameters; an empty field counts as not sent."""
    fields = {name: value for name, value in request.form.items() if value}
    fields.pop("group", None)
    name = fields.pop("method", services().default_method)
    return name, choose_method(services().methods, name).parse(fields)


def _group() -> str | None:
    group = request.form.get("group")
    try:
        return _GROUP.validate_python(group) if group else None
    except ValidationError:
        raise InvalidParameterError(
            "group is not 1 to 128 printable ASCII characters without a space.",
            parameter="group",
        ) from None


def _send_job(image: Image) -> None:
    services().jobs.send(services().store.job_message(image))


# --- answers -----------------------------------------------------------------------------------


def _represent(image: Image, status: int, **headers: str) -> Response:
    response = Response(image.to_json(), status, headers, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    if image.status is ImageStatus.QUEUED:
        response.headers["Retry-After"] = "1"
    return response


def _png(stored: StoredObject, filename: str) -> Response:
    response = Response(stored.data, mimetype="image/png")
    response.headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(filename, safe='')}"
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    response.headers["Cache-Control"] = "private, max-age=300"
    response.add_etag()
    response.make_conditional(request, accept_ranges=True, complete_length=stored.size_bytes)
    return response


def _problem(error: PipelineError) -> Response:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, TransientError) and error.status in _RETRY_AFTER_S:
        headers["Retry-After"] = str(_RETRY_AFTER_S[error.status])
    if error.status >= 500:
        logger.error("request %s: %s: %s", g.request_id, error.code, error.detail)
    document = error.to_problem() | {"instance": request.path[:200], "request_id": g.request_id}
    response = jsonify(document)
    response.status_code = error.status
    response.mimetype = "application/problem+json"
    response.headers.update(headers)
    return response


def _http_problem(exc: HTTPException) -> Response:
    """Say in our words what Flask and Werkzeug refuse by themselves."""
    response = exc.get_response()
    kept = {k: v for k, v in response.headers.items() if k in ("Allow", "Content-Range")}
    answer = _problem(_translated(exc))
    answer.headers.update(kept)
    return answer


def _translated(exc: HTTPException) -> PipelineError:
    errors: dict[int | None, PipelineError] = {
        404: NotFoundError(f"There is nothing at {request.path[:200]}."),
        405: MethodNotAllowedError(f"{request.path[:200]} does not take {request.method[:20]}."),
        413: _too_large(),
        416: RangeNotSatisfiableError("The range is outside the file."),
    }
    if exc.code is not None and exc.code >= 500:
        return InternalError("The server cannot answer this request.")
    return errors.get(exc.code) or BadRequestError(exc.description or "The request is not valid.")


def _too_large() -> PipelineError:
    """Over the limit for the body, or over Werkzeug's for the fields beside the file."""
    limit = services().settings.max_upload_bytes
    if (request.content_length or limit) < limit:
        return MalformedMultipartError("The form has too many parts, or a text field is too long.")
    return FileTooLargeError(f"The body is over the limit of {limit} bytes.", limit=limit)


def _bug(exc: Exception) -> Response:
    logger.exception("request %s: a fault of ours", g.request_id, exc_info=exc)
    return _problem(InternalError("The server failed; the request id finds the cause in its log."))


def _name_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _add_headers(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-ID"] = g.get("request_id", "")
    return response
