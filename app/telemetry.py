"""Record spans with OpenTelemetry and send them away: the only room that loads it.

What is recorded, and under which names, is for `tracing` to say. A collector that is slow or dead
costs no request anything: spans wait in a bounded queue for a thread of the SDK's, and what does
not fit is dropped. The SDK reads the OTEL_ variables by itself.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int | bool]

_KINDS: Final = {kind.name.lower(): kind for kind in trace.SpanKind}
_SCOPE: Final = "image-pipeline"
_ERROR_TYPE: Final = "error.type"


class Telemetry:
    """A tracer and the way out of its spans. Thread-safe.

    *service* is the `service.name` of the spans, unless OTEL_SERVICE_NAME or
    OTEL_RESOURCE_ATTRIBUTES has one. Sampling is by OTEL_TRACES_SAMPLER.
    """

    def __init__(self, service: str, exporter: SpanExporter) -> None:
        # Without its own hook at the end of the process, which waits for as long as it takes.
        self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SCOPE)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self,
        name: str,
        kind: str,
        attributes: Attributes,
        *,
        carrier: Mapping[str, str] | None = None,
    ) -> Iterator[LiveSpan]:
        """A block as a span, the parent of all that begins in it.

        With a *carrier* it goes on with the trace that came in it, else it begins one; without, it
        belongs to the span around it.
        """
        around = None if carrier is None else self._read(carrier)
        live = self._start(name, kind, attributes, around)
        token = context.attach(trace.set_span_in_context(live.span, around))
        try:
            yield live
        except BaseException as exc:
            live.fail(str(getattr(exc, "code", None) or type(exc).__name__))
            raise
        finally:
            context.detach(token)
            live.end()

    def start(
        self, name: str, kind: str, attributes: Attributes, *, links: Sequence[object] = ()
    ) -> LiveSpan:
        """A span of whatever is around it, with nothing in it; whoever called ends it.

        *links* are what `here` and `named_in` give.
        """
        return self._start(name, kind, attributes, None, links)

    def record(
        self,
        name: str,
        kind: str,
        attributes: Attributes,
        *,
        began_at_ns: int,
        links: Sequence[object],
    ) -> None:
        """A trace of one span that ends now and began at *began_at_ns* since 1970."""
        self._tracer.start_span(
            name,
            context=context.Context(),
            kind=_KINDS[kind],
            attributes=attributes,
            links=_links(links),
            start_time=began_at_ns,
        ).end()

    def here(self) -> trace.SpanContext | None:
        """The span that this thread is in."""
        found = trace.get_current_span().get_span_context()
        return found if found.is_valid else None

    def named_in(self, carrier: Mapping[str, str]) -> trace.SpanContext | None:
        """The span that a message was sent in."""
        found = trace.get_current_span(self._read(carrier)).get_span_context()
        return found if found.is_valid else None

    def current(self) -> LiveSpan:
        return LiveSpan(trace.get_current_span())

    def carrier(self) -> dict[str, str]:
        """What takes the span that this thread is in to another process."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier

    def close(self, *, within_s: float) -> None:
        """Send what is left, for as long as *within_s*; the rest is lost."""
        # The SDK itself would wait for 30 s, and for an answer that is on its way even longer.
        thread = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        thread.start()
        thread.join(within_s)

    def _start(
        self,
        name: str,
        kind: str,
        attributes: Attributes,
        around: context.Context | None,
        links: Sequence[object] = (),
    ) -> LiveSpan:
        return LiveSpan(
            self._tracer.start_span(
                name,
                context=around,
                kind=_KINDS[kind],
                attributes=attributes,
                links=_links(links),
            )
        )

    def _read(self, carrier: Mapping[str, str]) -> context.Context:
        return self._propagator.extract(carrier, context=context.Context())


class LiveSpan:
    """A span that has not ended."""

    __slots__ = ("span",)

    def __init__(self, span: trace.Span) -> None:
        self.span = span

    def note(self, attributes: Attributes) -> None:
        self.span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        self.span.update_name(name)

    def fail(self, kind: str) -> None:
        """Say that it went wrong. No message and no trace of the stack: they can hold anything."""
        self.span.set_attribute(_ERROR_TYPE, kind)
        self.span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        self.span.end()


def make_exporter(name: str) -> SpanExporter:
    """The exporter that OTEL_TRACES_EXPORTER calls *name*: `otlp` or `console`."""
    if name == "console":
        return ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _resource(service: str) -> Resource:
    given = Resource.create()
    if str(given.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return given.merge(Resource({SERVICE_NAME: service}))
    return given


def _links(links: Sequence[object]) -> list[trace.Link]:
    return [trace.Link(link) for link in links if isinstance(link, trace.SpanContext)]
