"""The logs and traces of web and worker as processes, from one run of both.

Every secret of the run has a mark, and the log level is DEBUG.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from app.access.tokens import hash_token, make_token
from app.aws import clients as aws
from app.domain.ports import Message
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.network.raw_http import exchange
from testkit.observability.collector import Collector, Span, collector
from testkit.observability.counts import Counts
from testkit.observability.logged import Event, parsed
from testkit.png.scans import page_png
from testkit.processes.fleet import role
from testkit.timing.waiting import is_ready, wait_until
from tests.conftest import own_settings

TOKEN = make_token()
MARKED = {
    "AWS_SECRET_ACCESS_KEY": "marked-secret-access-key",
    "AWS_SESSION_TOKEN": "marked-session-token",
    "IDEMPOTENCY_SECRET": "marked-idempotency-secret",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-key=marked-collector-key",
}
SECRETS = (TOKEN, hash_token(TOKEN), "marked", "AWS4-HMAC-SHA256")
TRACE_ID, CLIENT_SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REQUEST_ID = "ask-4711"
#: The engine is compiled at each start.
START_S = 60
#: Calls that belong to no image: those of probes, gate, monitor, heartbeat and poller.
OF_NO_IMAGE = {
    ("S3", "HeadBucket"),
    ("SQS", "ChangeMessageVisibilityBatch"),
    ("SQS", "GetQueueAttributes"),
    ("SQS", "GetQueueUrl"),
    ("SQS", "ReceiveMessage"),
}


@dataclass
class Run:
    """The output, spans and counts of a finished run of web and worker."""

    settings: Settings
    image_id: str
    lost_id: str
    web: str
    worker: str
    spans: list[Span]
    collector: Collector
    announced: dict[str, Any]
    calls: Counter[tuple[str, str]]

    @property
    def events(self) -> list[Event]:
        return parsed(self.web) + parsed(self.worker)

    def about(self, **fields: Any) -> list[Event]:
        return [e for e in self.events if fields.items() <= e.items()]


@pytest.fixture(scope="module")
def run(endpoint: str) -> Iterator[Run]:
    settings = own_settings(endpoint).model_copy(
        update={
            "port": free_port(),
            "api_tokens": f"clinic:{hash_token(TOKEN)}",
            "log_level": "DEBUG",
        }
    )
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    with collector() as found:
        yield run_both(settings, found)


def run_both(settings: Settings, found: Collector) -> Run:
    variables = MARKED | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": found.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    web_port, worker_port = free_port(), free_port()
    with ExitStack() as roles:
        web, worker = (
            roles.enter_context(
                role(name, settings.model_copy(update={"metrics_port": port}), **variables)
            )
            for name, port in (("web", web_port), ("worker", worker_port))
        )
        urls = [f"http://127.0.0.1:{port}" for port in (web_port, worker_port)]
        wait_until(lambda: all(map(is_ready, urls)), within_s=START_S)
        assert not is_ready(url(settings))  # METRICS_PORT is set, so only that port responds
        image_id = upload(settings, page_png(), traceparent=f"00-{TRACE_ID}-{CLIENT_SPAN_ID}-01")
        misbehave(settings)
        lost_id = send_lost(settings)
        wait_until(lambda: scraped(worker_port).get("worker_deliveries_total", outcome="failed"))
        wait_until(lambda: scraped(worker_port).get("worker_deliveries_total", outcome="processed"))
        calls = calls_of(scraped(web_port)) + calls_of(scraped(worker_port))
        for process in (web.process, worker.process):
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        return Run(
            settings,
            image_id,
            lost_id,
            web.output,
            worker.output,
            found.spans,
            found,
            announcement(settings, image_id),
            calls,
        )


def url(settings: Settings, path: str = "") -> str:
    return f"http://127.0.0.1:{settings.port}{path}"


def upload(settings: Settings, data: bytes, name: str = "scan.png", **headers: str) -> str:
    answer = http_request(
        "POST",
        url(settings, "/upload"),
        fields={"image": (name, data)},
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "X-Request-ID": REQUEST_ID,
            "Idempotency-Key": f"marked-{uuid.uuid4()}",
            **headers,
        },
    )
    found: str = answer.json().get("image_id", "")
    return found


def misbehave(settings: Settings) -> None:
    """Send requests that are refused, with names that try to forge log lines."""
    assert upload(settings, b"no png", 'a\n{"level": "info", "event": "forged"}.png') == ""
    for path in ("/images/x?token=marked-query", "/x%0a%7B%22event%22:%22forged%22%7D", "/healthz"):
        headers = {"Authorization": "Bearer ipt_marked-and-wrong"}
        http_request("GET", url(settings, path), headers=headers)
    exchange(settings.port, b"GET / HTTP/1.1\r\nAuthorization marked-too\r\n\r\n")


def send_lost(settings: Settings) -> str:
    """Send a job as another producer: without a trace and without an original."""
    image_id = str(uuid.uuid4())
    job = {"image_id": image_id, "bucket": settings.input_bucket, "key": "none.png"}
    make_queue(settings, settings.input_queue).send(Message(json.dumps(job), image_id, image_id))
    return image_id


def scraped(port: int) -> Counts:
    return Counts(http_request("GET", f"http://127.0.0.1:{port}/metrics").data.decode())


def calls_of(counts: Counts) -> Counter[tuple[str, str]]:
    found = counts.all("aws_request_duration_seconds_count")
    return Counter(
        {(service.upper(), operation): int(n) for (operation, service), n in found.items()}
    )


def announcement(settings: Settings, image_id: str) -> dict[str, Any]:
    sqs = aws.sqs_client(settings)
    queue = sqs.get_queue_url(QueueName=settings.processed_queue)["QueueUrl"]
    answer = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=5,
        MessageAttributeNames=["All"],
    )
    (found,) = [m for m in answer["Messages"] if image_id in m["Body"]]
    return dict(found)


def named(spans: list[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


# --- the log -------------------------------------------------------------------------------------


def test_every_line_of_both_roles_is_one_event(run: Run) -> None:
    for event in run.events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["time"])
        assert event["level"] in ("debug", "info", "warning", "error")
        assert event["event"]
        assert event["logger"]
    assert run.about(event="forged") == []


def test_the_image_id_is_in_the_log_of_both_roles(run: Run) -> None:
    found = [e["event"] for e in run.about(image_id=run.image_id)]
    assert found == ["image queued", "request answered", "image processed"]
    lost = [e["event"] for e in run.about(image_id=run.lost_id)]
    assert lost == ["image failed"]


def test_the_request_and_the_trace_of_an_upload_are_in_the_lines_of_the_worker(run: Run) -> None:
    (event,) = run.about(event="image processed")

    assert event["request_id"] == REQUEST_ID
    assert event["trace_id"] == TRACE_ID
    assert event["message_id"]


def test_each_request_is_one_line_and_probes_are_logged_at_debug_only(run: Run) -> None:
    answered = run.about(event="request answered", level="info")

    assert sorted((e["method"], e["path"], e["status"]) for e in answered) == [
        ("GET", "/images/x", 401),
        ("GET", '/x\n{"event":"forged"}', 401),
        ("POST", "/upload", 202),
        ("POST", "/upload", 415),
    ]
    assert all(e["duration_ms"] > 0 and e["bytes"] > 0 for e in answered)
    assert {e.get("client") for e in answered if e["status"] == 401} == {"127.0.0.1"}
    assert not [e for e in answered if e["status"] != 401 and "client" in e]
    probes = run.about(event="request answered", level="debug")
    assert {e["path"] for e in probes} == {"/healthz", "/readyz"}
    assert run.about(event="request refused", status=400)


def test_no_secret_is_in_the_log_or_in_a_trace(run: Run) -> None:
    sent = b"".join(run.collector.bodies).decode(errors="replace")

    assert run.about(level="debug")
    for secret in SECRETS:
        assert secret not in run.web
        assert secret not in run.worker
        assert secret not in sent
    assert {headers["x-key"] for headers in run.collector.headers} == {"marked-collector-key"}


# --- the trace -----------------------------------------------------------------------------------


def test_one_trace_leads_from_the_upload_to_the_announcement(run: Run) -> None:
    spans = run.collector.of(TRACE_ID)
    by_id = {span.span_id: span for span in spans}
    parents = {
        (span.name, by_id[span.parent_id].name if span.parent_id in by_id else None)
        for span in spans
    }
    jobs = run.settings.input_queue
    send_result = f"send {run.settings.processed_queue}"

    assert parents >= {
        ("POST /upload", None),
        ("S3.PutObject", "POST /upload"),
        (f"send {jobs}", "POST /upload"),
        ("SQS.SendMessage", f"send {jobs}"),
        (f"process {jobs}", f"send {jobs}"),
        ("fetch", f"process {jobs}"),
        ("S3.GetObject", "fetch"),
        ("admit", f"process {jobs}"),
        ("compute", f"process {jobs}"),
        ("inspect", "compute"),
        ("decode", "compute"),
        ("binarize", "compute"),
        ("encode", "compute"),
        ("store", f"process {jobs}"),
        ("S3.PutObject", "store"),
        ("announce", f"process {jobs}"),
        (send_result, "announce"),
        ("SQS.SendMessageBatch", send_result),
        ("delete", f"process {jobs}"),
        (f"settle {jobs}", "delete"),
    }
    assert named(spans, "POST /upload").parent_id == CLIENT_SPAN_ID
    assert not [span.name for span in spans if span.is_error]
    assert {s.service for s in spans} == {"image-pipeline-web", "image-pipeline-worker"}


def test_the_receive_is_a_trace_of_its_own_that_is_linked_to_the_upload(run: Run) -> None:
    receives = [span for span in run.spans if span.name.startswith("receive ")]

    (found,) = [span for span in receives if TRACE_ID in span.linked]
    assert found.parent_id == ""
    assert found.trace_id != TRACE_ID
    assert found.attributes["messaging.batch.message_count"] >= 1


def test_every_aws_call_for_an_image_is_in_a_trace(run: Run) -> None:
    recorded = Counter(span.call for span in run.spans if span.call)

    counted = {call: n for call, n in run.calls.items() if call not in OF_NO_IMAGE}
    assert {call: n for call, n in recorded.items() if call not in OF_NO_IMAGE} == counted
    # One request may delete both messages; its span is then in only one of the traces.
    assert {span.call for span in run.collector.of(TRACE_ID)} - {None} - OF_NO_IMAGE >= {
        ("S3", "GetObject"),
        ("S3", "PutObject"),
        ("SQS", "SendMessage"),
        ("SQS", "SendMessageBatch"),
    }


def test_spans_of_calls_have_the_address_of_the_server(run: Run) -> None:
    (put, _) = [s for s in run.collector.of(TRACE_ID) if s.name == "S3.PutObject"]
    send = named(run.collector.of(TRACE_ID), "SQS.SendMessage")

    assert put.attributes["aws.s3.key"] == f"{run.image_id}.png"
    assert put.attributes["aws.s3.bucket"]
    assert send.attributes["aws.sqs.queue.url"].endswith(".fifo")
    assert send.attributes["aws.request_id"]


def test_a_message_without_a_trace_starts_a_new_one(run: Run) -> None:
    (span,) = [
        s
        for s in run.spans
        if s.name.startswith("process ") and s.attributes["image_pipeline.image_id"] == run.lost_id
    ]

    assert span.parent_id == ""
    assert span.is_error
    assert span.attributes["error.type"] == "original-missing"
    assert span.attributes["image_pipeline.outcome"] == "failed"


def test_probes_make_no_traces(run: Run) -> None:
    roots = {span.name.split()[0] for span in run.spans if not span.parent_id}

    assert roots <= {"GET", "POST", "HTTP", "receive", "process"}
    assert not [s for s in run.spans if s.attributes.get("url.path") in ("/healthz", "/readyz")]


def test_the_announcement_carries_trace_and_request_id(run: Run) -> None:
    attributes = run.announced["MessageAttributes"]

    assert attributes["traceparent"]["StringValue"].split("-")[1] == TRACE_ID
    assert attributes["request_id"]["StringValue"] == REQUEST_ID


# --- a dead collector ----------------------------------------------------------------------------


def test_a_dead_collector_neither_slows_nor_stops_the_roles(endpoint: str) -> None:
    settings = own_settings(endpoint).model_copy(update={"port": free_port()})
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead.listen()  # accepts connections and never responds
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{dead.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "120",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BSP_MAX_QUEUE_SIZE": "16",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
        }
        with role("all", settings, **variables) as running:
            wait_until(lambda: is_ready(url(settings)), within_s=START_S)
            answers = [
                http_request(
                    "POST",
                    url(settings, "/upload"),
                    fields={"image": ("scan.png", page_png())},
                    headers={"Prefer": "wait=20"},
                )
                for _ in range(3)
            ]
            running.process.send_signal(signal.SIGTERM)

            assert running.process.wait(60) == 0
            events = parsed(running.output)
    assert [answer.status for answer in answers] == [201, 201, 201]
    complaints = [e for e in events if e["level"] in ("warning", "error")]
    assert len(complaints) <= 2, complaints
