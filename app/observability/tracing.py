"""Trace each image from its upload through the queue to its announcement.

This module defines all spans, with the names of OpenTelemetry's semantic conventions, through
OpenTelemetry's API. Without an exporter nothing is recorded and the SDK is not loaded; the trace
context of a client is still passed on: request -> message -> announcement (docs/logs.md).
https://opentelemetry.io/docs/specs/semconv/messaging/sqs/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, NoOpTracer, SpanKind
from opentelemetry.trace import Span as Span  # for callers, as is the next
from opentelemetry.trace import SpanContext as SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..errors import SettingsError
from . import logs
from .version import VERSION

REQUEST_ID: Final = "request_id"
IMAGE_ID: Final = "image_pipeline.image_id"
#: The attributes that propagate trace and request id in a message. SQS allows ten attributes.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
TRAVELS: Final = ("traceparent", "tracestate", REQUEST_ID)

#: A carrier of trace context: the headers of a request or the attributes of a message.
Carrier = Mapping[str, str]
Attributes = Mapping[str, str | int]

_SCOPE: Final = "image-pipeline"
_SOUND_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: The least that https://www.w3.org/TR/trace-context/#tracestate-limits asks to propagate.
_MAX_TRACESTATE: Final = 512
#: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"))
_NOTHING: Final = nullcontext(INVALID_SPAN)
_OFF: Final = NoOpTracer()
_tracer: trace.Tracer = _OFF
#: Always W3C, regardless of OTEL_PROPAGATORS: message attributes are a contract with producers.
_w3c: Final = TraceContextTextMapPropagator()
#: The spans of other threads that share the next call to AWS.
_links: ContextVar[Sequence[SpanContext]] = ContextVar("links", default=())


@contextmanager
def recording(role: str, exporter: str | None) -> Iterator[None]:
    """A block whose spans go to *exporter*; None records nothing.

    Raises:
        SettingsError: the SDK rejects one of the OTEL_ variables that it reads itself.
    """
    if exporter is None:
        yield
        return
    with ExitStack() as block:
        try:
            from .telemetry import make_exporter, provided  # the import reads OTEL_ variables

            provider = block.enter_context(provided(f"{_SCOPE}-{role}", make_exporter(exporter)))
        except ValueError as exc:
            raise SettingsError(f"OTEL_: one of OpenTelemetry's variables: {exc}") from exc
        block.enter_context(recorded_by(provider))
        yield


@contextmanager
def recorded_by(provider: trace.TracerProvider) -> Iterator[None]:
    """A block whose spans, in every thread, go to a tracer of *provider*."""
    # OpenTelemetry's global provider can be set only once in a process; tests need several.
    global _tracer
    _tracer = provider.get_tracer(_SCOPE, VERSION)
    try:
        yield
    finally:
        _tracer = _OFF


# --- where a trace enters this process -----------------------------------------------------------


def serving(
    method: str, path: str, headers: Carrier, *, scheme: str = "http"
) -> AbstractContextManager[Span]:
    """A block with the span of one request; `answered` records the response."""
    name, known = (method, method) if method in _METHODS else ("HTTP", "_OTHER")
    about = {"http.request.method": known, "url.path": path, "url.scheme": scheme}
    return _entry_span(name, SpanKind.SERVER, about, headers)


def answered(span: Span, method: str, route: str | None, status: int) -> None:
    """Record *route*, the template of the path, and the *status* in the *span* of a request."""
    if route is not None:
        span.update_name(f"{method if method in _METHODS else 'HTTP'} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        fail(str(status), span)


def processing(
    queue: str, attributes: Carrier, *, message_id: str, image_id: str, receive_count: int
) -> AbstractContextManager[Span]:
    """A block with the span of one message, a child of the trace in its *attributes*."""
    about = _messaging("process", "process", queue) | {
        "messaging.message.id": message_id,
        IMAGE_ID: image_id,
        "image_pipeline.receive_count": receive_count,
    }
    return _entry_span(f"process {queue}", SpanKind.CONSUMER, about, attributes)


@contextmanager
def _entry_span(
    name: str, kind: SpanKind, attributes: Attributes, carrier: Carrier
) -> Iterator[Span]:
    with _span(name, kind, attributes, _read(carrier)) as span, logs.bound(**_ids(span)):
        yield span


def _ids(span: Span) -> dict[str, str]:
    """The ids of *span* as fields of log lines."""
    found = span.get_span_context()
    if not found.is_valid:
        return {}
    trace_id, span_id = trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)
    return {"trace_id": trace_id, "span_id": span_id}


# --- spans within a request or message -----------------------------------------------------------


def is_recording() -> bool:
    """Whether the current span of this thread is recorded."""
    return trace.get_current_span().is_recording()


def step(name: str) -> AbstractContextManager[Span]:
    """A block with the span of one step of the current work."""
    return _child_span(name, SpanKind.INTERNAL, {})


def fail(kind: str, span: Span | None = None) -> None:
    """Mark *span*, or the current span, as failed, without message or stack: they hold secrets."""
    span = span or trace.get_current_span()
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR)


def call(service: str, operation: str, place: Attributes) -> Span:
    """The span of a call to AWS; the caller ends it.

    A call outside of any request or message, such as an empty poll, is not recorded.
    """
    if not is_recording():
        return INVALID_SPAN
    return _tracer.start_span(
        f"{service.upper()}.{operation}",
        kind=SpanKind.CLIENT,
        attributes={**_aws_call(service, operation), **place},
        links=[Link(other) for other in _links.get()],
    )


@contextmanager
def sending(queue: str) -> Iterator[Carrier]:
    """A block with the span of sending a message; yields the attributes for the message."""
    with _child_span(f"send {queue}", SpanKind.PRODUCER, _messaging("send", "send", queue)):
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        if request_id := logs.context().get(REQUEST_ID):
            carrier[REQUEST_ID] = request_id
        yield carrier


def settling(queue: str) -> AbstractContextManager[Span]:
    """A block with the span of deleting a handled message."""
    return _child_span(f"settle {queue}", SpanKind.CLIENT, _messaging("settle", "delete", queue))


def here() -> SpanContext:
    """The context of the current span of this thread, for `on_behalf_of`."""
    return trace.get_current_span().get_span_context()


@contextmanager
def on_behalf_of(others: Sequence[SpanContext]) -> Iterator[None]:
    """A block whose calls to AWS are linked to the spans *others*, which share them."""
    own = here()
    token = _links.set([other for other in others if other.is_valid and other != own])
    try:
        yield
    finally:
        _links.reset(token)


def received(queue: str, began_at_ns: int, messages: Sequence[Carrier]) -> None:
    """Record a receive that returned *messages* as a trace of its own, linked to their traces.

    Its span ends now; *began_at_ns* is its start in nanoseconds since 1970.
    """
    if _tracer is _OFF or not messages:
        return
    about = _messaging("receive", "receive", queue) | {
        "messaging.batch.message_count": len(messages),
        **_aws_call("sqs", "ReceiveMessage"),
    }
    origins = [trace.get_current_span(_read(each)).get_span_context() for each in messages]
    links = [Link(origin) for origin in origins if origin.is_valid]
    _tracer.start_span(
        f"receive {queue}", Context(), SpanKind.CLIENT, about, links, began_at_ns
    ).end()


def _child_span(name: str, kind: SpanKind, attributes: Attributes) -> AbstractContextManager[Span]:
    """A block with a child of the current span; without a span if that is not recorded."""
    return _span(name, kind, attributes) if is_recording() else _NOTHING


@contextmanager
def _span(
    name: str, kind: SpanKind, attributes: Attributes, around: Context | None = None
) -> Iterator[Span]:
    span = _tracer.start_span(name, around, kind, dict(attributes))
    # Do not record exceptions: the event would contain the message and the stack.
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield span
        except BaseException as exc:
            fail(str(getattr(exc, "code", None) or type(exc).__name__), span)
            raise


def _aws_call(service: str, operation: str) -> dict[str, str]:
    return {"rpc.system.name": "aws-api", "rpc.method": f"{service.upper()}/{operation}"}


def _messaging(kind: str, name: str, queue: str) -> dict[str, str | int]:
    return {
        "messaging.system": "aws_sqs",
        "messaging.destination.name": queue,
        "messaging.operation.type": kind,
        "messaging.operation.name": name,
    }


# --- propagation ---------------------------------------------------------------------------------


def request_id(carrier: Carrier) -> str | None:
    """The request id in *carrier*; None if it is missing or has unsafe characters."""
    found = carrier.get(REQUEST_ID, "")
    return found if _SOUND_ID.fullmatch(found) else None


def sound(carrier: Carrier) -> dict[str, str]:
    """The valid trace context and request id of *carrier*, without anything else."""
    found: dict[str, str] = {}
    _w3c.inject(found, _read(carrier))
    asked = request_id(carrier)
    return found | ({REQUEST_ID: asked} if asked else {})


def _read(carrier: Carrier) -> Context:
    """The trace context in *carrier*; empty if it is missing or invalid."""
    fits = len(carrier.get("tracestate", "")) <= _MAX_TRACESTATE
    names = ("traceparent", "tracestate") if fits else ("traceparent",)
    return _w3c.extract({name: carrier[name] for name in names if name in carrier}, Context())
