"""The routes of the HTTP API: one short view for each path and method."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import UUID

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    jsonify,
    redirect,
    request,
    send_from_directory,
)
from flask.typing import ResponseReturnValue

from .domain.filenames import original_filename, result_filename
from .domain.ports import Admit, StoredObject
from .errors import ImageDeletedError, PipelineError
from .health import health
from .images.metadata import filename_of
from .images.ownership import owner_of
from .observability import logs
from .pages import api_page, pages
from .server.gate import RESERVE_KEY
from .web import own_images, request_context, request_hooks, request_log, responses
from .web.accept_upload import accept
from .web.own_images import Waited
from .web.services import Services, give, services

logger = logs.get_logger(__name__)
api = Blueprint("api", __name__)


def register(app: Flask, given: Services) -> None:
    """Add the routes and the request hooks to *app*."""
    give(app, given)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.json.sort_keys = False  # type: ignore[attr-defined]  # people read them
    app.url_map.merge_slashes = False  # otherwise Werkzeug redirects, with an HTML body
    app.register_blueprint(api)
    request_hooks.install(app, given.settings.allowed_origins)


# --- images --------------------------------------------------------------------------------------


@api.post("/upload")
def upload() -> ResponseReturnValue:
    """Accept one PNG; the response is sent once SQS has accepted its message."""
    context = request_context.current()
    sent = services().reader.read(request, context.owner)
    request_log.concerns(context, sent.image.image_id)
    image, is_replay = accept(sent)
    location = f"/images/{image.image_id}"
    if responses.wants_page():
        return redirect(location, 303)
    waited = Waited(image)
    with suppress(PipelineError):  # a failed wait must not turn an accepted image into an error
        waited = own_images.wait_for(image)
    headers = {"Location": location} | waited.headers
    if is_replay and sent.has_key:
        headers["Idempotency-Replayed"] = "true"
    is_answer_final = waited.was_granted and waited.is_finished
    return responses.represent(waited.image, 201 if is_answer_final else 202, headers)


@api.get("/images/<uuid:image_id>")
def get_image(image_id: UUID) -> ResponseReturnValue:
    image = own_images.find(image_id)
    if responses.wants_page():
        return responses.show(image)
    waited = own_images.wait_for(image)
    return responses.represent(waited.image, 200, waited.headers)


@api.delete("/images/<uuid:image_id>")
def delete_image(image_id: UUID) -> ResponseReturnValue:
    """Delete the image; afterwards it looks like an image that never existed."""
    try:
        own_images.find(image_id)
    except ImageDeletedError as exc:
        if own_images.is_mine(exc.owner):
            services().store.delete(image_id)  # an earlier deletion may have been interrupted
        raise
    services().store.delete(image_id)
    logger.info("image deleted")
    return "", 204


@api.post("/images/<uuid:image_id>/delete")
def delete_by_form(image_id: UUID) -> ResponseReturnValue:
    """`delete_image` for HTML forms, which support only GET and POST."""
    pages.check_own_form()
    delete_image(image_id)
    return redirect("/?deleted=1", 303)


@api.get("/images/<uuid:image_id>/original")
def get_original(image_id: UUID) -> ResponseReturnValue:
    def open_stored(head: bool) -> StoredObject:
        own_images.find_if_owned(image_id)
        stored = services().store.open_original(image_id, head=head, admit=_reserve())
        # An original that another producer stored names no owner, though its image can have one.
        if owner := owner_of(stored):
            own_images.check_owner(owner, image_id)
        return stored

    def name(stored: StoredObject) -> str:
        return original_filename(filename_of(stored) or str(image_id))

    return responses.send_png(open_stored, name)


@api.get("/images/<uuid:image_id>/processed")
def get_processed(image_id: UUID) -> ResponseReturnValue:
    def open_stored(head: bool) -> StoredObject:
        own_images.find_if_owned(image_id)
        stored = services().store.open_processed(image_id, head=head, admit=_reserve())
        own_images.check_owner(owner_of(stored), image_id)
        return stored

    def name(stored: StoredObject) -> str:
        return result_filename(filename_of(stored) or str(image_id))

    return responses.send_png(open_stored, name)


# --- the page, the contract, the probes ----------------------------------------------------------


@api.get("/")
def page() -> ResponseReturnValue:
    """The upload page, which also shows the state of the sent images."""
    found = services()
    return pages.show_upload(
        found.methods, found.settings.png_limits, needs_token=found.gate.tokens.are_required
    )


@api.get("/status")
def status() -> ResponseReturnValue:
    """The page with the state of the service."""
    return pages.show_status()


@api.get("/openapi.json")
def contract() -> ResponseReturnValue:
    return jsonify(services().contract)


@api.get("/docs")
def docs() -> ResponseReturnValue:
    """The OpenAPI document as a page, where requests can be tried."""
    return pages.show("docs.html", **api_page.describe(services().contract))


@api.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    folder = Path(current_app.static_folder or "") / "icons"
    return send_from_directory(folder, "icon.svg", mimetype="image/svg+xml")


@api.get("/sw.js")
def service_worker() -> ResponseReturnValue:
    """The service worker for offline use; served from / because its path limits its scope."""
    return send_from_directory(Path(current_app.static_folder or ""), "sw.js")


@api.get(health.ALIVE)
@api.get(health.READY)
@api.get(health.METRICS)
def probe() -> ResponseReturnValue:
    """Liveness, readiness and metrics, if they are served on PORT."""
    answer = services().health.answer_on_api(request.path)
    return Response(answer.body, content_type=answer.mime, headers={"Cache-Control": "no-store"})


@api.get("/service")
def service() -> ResponseReturnValue:
    """The state of the service from the monitor's last result, at no call to AWS."""
    response = Response(services().monitor.service(), mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _reserve() -> Admit | None:
    """The function that reserves bytes for a response; None under another WSGI server."""
    reserve: Admit | None = request.environ.get(RESERVE_KEY)
    return reserve
