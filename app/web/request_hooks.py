"""The hooks around every request: context, gate, problem documents, headers, metrics and log."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.exceptions import HTTPException

from ..errors import InternalError, PipelineError
from ..observability import logs
from ..server.gate import ENVIRON_KEY, Head, Pass, client_address
from . import request_context, request_log, responses
from .services import services

logger = logs.get_logger(__name__)

_UPLOAD: Final = "api.upload"
#: Response headers that a page of another origin may read (CORS).
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


def install(app: Flask, allowed_origins: list[str]) -> None:
    """Install the hooks in *app*; pages of *allowed_origins* may send requests."""
    app.register_error_handler(PipelineError, _problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _internal_error)
    app.before_request(_begin)
    app.before_request(_pass_gate)
    app.after_request(_finish)
    app.teardown_request(_end)
    if allowed_origins:
        CORS(app, origins=allowed_origins, expose_headers=_EXPOSED_HEADERS, max_age=600)


# --- before --------------------------------------------------------------------------------------


def _begin() -> None:
    request_context.begin(request_log.begin(is_https=_is_https()))


def _pass_gate() -> None:
    granted: Pass | None = request.environ.get(ENVIRON_KEY)
    # Ask the gate here under another WSGI server, or if HttpServer and Flask read different paths.
    if granted is None or (granted.refusal is None and granted.path != request.path):
        granted = services().gate.admit(_head())
    request_context.current().granted = granted
    if request.endpoint == _UPLOAD:
        services().monitor.keep_counting()
    if granted.refusal:
        raise granted.refusal
    if request.endpoint == _UPLOAD:
        services().monitor.check_queue_depth()


def _head() -> Head:
    headers = {name.removeprefix("HTTP_"): str(value) for name, value in request.environ.items()}
    return Head(request.method, request.path, headers, request.remote_addr or "")


# --- errors --------------------------------------------------------------------------------------


def _problem(error: PipelineError) -> Response:
    context = request_context.current()
    error = responses.as_shown(error)
    context.problem_code = error.code
    return responses.problem(error, context.request_id)


def _http_problem(exc: HTTPException) -> Response:
    """The problem document for a request that Flask or Werkzeug refuses by itself."""
    gate = services().gate
    is_too_large = exc.code == 413 and (request.content_length or 0) > gate.max_body_bytes
    answer = _problem(gate.too_large() if is_too_large else responses.translate(exc))
    if allow := exc.get_response().headers.get("Allow"):
        answer.headers["Allow"] = allow
    return answer


def _internal_error(exc: Exception) -> Response:
    logger.exception("internal error", exc_info=exc)
    return _problem(
        InternalError("The server failed; its log has the cause under this request id.")
    )


# --- after ---------------------------------------------------------------------------------------


def _finish(response: Response) -> Response:
    context = request_context.current()
    if services().settings.allowed_origins:
        response.vary.add("Origin")
    responses.add_headers(response, request_id=context.request_id, is_https=_is_https())
    if context.granted and context.granted.quota:
        responses.add_quota(response, context.granted.quota)
    _count(context, response.status_code)
    # Log the address only of clients that try tokens or exceed a limit; keep no other addresses.
    is_suspect = response.status_code in (401, 429)
    request_log.answered(context, response, client=_client() if is_suspect else None)
    return response


def _count(context: request_context.RequestContext, status: int) -> None:
    counted = services().counted
    rule = request.url_rule.rule if request.url_rule else None
    # Exclude the wait that the client asked for: it says nothing about the server's speed.
    counted.answered(request.method, rule, status, context.working_s)
    if request.endpoint == _UPLOAD and context.problem_code is not None:
        counted.refused(context.problem_code)


def _end(_: BaseException | None) -> None:
    # Flask calls this even when the request failed.
    request_context.end()


def _client() -> str:
    hops = services().settings.trusted_proxy_hops
    forwarded = request.headers.get("X-Forwarded-For", "")
    return client_address(request.remote_addr or "", forwarded, hops)


def _is_https() -> bool:
    is_proxied = services().settings.trusted_proxy_hops > 0
    return is_proxied and request.headers.get("X-Forwarded-Proto", "").endswith("https")
