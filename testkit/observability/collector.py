"""An OpenTelemetry collector on loopback, which keeps the spans that it receives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from testkit.network.http_servers import serving


@dataclass(frozen=True)
class Span:
    """A received span; ids in hexadecimal, *parent_id* empty for a root."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    #: Of opentelemetry.proto.trace.v1: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    kind: int
    attributes: dict[str, Any]
    linked: list[str]
    is_error: bool
    service: str

    @property
    def call(self) -> tuple[str, str] | None:
        """Service and operation, of a call of AWS."""
        if self.attributes.get("rpc.system.name") != "aws-api":
            return None
        service, _, operation = self.attributes["rpc.method"].partition("/")
        return service, operation


@dataclass
class Collector:
    url: str
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        self.bodies.append(body)
        self.headers.append(headers)
        sent = ExportTraceServiceRequest()
        sent.ParseFromString(body)
        for group in sent.resource_spans:
            service = _plain(group.resource.attributes)["service.name"]
            for scope in group.scope_spans:
                self.spans += [_span(span, service) for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """A block with a collector on a free port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    with serving(server) as url:
        server.collector = Collector(url)
        yield server.collector


class _Server(ThreadingHTTPServer):
    collector: Collector


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        self.server.collector.take(body, {k.lower(): v for k, v in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _span(span: Any, service: str) -> Span:
    return Span(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        attributes=_plain(span.attributes),
        linked=[link.trace_id.hex() for link in span.links],
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        service=service,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}
