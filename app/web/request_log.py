"""Give each request an id, a trace span and a line in the log."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID, uuid4

from flask import Response, request

from ..observability import logs, tracing
from ..observability.redaction import without_secrets
from .request_context import RequestContext

logger = logs.get_logger(__name__)

#: Endpoints that machines poll: logged at debug level only, and not traced.
_PROBES: Final = frozenset(("api.probe", "api.service"))
_MAX_SHOWN: Final = 200


def begin(*, is_https: bool) -> RequestContext:
    """The context of a new request, with a span; its id is the client's X-Request-ID if safe."""
    given = {tracing.REQUEST_ID: request.headers.get("X-Request-ID", "")}
    context = RequestContext(tracing.request_id(given) or uuid4().hex)
    logs.begin(request_id=context.request_id)
    if request.endpoint not in _PROBES:
        _begin_span(context, "https" if is_https else "http")
    if image_id := (request.view_args or {}).get("image_id"):
        concerns(context, image_id)
    return context


def concerns(context: RequestContext, image_id: UUID) -> None:
    """Add *image_id* to the log lines and the span of the request."""
    logs.bind(image_id=str(image_id))
    if context.span:
        context.span.set_attribute(tracing.IMAGE_ID, str(image_id))


def answered(context: RequestContext, response: Response, *, client: str | None = None) -> None:
    """Log the response and record its status in the span; *client* is an address to log."""
    status, rule = response.status_code, request.url_rule
    route = rule.rule if rule else None
    if context.span:
        tracing.answered(context.span, request.method, route, status)
    say = logger.debug if request.endpoint in _PROBES else logger.info
    say(
        "request answered",
        method=request.method[:20],
        path=_shown_path(),
        route=route,
        status=status,
        duration_ms=round(1000 * (time.monotonic() - context.began_at), 1),
        bytes=_sent_bytes(response),
        **_facts(context, client),
    )


def _begin_span(context: RequestContext, scheme: str) -> None:
    headers = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
    serving = tracing.serving(request.method, _shown_path(), headers, scheme=scheme)
    context.span = context.resources.enter_context(serving)
    context.span.set_attribute("image_pipeline.request_id", context.request_id)


def _shown_path() -> str:
    return without_secrets(request.path)[:_MAX_SHOWN]


def _sent_bytes(response: Response) -> int:
    if request.method == "HEAD" or response.status_code == 304:
        return 0
    return response.content_length or response.calculate_content_length() or 0


def _facts(context: RequestContext, client: str | None) -> dict[str, str | int]:
    facts: dict[str, str | int] = {} if client is None else {"client": client}
    if context.problem_code is not None:
        facts["code"] = context.problem_code
    if context.waited_s is not None:
        facts["waited_ms"] = round(1000 * context.waited_s)
    return facts
