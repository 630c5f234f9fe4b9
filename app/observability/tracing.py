"""Follow an image from its upload over the queue to its announcement, as one trace.

This module says which spans there are, in the words of OpenTelemetry's conventions, through
OpenTelemetry's API. Without an exporter the API's tracer records nothing and the SDK is not loaded;
a trace that a client began still goes along: request -> message -> announcement (docs/logs.md).
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
#: The attributes of a message that say where it comes from. SQS takes ten.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
TRAVELS: Final = ("traceparent", "tracestate", REQUEST_ID)

#: What says where something comes from: the headers of a request, the attributes of a message.
Carrier = Mapping[str, str]
Attributes = Mapping[str, str | int]

_SCOPE: Final = "image-pipeline"
_SOUND_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: https://www.w3.org/TR/trace-context/#tracestate-limits asks for no more.
_MAX_TRACESTATE: Final = 512
#: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"))
_NOTHING: Final = nullcontext(INVALID_SPAN)
_OFF: Final = NoOpTracer()
_tracer: trace.Tracer = _OFF
#: W3C whatever OTEL_PROPAGATORS says: the attributes of messages are a contract with others.
_w3c: Final = TraceContextTextMapPropagator()
#: The other spans that the next call to AWS is made for.
_links: ContextVar[Sequence[SpanContext]] = ContextVar("links", default=())


@contextmanager
def recording(role: str, exporter: str | None) -> Iterator[None]:
    """Record what a block does and send it to *exporter*; None records nothing.

    Raises:
        SettingsError: the SDK refuses one of the OTEL_ variables that it reads by itself.
    """
    if exporter is None:
        yield
        return
    with ExitStack() as block:
        try:
            from .telemetry import make_exporter, provided  # reads some variables when it is loaded

            provider = block.enter_context(provided(f"{_SCOPE}-{role}", make_exporter(exporter)))
        except ValueError as exc:
            raise SettingsError(f"OTEL_: one of OpenTelemetry's variables: {exc}") from exc
        block.enter_context(recorded_by(provider))
        yield


@contextmanager
def recorded_by(provider: trace.TracerProvider) -> Iterator[None]:
    """Record what a block does, in every thread, with a tracer of *provider*."""
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
    """A request, from its head to its answer; `answered` says how that went."""
    name, known = (method, method) if method in _METHODS else ("HTTP", "_OTHER")
    about = {"http.request.method": known, "url.path": path, "url.scheme": scheme}
    return _entering(name, SpanKind.SERVER, about, headers)


def answered(span: Span, method: str, route: str | None, status: int) -> None:
    """Say of a request's *span* which *route*, a template, was asked for, and what was answered."""
    if route is not None:
        span.update_name(f"{method if method in _METHODS else 'HTTP'} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        fail(str(status), span)


def processing(
    queue: str, attributes: Carrier, *, message_id: str, image_id: str, receive_count: int
) -> AbstractContextManager[Span]:
    """The work on a message that came with *attributes*, from taking it up to its end."""
    about = _messaging("process", "process", queue) | {
        "messaging.message.id": message_id,
        IMAGE_ID: image_id,
        "image_pipeline.receive_count": receive_count,
    }
    return _entering(f"process {queue}", SpanKind.CONSUMER, about, attributes)


@contextmanager
def _entering(
    name: str, kind: SpanKind, attributes: Attributes, carrier: Carrier
) -> Iterator[Span]:
    with _span(name, kind, attributes, _read(carrier)) as span, logs.bound(**_ids(span)):
        yield span


def _ids(span: Span) -> dict[str, str]:
    """The fields of the lines of the log."""
    found = span.get_span_context()
    if not found.is_valid:
        return {}
    trace_id, span_id = trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)
    return {"trace_id": trace_id, "span_id": span_id}


# --- what happens within one ---------------------------------------------------------------------


def is_recording() -> bool:
    """Whether this thread is in a span that is recorded."""
    return trace.get_current_span().is_recording()


def step(name: str) -> AbstractContextManager[Span]:
    """A part of the work in hand."""
    return _within(name, SpanKind.INTERNAL, {})


def fail(kind: str, span: Span | None = None) -> None:
    """Say that *span*, or the work in hand, went wrong: no message, no stack, no secret in them."""
    span = span or trace.get_current_span()
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR)


def call(service: str, operation: str, place: Attributes) -> Span:
    """A call to AWS for the work in hand; the caller ends the span.

    Calls for no image and no request, such as polls that bring nothing, are not recorded.
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
    """The sending of one message; yields the attributes that it is to be sent with."""
    with _within(f"send {queue}", SpanKind.PRODUCER, _messaging("send", "send", queue)):
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        if request_id := logs.context().get(REQUEST_ID):
            carrier[REQUEST_ID] = request_id
        yield carrier


def settling(queue: str) -> AbstractContextManager[Span]:
    """The deleting of one message that is dealt with."""
    return _within(f"settle {queue}", SpanKind.CLIENT, _messaging("settle", "delete", queue))


def here() -> SpanContext:
    """The span that this thread is in, for `on_behalf_of`."""
    return trace.get_current_span().get_span_context()


@contextmanager
def on_behalf_of(others: Sequence[SpanContext]) -> Iterator[None]:
    """A block whose calls to AWS are made for *others* too, and are linked to them."""
    own = here()
    token = _links.set([other for other in others if other.is_valid and other != own])
    try:
        yield
    finally:
        _links.reset(token)


def received(queue: str, began_at_ns: int, messages: Sequence[Carrier]) -> None:
    """Record a receive that brought *messages*: a trace of its own, linked to theirs.

    It ends now and began at *began_at_ns* since 1970.
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


def _within(name: str, kind: SpanKind, attributes: Attributes) -> AbstractContextManager[Span]:
    """A span below the one that this thread is in; none where that is not recorded."""
    return _span(name, kind, attributes) if is_recording() else _NOTHING


@contextmanager
def _span(
    name: str, kind: SpanKind, attributes: Attributes, around: Context | None = None
) -> Iterator[Span]:
    span = _tracer.start_span(name, around, kind, dict(attributes))
    # Not the API's own record of an exception: it has the message and the stack.
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


# --- what travels --------------------------------------------------------------------------------


def request_id(carrier: Carrier) -> str | None:
    """The id of the request that *carrier* comes from, if it has one and it is harmless."""
    found = carrier.get(REQUEST_ID, "")
    return found if _SOUND_ID.fullmatch(found) else None


def sound(carrier: Carrier) -> dict[str, str]:
    """What of *carrier* is what it should be; the rest is somebody else's."""
    found: dict[str, str] = {}
    _w3c.inject(found, _read(carrier))
    asked = request_id(carrier)
    return found | ({REQUEST_ID: asked} if asked else {})


def _read(carrier: Carrier) -> Context:
    """The context that came in *carrier*, empty where there is none or it is unsound."""
    fits = len(carrier.get("tracestate", "")) <= _MAX_TRACESTATE
    names = ("traceparent", "tracestate") if fits else ("traceparent",)
    return _w3c.extract({name: carrier[name] for name in names if name in carrier}, Context())
