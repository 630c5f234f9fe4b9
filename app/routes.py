"""Translate HTTP to store and queue: one short view for each row of the API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    jsonify,
    redirect,
    request,
    send_from_directory,
)
from flask.typing import ResponseReturnValue
from flask_cors import CORS
from werkzeug.exceptions import HTTPException

from . import access, answers, api_page, health, logs, pages, tracing, uploads
from .errors import (
    IdempotencyKeyReusedError,
    ImageDeletedError,
    InternalError,
    PipelineError,
    unknown_image,
)
from .filenames import original_filename, result_filename
from .gate import ENVIRON_KEY, ROOM_KEY, Gate, Head, Pass, client_address
from .health import Health
from .image_store import ImageStore
from .lookout import Lookout
from .method_catalogue import Method
from .metrics import HttpMetrics
from .object_metadata import filename_of
from .ownership import owner_of
from .ports import Admit, Message, Queue, StoredObject
from .representation import Image, ImageStatus
from .settings import Settings
from .uploads import Reader, Upload
from .waits import Waits

logger = logs.get_logger(__name__)
api = Blueprint("api", __name__)

_EXTENSION: Final = "image_pipeline"
#: What a page of another origin may read, beside the body.
_EXPOSED_HEADERS: Final = (
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
)


@dataclass(frozen=True)
class Services:
    """What the views work with; `create_app` puts it together."""

    settings: Settings
    store: ImageStore
    jobs: Queue
    gate: Gate
    waits: Waits
    reader: Reader
    methods: Mapping[str, Method]
    #: The OpenAPI document.
    contract: Mapping[str, Any]
    lookout: Lookout
    health: Health
    counted: HttpMetrics


def register(app: Flask, services: Services) -> None:
    """Add the routes, the error handlers and the headers to *app*."""
    app.extensions[_EXTENSION] = services
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.json.sort_keys = False  # type: ignore[attr-defined]  # people read them
    app.url_map.merge_slashes = False  # a redirect of Werkzeug's own otherwise, in HTML
    app.register_blueprint(api)
    app.register_error_handler(PipelineError, answers.problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _bug)
    app.before_request(_begin)
    app.before_request(_pass_gate)
    app.after_request(_finish)
    app.teardown_request(access.end)
    if origins := services.settings.allowed_origins:
        CORS(app, origins=origins, expose_headers=_EXPOSED_HEADERS, max_age=600)


def services() -> Services:
    found: Services = current_app.extensions[_EXTENSION]
    return found


# --- images --------------------------------------------------------------------------------------


@api.post("/upload")
def upload() -> ResponseReturnValue:
    """Take one PNG; the answer is given once the message is accepted."""
    sent = services().reader.read(request, _granted().owner)
    access.concerns(sent.image.image_id)
    image, is_replay = _accept(sent)
    services().counted.uploaded(len(sent.data), is_replay=is_replay)
    headers = {"Location": f"/images/{image.image_id}"}
    if answers.wants_page():
        return redirect(headers["Location"], 303)
    if is_replay and sent.has_key:
        headers["Idempotency-Replayed"] = "true"
    with suppress(PipelineError):  # whatever becomes of the wait, the image is accepted
        image = _wait_for(image, headers)
    is_finished = image.status is not ImageStatus.QUEUED
    return answers.represent(image, 201 if is_finished and _prefers(headers) else 202, headers)


@api.get("/images/<uuid:image_id>")
def get_image(image_id: UUID) -> ResponseReturnValue:
    image = _find(image_id)
    if answers.wants_page():
        return answers.show(image)
    headers: dict[str, str] = {}
    image = _wait_for(image, headers)
    return answers.represent(image, 200, headers)


@api.delete("/images/<uuid:image_id>")
def delete_image(image_id: UUID) -> ResponseReturnValue:
    """Erase the image; from then on nobody can tell that it was ever there."""
    try:
        _find(image_id)
    except ImageDeletedError as exc:
        if _is_mine(exc.owner):
            services().store.delete(image_id)  # an earlier call may have been cut half way
        raise
    services().store.delete(image_id)
    logger.info("image deleted")
    return "", 204


@api.post("/images/<uuid:image_id>/delete")
def delete_by_form(image_id: UUID) -> ResponseReturnValue:
    """`delete_image` for forms without script, which know GET and POST only."""
    pages.check_own_form()
    delete_image(image_id)
    return redirect("/?deleted=1", 303)


@api.get("/images/<uuid:image_id>/original")
def get_original(image_id: UUID) -> ResponseReturnValue:
    def open_stored(head: bool) -> StoredObject:
        _find_if_owned(image_id)
        stored = services().store.open_original(image_id, head=head, admit=_room())
        # What other producers store has no owner, though the image can have one.
        if owner := owner_of(stored):
            _check_owner(owner, image_id)
        return stored

    def name(stored: StoredObject) -> str:
        return original_filename(filename_of(stored) or str(image_id))

    return answers.send_png(open_stored, name)


@api.get("/images/<uuid:image_id>/processed")
def get_processed(image_id: UUID) -> ResponseReturnValue:
    def open_stored(head: bool) -> StoredObject:
        _find_if_owned(image_id)
        stored = services().store.open_processed(image_id, head=head, admit=_room())
        _check_owner(owner_of(stored), image_id)
        return stored

    def name(stored: StoredObject) -> str:
        return result_filename(filename_of(stored) or str(image_id))

    return answers.send_png(open_stored, name)


# --- the page, the contract, the probes ----------------------------------------------------------


@api.get("/")
def page() -> ResponseReturnValue:
    """Where people send images and see what becomes of them."""
    found = services()
    return pages.show_upload(
        found.methods, found.settings.png_limits, needs_token=found.gate.tokens.are_required
    )


@api.get("/status")
def status() -> ResponseReturnValue:
    """How the service is doing, drawn."""
    return pages.show_status()


@api.get("/openapi.json")
def contract() -> ResponseReturnValue:
    return jsonify(services().contract)


@api.get("/docs")
def docs() -> ResponseReturnValue:
    """The contract as a page to read and to try."""
    return pages.show("docs.html", **api_page.describe(services().contract))


@api.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    folder = Path(current_app.static_folder or "")
    return send_from_directory(folder, "icon.svg", mimetype="image/svg+xml")


@api.get("/sw.js")
def service_worker() -> ResponseReturnValue:
    """The script that lets the page open offline; it rules the paths below its own."""
    return send_from_directory(Path(current_app.static_folder or ""), "sw.js")


@api.get(health.ALIVE)
@api.get(health.READY)
@api.get(health.METRICS)
def probe() -> ResponseReturnValue:
    """What orchestrators and Prometheus ask, where PORT tells it."""
    answer = services().health.answer_on_api(request.path)
    return Response(answer.body, content_type=answer.mime, headers={"Cache-Control": "no-store"})


@api.get("/service")
def service() -> ResponseReturnValue:
    """How the service is, for the page's status; costs no call to AWS."""
    response = Response(services().lookout.service(), mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    return response


# --- taking an upload ----------------------------------------------------------------------------


def _accept(sent: Upload) -> tuple[Image, bool]:
    """Store, then send: a crash in between leaves an object without a message, never the reverse.

    Returns the image, and whether it was there before.
    """
    image = services().store.put_original(sent.image, sent.data)
    is_replay = image is None
    if image is None:
        image = _known(sent.image)
    if image.status is ImageStatus.QUEUED:
        # Again for a replay too: the first request may have died before it came to this.
        _send(services().store.job_message(image))
    event = "image replayed" if is_replay else "image queued"
    logger.info(event, bytes=len(sent.data), image_method=image.method)
    return image, is_replay


def _send(message: Message) -> None:
    jobs = services().jobs
    with tracing.sending(jobs.name) as attributes:
        jobs.send(replace(message, attributes=attributes))


def _known(image: Image) -> Image:
    """The image that *image* repeats, in its present state."""
    try:
        known = services().store.find_upload(image.image_id)
        if uploads.is_same_request(image, known):
            return services().store.find(image.image_id)
    except ImageDeletedError:
        raise IdempotencyKeyReusedError(
            "The image that was sent under this Idempotency-Key was deleted; use another key."
        ) from None
    raise IdempotencyKeyReusedError(
        "Another file, or the same one with another method or group, was sent under this "
        "Idempotency-Key; use another key."
    )


# --- finding an image ----------------------------------------------------------------------------


def _find(image_id: UUID) -> Image:
    store = services().store
    try:
        image = store.find(image_id)
    except ImageDeletedError:
        if services().gate.tokens.are_required:
            store.find_in_vain(image_id, None)
        raise
    if not _is_mine(image.owner):
        store.find_in_vain(image_id, image.status)
        raise unknown_image(image_id)
    return image


def _room() -> Admit | None:
    """Makes room among all that waits for clients, where our own server asks for it."""
    room: Admit | None = request.environ.get(ROOM_KEY)
    return room


def _find_if_owned(image_id: UUID) -> None:
    """Where images have owners, not even the state of another's may show."""
    if services().gate.tokens.are_required:
        _find(image_id)


def _check_owner(owner: str | None, image_id: UUID) -> None:
    if not _is_mine(owner):
        raise unknown_image(image_id)


def _is_mine(owner: str | None) -> bool:
    return not services().gate.tokens.are_required or owner == _granted().owner


def _wait_for(image: Image, headers: dict[str, str]) -> Image:
    """*image*, later if the client prefers to wait; says so in *headers*."""
    wait_s = uploads.wait_asked_s(request)
    if wait_s is None:
        return image
    began_at = time.monotonic()
    waited = services().waits.wait(
        lambda: services().store.find(image.image_id),
        lambda found: found.status is not ImageStatus.QUEUED,
        wait_s,
    )
    g.waited_s = time.monotonic() - began_at
    if waited is None:
        return image
    headers["Preference-Applied"] = f"wait={wait_s}"
    return waited


def _prefers(headers: Mapping[str, str]) -> bool:
    return "Preference-Applied" in headers


# --- around every request ------------------------------------------------------------------------


def _begin() -> None:
    access.begin(is_https=_is_https())


def _pass_gate() -> None:
    gate = services().gate
    granted: Pass | None = request.environ.get(ENVIRON_KEY)
    # Without our server, or where it and Flask do not read the same path, the gate is asked here.
    if granted is None or (granted.refusal is None and granted.path != request.path):
        granted = gate.admit(_head())
    g.granted = granted
    if request.endpoint == "api.upload":
        services().lookout.keep_counting()
    if granted.refusal:
        raise granted.refusal
    if request.endpoint == "api.upload":
        services().lookout.check_room()


def _head() -> Head:
    headers = {name.removeprefix("HTTP_"): str(value) for name, value in request.environ.items()}
    return Head(request.method, request.path, headers, request.remote_addr or "")


def _granted() -> Pass:
    granted: Pass = g.granted
    return granted


def _http_problem(exc: HTTPException) -> Response:
    """Say in our words what Flask and Werkzeug refuse by themselves."""
    gate = services().gate
    is_too_large = exc.code == 413 and (request.content_length or 0) > gate.max_body_bytes
    error = gate.too_large() if is_too_large else answers.translate(exc)
    answer = answers.problem(error)
    if allow := exc.get_response().headers.get("Allow"):
        answer.headers["Allow"] = allow
    return answer


def _bug(exc: Exception) -> Response:
    logger.exception("a fault of ours", exc_info=exc)
    return answers.problem(
        InternalError("The server failed; the request id finds the cause in its log.")
    )


def _finish(response: Response) -> Response:
    if services().settings.allowed_origins:
        response.vary.add("Origin")
    answers.add_headers(response, is_https=_is_https())
    if (granted := g.get("granted")) and granted.quota:
        answers.add_quota(response, granted.quota)
    _count(response.status_code)
    # Who tries tokens, or sends too much; of nobody else the address is kept.
    is_suspect = response.status_code in (401, 429)
    access.answered(response, client=_client() if is_suspect else None)
    return response


def _client() -> str:
    hops = services().settings.trusted_proxy_hops
    forwarded = request.headers.get("X-Forwarded-For", "")
    return client_address(request.remote_addr or "", forwarded, hops)


def _is_https() -> bool:
    is_proxied = services().settings.trusted_proxy_hops > 0
    return is_proxied and request.headers.get("X-Forwarded-Proto", "").endswith("https")


def _count(status: int) -> None:
    counted = services().counted
    rule = request.url_rule.rule if request.url_rule else None
    # How long a client prefers to wait says nothing of how fast we are.
    seconds = time.monotonic() - g.began_at - g.get("waited_s", 0.0)
    counted.answered(request.method, rule, status, seconds)
    if request.endpoint == "api.upload" and "problem_code" in g:
        counted.refused(g.problem_code)
