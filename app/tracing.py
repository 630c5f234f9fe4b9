"""Follow an image from its upload over the queue to its announcement, as one trace.

What is recorded is said here, in the words of OpenTelemetry's conventions; `telemetry` records it.
Unless an exporter is configured that room is not even loaded, and a trace that somebody else has
begun is passed on as it came: HTTP -> message -> announcement (docs/logs.md).
https://www.w3.org/TR/trace-context/
https://opentelemetry.io/docs/specs/semconv/messaging/sqs/
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

from . import logs
from .errors import SettingsError

if TYPE_CHECKING:
    from .telemetry import Attributes, Telemetry

_TRACEPARENT: Final = "traceparent"
_TRACESTATE: Final = "tracestate"
REQUEST_ID: Final = "request_id"
#: The attributes of a message that say where it comes from. SQS takes ten.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
TRAVELS: Final = (_TRACEPARENT, _TRACESTATE, REQUEST_ID)
#: https://www.w3.org/TR/trace-context/#traceparent-header-field-values
_SOUND: Final = {
    _TRACEPARENT: re.compile(
        r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    ),
    _TRACESTATE: re.compile(r"[!-~][ -~]{0,511}"),
    REQUEST_ID: re.compile(r"[A-Za-z0-9._-]{1,64}"),
}
_SYSTEM: Final = {"messaging.system": "aws_sqs"}
#: On the way out, for spans; the images in hand have the grace period before it.
_FLUSH_S: Final = 2.0
#: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"))
IMAGE_ID: Final = "image_pipeline.image_id"

#: What says where something comes from: the headers of a request, the attributes of a message.
Carrier = Mapping[str, str]


class Span(Protocol):
    """A piece of work that is being timed."""

    def note(self, attributes: Attributes) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self, kind: str) -> None: ...

    def end(self) -> None: ...


class _NoSpan:
    def note(self, attributes: Attributes) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self, kind: str) -> None: ...

    def end(self) -> None: ...


_NO_SPAN: Final = _NoSpan()
_NOTHING: Final = nullcontext(_NO_SPAN)
_telemetry: Telemetry | None = None
#: Of somebody else's trace, while we record none.
_passing: ContextVar[Carrier | None] = ContextVar("passing", default=None)
#: The other spans that the next call of AWS is made for.
_links: ContextVar[Sequence[object]] = ContextVar("links", default=())


@contextmanager
def recording(role: str, exporter: str | None) -> Iterator[None]:
    """Record what a block does and send it to *exporter*; None records nothing.

    Raises:
        SettingsError: the SDK refuses one of the OTEL_ variables that it reads by itself.
    """
    if exporter is None:
        yield
        return
    with recorded_by(_make_telemetry(role, exporter)):
        yield


def _make_telemetry(role: str, exporter: str) -> Telemetry:
    try:
        from .telemetry import Telemetry, make_exporter  # some are read when it is loaded

        return Telemetry(f"image-pipeline-{role}", make_exporter(exporter))
    except ValueError as exc:
        raise SettingsError(f"OTEL_: one of OpenTelemetry's variables: {exc}") from exc


@contextmanager
def recorded_by(telemetry: Telemetry) -> Iterator[None]:
    """Record what a block does, in every thread; what is left at its end is sent, within 2 s."""
    global _telemetry
    _telemetry = telemetry
    try:
        yield
    finally:
        _telemetry = None
        telemetry.close(within_s=_FLUSH_S)


# --- where a trace enters this process -----------------------------------------------------------


def serving(
    method: str, path: str, headers: Carrier, *, scheme: str = "http"
) -> AbstractContextManager[Span]:
    """A request, from its head to its answer; `answered` says how that went."""
    name, known = (method, method) if method in _METHODS else ("HTTP", "_OTHER")
    about = {"http.request.method": known, "url.path": path, "url.scheme": scheme}
    return _entering(name, "server", about, sound(headers))


def answered(span: Span, method: str, route: str | None, status: int) -> None:
    """Say of a request's *span* which *route*, a template, was asked for, and what was answered."""
    if route is not None:
        span.rename(f"{method if method in _METHODS else 'HTTP'} {route}")
        span.note({"http.route": route})
    span.note({"http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))


def processing(
    queue: str, attributes: Carrier, *, message_id: str, image_id: str, receive_count: int
) -> AbstractContextManager[Span]:
    """The work on a message that came with *attributes*, from taking it up to its end."""
    about = _messaging("process", "process", queue) | {
        "messaging.message.id": message_id,
        IMAGE_ID: image_id,
        "image_pipeline.receive_count": receive_count,
    }
    return _entering(f"process {queue}", "consumer", about, sound(attributes))


@contextmanager
def _entering(name: str, kind: str, attributes: Attributes, carrier: Carrier) -> Iterator[Span]:
    if _telemetry is None:
        _passing.set(carrier)
        try:
            with logs.bound(**_ids(carrier)):
                yield _NO_SPAN
        finally:
            _passing.set(None)
        return
    with (
        _telemetry.span(name, kind, attributes, carrier=carrier) as span,
        logs.bound(**_ids(_telemetry.carrier())),
    ):
        yield span


def _ids(carrier: Carrier) -> dict[str, str]:
    """What the lines of the log carry."""
    if _TRACEPARENT not in carrier:
        return {}
    _, trace_id, span_id, _ = carrier[_TRACEPARENT].split("-")
    return {"trace_id": trace_id, "span_id": span_id}


# --- what happens within one ---------------------------------------------------------------------


def step(name: str) -> AbstractContextManager[Span]:
    """A part of the work in hand."""
    return _within(name, "internal", {})


def fail(kind: str) -> None:
    """Say that the work in hand went wrong."""
    if _telemetry is not None:
        _telemetry.current().fail(kind)


def call(service: str, operation: str, place: Mapping[str, str]) -> Span:
    """A call of AWS for the work in hand; whoever makes it ends the span.

    Calls for no image and no request, such as polls that bring nothing, are not recorded.
    """
    if _telemetry is None or _telemetry.here() is None:
        return _NO_SPAN
    about = {**_aws_call(service, operation), **place}
    return _telemetry.start(
        f"{about['rpc.service']}.{operation}", "client", about, links=_links.get()
    )


def is_recording() -> bool:
    return _telemetry is not None


def sending(queue: str) -> AbstractContextManager[Carrier]:
    """The sending of one message; yields the attributes that it is to be sent with."""
    return _sending(_within(f"send {queue}", "producer", _messaging("send", "send", queue)))


@contextmanager
def _sending(span: AbstractContextManager[Span]) -> Iterator[Carrier]:
    with span:
        yield _carrier()


def settling(queue: str) -> AbstractContextManager[Span]:
    """The deleting of one message that is dealt with."""
    return _within(f"settle {queue}", "client", _messaging("settle", "delete", queue))


def here() -> object | None:
    """The span that this thread is in, for `on_behalf_of`."""
    return _telemetry.here() if _telemetry else None


@contextmanager
def on_behalf_of(others: Sequence[object | None]) -> Iterator[None]:
    """A block whose calls of AWS are made for *others* too, and are linked to them."""
    own = here()
    token = _links.set([other for other in others if other is not None and other != own])
    try:
        yield
    finally:
        _links.reset(token)


def received(queue: str, began_at_ns: int, messages: Sequence[Carrier]) -> None:
    """A receive that brought *messages*: a trace of its own, linked to theirs."""
    if _telemetry is None or not messages:
        return
    about = _messaging("receive", "receive", queue) | {
        "messaging.batch.message_count": len(messages),
        **_aws_call("sqs", "ReceiveMessage"),
    }
    links = [_telemetry.named_in(sound(message)) for message in messages]
    _telemetry.record(f"receive {queue}", "client", about, began_at_ns=began_at_ns, links=links)


def clock_ns() -> int:
    """Now, for `received`."""
    return time.time_ns()


def _within(name: str, kind: str, attributes: Attributes) -> AbstractContextManager[Span]:
    if _telemetry is None or _telemetry.here() is None:
        return _NOTHING
    return _telemetry.span(name, kind, attributes)


def _aws_call(service: str, operation: str) -> dict[str, str]:
    return {"rpc.system": "aws-api", "rpc.service": service.upper(), "rpc.method": operation}


def _messaging(kind: str, name: str, queue: str) -> dict[str, str | int | bool]:
    return {
        **_SYSTEM,
        "messaging.destination.name": queue,
        "messaging.operation.type": kind,
        "messaging.operation.name": name,
    }


# --- what travels --------------------------------------------------------------------------------


def sound(carrier: Carrier) -> dict[str, str]:
    """What of *carrier* is what it should be; the rest is somebody else's."""
    found = {
        name: value
        for name in TRAVELS
        if (value := carrier.get(name)) and _SOUND[name].fullmatch(value)
    }
    if _TRACEPARENT not in found:
        found.pop(_TRACESTATE, None)
    return found


def _carrier() -> Carrier:
    trace = _telemetry.carrier() if _telemetry else (_passing.get() or {})
    known = {name: trace[name] for name in (_TRACEPARENT, _TRACESTATE) if name in trace}
    request_id = logs.context().get(REQUEST_ID)
    return known if request_id is None else known | {REQUEST_ID: request_id}
