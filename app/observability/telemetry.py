"""Set up OpenTelemetry's SDK: the resource, the exporter, and a bounded end.

`tracing` loads this module when an exporter is set. A slow or dead collector costs no request
anything: spans wait in a bounded queue for a thread of the SDK, and the SDK drops what does not
fit. The SDK reads the OTEL_ variables by itself.
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

#: Seconds to send the last spans; the images in hand have the grace period before it.
_FLUSH_S: Final = 2.0


@contextmanager
def provided(service: str, exporter: SpanExporter) -> Iterator[TracerProvider]:
    """A provider of tracers for a block; its last spans are sent at the end, within 2 s.

    *service* is the `service.name` of the spans, unless OTEL_SERVICE_NAME or
    OTEL_RESOURCE_ATTRIBUTES has one. Sampling is by OTEL_TRACES_SAMPLER.
    """
    # The SDK's own hook at the end of the process would wait without a limit.
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
    finally:
        # The SDK waits for 30 s, and for a response that is under way even longer.
        thread = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        thread.start()
        thread.join(_FLUSH_S)


def make_exporter(name: str) -> SpanExporter:
    """The exporter that OTEL_TRACES_EXPORTER calls *name*: `otlp` or `console`."""
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
