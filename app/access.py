"""Know each request: its id, its trace, and its line in the log."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Final
from uuid import UUID, uuid4

from flask import Response, g, request

from . import logs, tracing
from .redaction import without_secrets

logger = logs.get_logger(__name__)

#: Asked again and again by machines: neither lines of the log nor traces.
_PROBES: Final = frozenset(("api.probe", "api.service"))
_MAX_SHOWN: Final = 200


def begin(*, is_https: bool) -> None:
    """Name the request, after what its client calls it where that is safe, and begin its span."""
    given = {tracing.REQUEST_ID: request.headers.get("X-Request-ID", "")}
    g.request_id = tracing.request_id(given) or uuid4().hex
    g.began_at = time.monotonic()
    logs.begin(request_id=g.request_id)
    if request.endpoint not in _PROBES:
        _begin_span("https" if is_https else "http")
    if image_id := (request.view_args or {}).get("image_id"):
        concerns(image_id)


def concerns(image_id: UUID) -> None:
    """Have the log and the trace say which image the request is about."""
    logs.bind(image_id=str(image_id))
    if "span" in g:
        g.span.set_attribute(tracing.IMAGE_ID, str(image_id))


def answered(response: Response, *, client: str | None = None) -> None:
    """Write the request's line, and say to its span how it went; *client* is whose it was."""
    status, rule = response.status_code, request.url_rule
    route = rule.rule if rule else None
    if "span" in g:
        tracing.answered(g.span, request.method, route, status)
    say = logger.debug if request.endpoint in _PROBES else logger.info
    say(
        "request answered",
        method=request.method[:20],
        path=_shown_path(),
        route=route,
        status=status,
        duration_ms=round(1000 * (time.monotonic() - g.began_at), 1),
        bytes=_sent_bytes(response),
        **_facts(client),
    )


def end(_: BaseException | None) -> None:
    """End the span; what comes is called whatever became of the request."""
    if room := g.pop("room", None):
        room.close()


def _begin_span(scheme: str) -> None:
    headers = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
    serving = tracing.serving(request.method, _shown_path(), headers, scheme=scheme)
    g.room = ExitStack()
    g.span = g.room.enter_context(serving)
    g.span.set_attribute("image_pipeline.request_id", g.request_id)


def _shown_path() -> str:
    return without_secrets(request.path)[:_MAX_SHOWN]


def _sent_bytes(response: Response) -> int:
    if request.method == "HEAD" or response.status_code == 304:
        return 0
    return response.content_length or response.calculate_content_length() or 0


def _facts(client: str | None) -> dict[str, str | int]:
    facts: dict[str, str | int] = {} if client is None else {"client": client}
    if "problem_code" in g:
        facts["code"] = g.problem_code
    if "waited_s" in g:
        facts["waited_ms"] = round(1000 * g.waited_s)
    return facts
