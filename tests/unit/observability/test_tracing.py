"""What is recorded of an image's way, and what travels with it when nothing is."""

from __future__ import annotations

import ast
import re
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import opentelemetry.semconv
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.consumer.batching import BatchedQueue
from app.domain.ports import Delivery, Message
from app.errors import QueueUnavailableError
from app.observability import tracing
from app.observability.telemetry import provided
from app.observability.version import VERSION
from app.settings import Settings
from testkit.in_memory.fakes import MemoryQueue
from testkit.in_memory.memory_pipeline import MemoryPipeline
from testkit.in_memory.site import Site
from testkit.observability.logged import events
from testkit.root import ROOT

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
SAID = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}


class Record:
    """The spans that were ended in a test."""

    def __init__(self, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self._provider, self._exporter = provider, exporter

    @property
    def spans(self) -> list[ReadableSpan]:
        self._provider.force_flush()
        return list(self._exporter.get_finished_spans())

    def of(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def record() -> Iterator[Record]:
    exporter = InMemorySpanExporter()
    with provided("test", exporter) as provider, tracing.recorded_by(provider):
        yield Record(provider, exporter)


@pytest.fixture
def site() -> Site:
    return Site(Settings())


def trace_ids(spans: list[ReadableSpan]) -> set[str]:
    return {f"{span.context.trace_id:032x}" for span in spans if span.context}


# --- without an exporter -------------------------------------------------------------------------


def test_the_trace_of_a_client_is_propagated_even_if_nothing_is_recorded(
    site: Site,
) -> None:
    site.upload(headers=SAID | {"X-Request-ID": "ask-4711"})
    (job,) = site.jobs.messages
    site.work()
    (announced,) = site.announced.messages

    assert job.attributes == SAID | {"request_id": "ask-4711"}
    assert announced.attributes == job.attributes


@pytest.mark.parametrize(
    "said",
    [
        {"traceparent": "00-00000000000000000000000000000000-00f067aa0ba902b7-01"},
        {"traceparent": f"ff-{TRACE_ID}-00f067aa0ba902b7-01"},
        {"traceparent": f"00-{TRACE_ID.upper()}-00f067aa0ba902b7-01"},
        {"traceparent": "00-x", "tracestate": "vendor=1"},
        {"tracestate": "vendor=1"},
        {},
    ],
)
def test_an_invalid_trace_is_not_propagated(site: Site, said: dict[str, str]) -> None:
    site.upload(headers=said)

    (job,) = site.jobs.messages
    assert set(job.attributes) == {"request_id"}


def test_one_image_does_not_carry_the_trace_of_the_one_before(site: Site) -> None:
    site.upload(headers=SAID)
    site.upload()

    assert ["traceparent" in m.attributes for m in site.jobs.messages] == [True, False]


def test_the_trace_of_a_later_version_of_the_standard_is_continued(site: Site) -> None:
    """Whoever does not know the version reads the four fields of the first one."""
    site.upload(headers={"traceparent": f"01-{TRACE_ID}-00f067aa0ba902b7-01-what-will-be"})

    (job,) = site.jobs.messages
    assert job.attributes["traceparent"] == TRACEPARENT


def test_attributes_of_another_producer_that_are_unsound_are_left_out() -> None:
    given = {
        "request_id": "a\nb",
        "traceparent": TRACEPARENT,
        "tracestate": "x" * 513,
        "other": "1",
    }

    assert tracing.sound(given) == {"traceparent": TRACEPARENT}


@pytest.mark.parametrize(
    ("given", "exporter"),
    [
        ({}, None),
        ({"otel_exporter_otlp_endpoint": "http://c:4318"}, "otlp"),
        ({"otel_exporter_otlp_traces_endpoint": "http://c:4318/v1/traces"}, "otlp"),
        ({"otel_traces_exporter": "otlp"}, "otlp"),
        ({"otel_traces_exporter": "console"}, "console"),
        ({"otel_exporter_otlp_endpoint": "http://c:4318", "otel_traces_exporter": "none"}, None),
        ({"otel_exporter_otlp_endpoint": "http://c:4318", "otel_sdk_disabled": True}, None),
    ],
)
def test_traces_are_exported_if_an_exporter_is_set(
    given: dict[str, str], exporter: str | None
) -> None:
    assert Settings(**given).trace_exporter == exporter


# --- recorded ------------------------------------------------------------------------------------


def test_upload_and_processing_are_one_trace_of_the_client(site: Site, record: Record) -> None:
    site.upload(headers=SAID)
    site.work()

    (server,), (process,) = record.of("POST /upload"), record.of("process jobs.fifo")
    assert trace_ids(record.spans) == {TRACE_ID}
    assert (server.kind.name, process.kind.name) == ("SERVER", "CONSUMER")
    assert dict(server.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 202,
        "http.route": "/upload",
        "image_pipeline.image_id": (process.attributes or {})["image_pipeline.image_id"],
        "image_pipeline.request_id": (server.attributes or {})["image_pipeline.request_id"],
        "url.path": "/upload",
        "url.scheme": "http",
    }
    (announced,) = site.announced.messages
    (sent,) = record.of("send done.fifo")
    assert announced.attributes["traceparent"].split("-")[2] == f"{sent.context.span_id:016x}"


def test_every_name_is_in_the_current_semantic_conventions(site: Site, record: Record) -> None:
    site.upload(headers=SAID)
    site.work()
    with tracing.serving("GET", "/", {}):
        tracing.call("s3", "PutObject", {}).end()
    tracing.received("jobs.fifo", time.time_ns(), [SAID])

    used = {name for span in record.spans for name in span.attributes or {}}
    # And what only real calls to AWS record.
    used |= {name for text in sources("aws", "*.py") for name in re.findall(ATTRIBUTE, text)}
    used |= {name for text in sources("", "s3_service.py") for name in re.findall(ATTRIBUTE, text)}
    known = conventions()
    assert {"aws.s3.key", "aws.sqs.queue.url", "aws.request_id"} <= used
    assert {"rpc.system.name", "messaging.system", "http.route"} <= used
    assert {n for n in used if not n.startswith("image_pipeline.")} - known.keys() == set()
    assert {name for name in used if known.get(name, "").startswith("Deprecated")} == set()


ATTRIBUTE = re.compile(r'"((?:aws|rpc|server)\.[a-z0-9_.]+)"')


def sources(folder: str, names: str) -> list[str]:
    return [path.read_text() for path in (ROOT / "app" / folder).glob(names)]


def conventions() -> dict[str, str]:
    """Every attribute of the conventions as installed, with what is said of it."""
    found = {}
    (folder,) = map(Path, opentelemetry.semconv.__path__)
    # The stable ones last: among the others they are called deprecated.
    for path in (*folder.glob("_incubating/attributes/*.py"), *folder.glob("attributes/*.py")):
        for name, said in pairwise(ast.parse(path.read_text()).body):
            match name, said:
                case ast.AnnAssign(value=ast.Constant(key)), ast.Expr(ast.Constant(text)):
                    found[str(key)] = str(text).strip()
    return found


def test_an_internal_error_is_recorded_without_its_message(site: Site, record: Record) -> None:
    site.inputs.is_down = True

    assert site.upload().status_code == 503

    (server,) = record.of("POST /upload")
    assert server.status.status_code.name == "ERROR"
    assert server.status.description is None
    assert (server.attributes or {})["error.type"] == "503"
    assert server.events == ()


@pytest.mark.parametrize(
    ("data", "outcome", "error"),
    [(b"bad", "failed", "corrupt-png"), (b"bug", "retried", "ZeroDivisionError")],
)
def test_the_span_of_an_image_says_how_it_ended(
    record: Record, data: bytes, outcome: str, error: str
) -> None:
    pipeline = MemoryPipeline()
    pipeline.upload(data)

    pipeline.handle_next()

    (process,) = record.of("process jobs.fifo")
    assert (process.attributes or {})["image_pipeline.outcome"] == outcome
    assert (process.attributes or {})["error.type"] == error


def test_every_attempt_at_an_image_is_in_its_trace(record: Record) -> None:
    pipeline = MemoryPipeline()
    pipeline.upload(b"bug")

    pipeline.handle_next()
    pipeline.handle_after(120)

    counts = [
        (s.attributes or {})["image_pipeline.receive_count"] for s in record.of("process jobs.fifo")
    ]
    assert counts == [1, 2]


def test_calls_outside_of_any_trace_are_not_recorded(record: Record) -> None:
    tracing.call("sqs", "GetQueueAttributes", {}).end()
    tracing.received("jobs.fifo", time.time_ns(), [])

    assert record.spans == []


def test_a_receive_is_linked_to_each_message_that_says_where_it_comes_from(record: Record) -> None:
    tracing.received("jobs.fifo", time.time_ns(), [SAID, {}])

    (receive,) = record.spans
    assert receive.parent is None
    assert [f"{link.context.trace_id:032x}" for link in receive.links] == [TRACE_ID]
    assert (receive.attributes or {})["messaging.batch.message_count"] == 2


class CallingQueue(MemoryQueue):
    """A queue whose batches are calls of AWS."""

    def send_batch(self, messages):
        tracing.call("sqs", "SendMessageBatch", {}).end()
        return super().send_batch(messages)


def test_a_request_for_several_images_is_linked_to_the_others(record: Record) -> None:
    batched = BatchedQueue(CallingQueue("done.fifo"), linger_s=20)

    def announce(number: int) -> None:
        delivery = tracing.processing(
            "jobs.fifo", {}, message_id=str(number), image_id=str(number), receive_count=1
        )
        with delivery:
            batched.send(Message("{}", str(number), str(number)))

    threads = [threading.Thread(target=announce, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    (call,) = record.of("SQS.SendMessageBatch")
    sends = record.of("send done.fifo")
    assert len(trace_ids(sends)) == 10
    assert call.parent
    assert {link.context.span_id for link in call.links} | {call.parent.span_id} == {
        span.context.span_id for span in sends
    }
    assert len(call.links) == 9


def test_a_send_that_fails_is_an_error_with_its_code(record: Record) -> None:
    queue = MemoryQueue("done.fifo")
    queue.is_down = True
    work = tracing.processing("jobs.fifo", {}, message_id="m", image_id="i", receive_count=1)

    with pytest.raises(QueueUnavailableError), work:
        BatchedQueue(queue, linger_s=0).send(Message("{}", "g", "d"))

    (send,) = record.of("send done.fifo")
    assert (send.attributes or {})["error.type"] == "queue-unavailable"


def test_probes_are_not_recorded(site: Site, record: Record) -> None:
    for path in ("/healthz", "/readyz", "/service", "/metrics"):
        site.client.get(path)

    assert record.spans == []


def test_a_token_that_somebody_put_into_the_path_is_in_no_span_and_no_line(
    site: Site, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    site.client.get(f"/{'x' * 185}/ipt_hush-hush-hush-hush")  # cut off in the middle of it

    (span,) = record.spans
    assert "hush" not in str((span.attributes or {})["url.path"])
    (line,) = [e for e in events(caplog) if e["event"] == "request answered"]
    assert "hush" not in line["path"]


# --- the way out ---------------------------------------------------------------------------------


class StuckExporter(SpanExporter):
    def __init__(self) -> None:
        self.freed = threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        self.freed.wait(60)
        return SpanExportResult.FAILURE


def test_spans_that_cannot_be_exported_delay_neither_work_nor_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    exporter = StuckExporter()
    began_at = time.monotonic()

    with provided("test", exporter) as provider, tracing.recorded_by(provider):
        for _ in range(100):
            with tracing.serving("GET", "/", {}):
                pass

    assert time.monotonic() - began_at < 30
    exporter.freed.set()


@pytest.mark.parametrize(
    ("variables", "service", "version"),
    [
        ({}, "image-pipeline-web", VERSION),
        ({"OTEL_SERVICE_NAME": "scans"}, "scans", VERSION),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=pages"}, "pages", VERSION),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.version=7"}, "image-pipeline-web", "7"),
    ],
)
def test_spans_name_the_role_and_the_version_unless_they_are_told_otherwise(
    variables: dict[str, str], service: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with provided("image-pipeline-web", InMemorySpanExporter()) as provider:
        about = provider.resource.attributes

    assert (about["service.name"], about["service.version"]) == (service, version)


def test_sampling_is_by_the_standard_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    exporter = InMemorySpanExporter()
    with provided("test", exporter) as provider, tracing.recorded_by(provider):
        with tracing.serving("GET", "/a", {}), tracing.sending("jobs.fifo") as unsampled:
            pass
        with tracing.serving("GET", "/b", {"traceparent": TRACEPARENT}):
            pass
        names = [span.name for span in Record(provider, exporter).spans]

    assert int(unsampled["traceparent"][-2:], 16) & 1 == 0
    assert names == ["GET"]


def test_a_delivery_names_its_image_or_else_itself() -> None:
    image_id = "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"
    bodies = (f'{{"image_id": "{image_id}"}}', "{}", "[", "[]", '{"image_id": 7}')

    names = [Delivery(body, "m", "g", 1, "h").image_id for body in bodies]

    assert names == [image_id, "m", "m", "m", "m"]
