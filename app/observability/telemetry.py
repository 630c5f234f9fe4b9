"""Setup of the OpenTelemetry SDK: the resource, the exporter, and a shutdown with a time limit.

`tracing` loads this module when an exporter is set. A slow or dead collector delays no request:
spans wait in a bounded queue for a thread of the SDK, which drops the spans that do not fit. The
SDK reads the OTEL_ variables itself.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from .version import VERSION

#: Seconds to send the last spans, after the grace period of the images in progress.
_FLUSH_S: Final = 2.0


@contextmanager
def provided(service: str, exporter: SpanExporter) -> Iterator[TracerProvider]:
    """A block with a tracer provider, which sends its last spans at the end, within 2 s.

    *service* is the `service.name` of the spans, unless OTEL_SERVICE_NAME or
    OTEL_RESOURCE_ATTRIBUTES sets one. OTEL_TRACES_SAMPLER selects the sampling.
    """
    # No shutdown_on_exit: the exit hook of the SDK would wait without a limit.
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
    finally:
        # In a thread, since shutdown() waits 30 s, and longer for a response in progress.
        thread = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        thread.start()
        thread.join(_FLUSH_S)


def make_exporter(name: str) -> SpanExporter:
    """The exporter for the OTEL_TRACES_EXPORTER value *name*: `otlp` or `console`."""
    if name == "console":
        return ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _resource(service: str) -> Resource:
    given = Resource.create()
    named = Resource({SERVICE_VERSION: VERSION}).merge(given)
    if str(given.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return named.merge(Resource({SERVICE_NAME: service}))
    return named
