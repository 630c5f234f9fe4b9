"""The counts that the roles, as processes, report at /metrics and /service."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
import urllib3

from app.aws import clients as aws
from app.domain.ports import Delivery
from app.errors import (
    LeaseLostError,
    NotFoundError,
    QueueUnavailableError,
    StorageUnavailableError,
)
from app.observability.metrics import Metrics
from app.s3_service import S3Bucket
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from testkit.deploy import prometheus
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.observability.counts import Counts
from testkit.png.scans import header, page_png, pixels, png
from testkit.processes.fleet import role
from testkit.timing.waiting import assert_within, wait_until

GOOD = 5
#: A valid file whose rows end too early: only the decoder detects it.
BROKEN = png(header(40, 30), pixels([b"\0" * 40] * 20))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def settings(aws_settings: Settings) -> Settings:
    settings = aws_settings.model_copy(update={"port": free_port()})
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings


def with_metrics_port(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_port": free_port()})


def ask(port: int | None, path: str) -> tuple[int, bytes]:
    """Status and body of a response; status 0 while no process listens."""
    try:
        answer = http_request("GET", f"http://127.0.0.1:{port}{path}", retries=False, timeout=60)
    except urllib3.exceptions.HTTPError:
        return 0, b""
    return answer.status, answer.data


def is_ready(port: int | None) -> bool:
    return ask(port, "/readyz")[0] == 200


def scrape(port: int | None) -> Counts:
    status, text = ask(port, "/metrics")
    assert status == 200
    if prometheus.has("promtool"):
        prometheus.check_exposition(text)
    return Counts(text.decode())


def service(settings: Settings) -> dict[str, Any]:
    url = f"http://127.0.0.1:{settings.port}/service"
    found: dict[str, Any] = http_request("GET", url, retries=False, timeout=60).json()
    return found


def upload(settings: Settings, data: bytes, **fields: str) -> str:
    form: dict[str, Any] = {"image": ("scan.png", data), **fields}
    url = f"http://127.0.0.1:{settings.port}/upload"
    answer = http_request("POST", url, fields=form)
    location: str = answer.headers.get("Location", "")
    return location


def send_all(settings: Settings) -> list[str]:
    """Upload good images, a broken one, and one that is refused; returns the accepted paths."""
    places = [upload(settings, page_png(), method="otsu") for _ in range(GOOD)]
    places.append(upload(settings, BROKEN, method="otsu"))
    assert upload(settings, b"no png") == ""
    return places


def has_ended(settings: Settings, place: str) -> bool:
    return b'"status":"queued"' not in ask(settings.port, place)[1]


def test_web_and_worker_count_each_upload_image_and_aws_call(settings: Settings) -> None:
    web_settings, worker_settings = with_metrics_port(settings), with_metrics_port(settings)
    with role("web", web_settings), role("worker", worker_settings):
        wait_until(lambda: is_ready(web_settings.metrics_port))
        wait_until(lambda: is_ready(worker_settings.metrics_port))
        places = send_all(settings)
        wait_until(lambda: all(has_ended(settings, place) for place in places))
        wait_until(
            lambda: (
                scrape(worker_settings.metrics_port).get(
                    "worker_step_duration_seconds_count", step="delete"
                )
                == GOOD + 1
            )
        )

        web = scrape(web_settings.metrics_port)
        worker = scrape(worker_settings.metrics_port)
        assert ask(settings.port, "/metrics")[0] == 404

    assert web.all("uploads_total") == {("accepted",): GOOD + 1, ("not-a-png",): 1}
    requests = web.all("http_requests_total")
    assert requests["POST", "/upload", "202"] == GOOD + 1
    assert requests["POST", "/upload", "415"] == 1
    assert web.get("queue_messages", queue="dead-letter", state="waiting") == 0
    assert web.get("worker_polls_total") is None

    assert worker.all("worker_images_total") == {
        ("otsu", "processed"): GOOD,
        ("otsu", "failed"): 1,
    }
    assert worker.all("worker_failures_total") == {("corrupt-png",): 1}
    assert worker.all("worker_deliveries_total") == {("processed",): GOOD, ("failed",): 1}
    assert set(worker.all("worker_step_duration_seconds_count").values()) == {GOOD + 1}
    for name in ("worker_queue_wait_seconds", "worker_end_to_end_seconds"):
        assert worker.get(f"{name}_count") == GOOD + 1
    for name in ("images_in_flight", "pixels_in_flight", "messages_in_hand", "breaker_open"):
        assert worker.get(f"worker_{name}") == 0

    check_calls_of_aws(web, worker)


def check_calls_of_aws(web: Counts, worker: Counts) -> None:
    assert web.get("aws_request_duration_seconds_count", service="s3", operation="PutObject") == (
        GOOD + 1
    )
    fetched = worker.get("aws_request_duration_seconds_count", service="s3", operation="GetObject")
    assert fetched is not None
    assert fetched >= GOOD + 1
    for operation in ("ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch"):
        assert worker.get("aws_request_duration_seconds_count", service="sqs", operation=operation)
    # A missing result is a normal answer, not an error.
    assert web.all("aws_request_errors_total") == worker.all("aws_request_errors_total") == {}


def test_promtool_accepts_the_metric_names_of_every_role(metrics: Metrics) -> None:
    assert metrics.worker
    metrics.http.answered("GET", "/", 200, 0.1)
    metrics.aws.answered("sqs", "SendMessage", 0.1)
    metrics.queues.counted("input", waiting=1, held=0)

    prometheus.check_exposition(metrics.expose())


def test_each_process_reports_the_queue_of_the_whole_fleet(settings: Settings) -> None:
    with role("web", settings):
        wait_until(lambda: is_ready(settings.port))
        send_all(settings)
        wait_until(lambda: service(settings)["queue"] == {"waiting": GOOD + 1, "held": 0})

        with role("worker", settings):
            found = wait_until(lambda: idle(settings))

    assert found == {"status": "up", "queue": {"waiting": 0, "held": 0}}


def idle(settings: Settings) -> dict[str, Any]:
    """The response of /service once the queue is empty."""
    found = service(settings)
    return found if found["queue"] == {"waiting": 0, "held": 0} else {}


def test_refusals_of_aws_are_counted_by_code_for_both_client_libraries(
    settings: Settings, metrics: Metrics
) -> None:
    bucket = S3Bucket(settings, "there-is-no-such-bucket", metrics.aws)
    missing = make_queue(settings, "missing.fifo", metrics.aws)
    queue = make_queue(settings, settings.input_queue, metrics.aws)

    with pytest.raises(StorageUnavailableError):
        bucket.put("a.png", b"", content_type="image/png", metadata={})
    with pytest.raises(StorageUnavailableError):
        bucket.check()
    with pytest.raises(QueueUnavailableError):
        missing.depth()
    (entry,) = queue.delete_batch([Delivery("{}", "m", "g", 1, "no receipt handle")])

    assert isinstance(entry, LeaseLostError)
    assert Counts.of(metrics).all("aws_request_errors_total") == {
        ("NoSuchBucket", "PutObject", "s3"): 1,
        ("404", "HeadBucket", "s3"): 1,
        ("AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl", "sqs"): 1,
        ("ReceiptHandleIsInvalid", "DeleteMessageBatch", "sqs"): 1,
    }


def test_a_missing_key_and_a_taken_one_are_answers_not_errors(
    settings: Settings, metrics: Metrics
) -> None:
    bucket = S3Bucket(settings, settings.input_bucket, metrics.aws)
    strange = "a//b.png"  # a key that only boto3 can send

    for key in ("a.png", strange):
        with pytest.raises(NotFoundError):
            bucket.get(key)
    with pytest.raises(NotFoundError):
        bucket.head("a.png")
    for _ in range(2):
        bucket.put_once("a.png", b"1", content_type="image/png", metadata={})

    counts = Counts.of(metrics)
    assert counts.all("aws_request_errors_total") == {}
    assert counts.all("aws_request_duration_seconds_count") == {
        ("GetObject", "s3"): 2,
        ("HeadObject", "s3"): 1,
        ("PutObject", "s3"): 2,
    }


def test_an_idle_worker_with_a_port_for_metrics_stops_within_two_seconds(
    settings: Settings,
) -> None:
    settings = with_metrics_port(settings)
    with role("worker", settings) as worker:
        wait_until(lambda: is_ready(settings.metrics_port))
        assert ask(settings.metrics_port, "/healthz")[0] == 200
        wait_until(lambda: scrape(settings.metrics_port).get("worker_polls_total"))
        began_at = time.monotonic()

        worker.process.send_signal(signal.SIGTERM)

        assert worker.process.wait(20) == 0
        assert_within(time.monotonic() - began_at, 2)


def test_a_scrape_is_answered_at_once_while_s3_and_sqs_are_down(settings: Settings) -> None:
    nowhere = with_metrics_port(
        settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"})
    )
    with role("all", nowhere):
        wait_until(lambda: ask(nowhere.metrics_port, "/healthz")[0] == 200)
        wait_until(
            lambda: scrape(nowhere.metrics_port).get("queue_depth_errors_total", queue="input")
        )
        wait_until(lambda: scrape(nowhere.metrics_port).get("worker_poll_failures_total"))
        began_at = time.monotonic()
        counts = scrape(nowhere.metrics_port)
        found = service(nowhere)
        took_s = time.monotonic() - began_at

    assert_within(took_s, 1)
    assert counts.get("queue_messages", queue="input", state="waiting") is None
    assert counts.get("worker_poll_failures_total")
    errors = counts.all("aws_request_errors_total")
    assert errors["no-answer", "GetQueueUrl", "sqs"] >= 1
    assert found == {"status": "degraded", "queue": None}


def test_a_taken_metrics_port_prevents_the_start(settings: Settings) -> None:
    settings = with_metrics_port(settings)
    with role("worker", settings):
        wait_until(lambda: is_ready(settings.metrics_port))

        with role("worker", settings) as second:
            assert second.process.wait(20) == 1
            assert f"cannot listen on 127.0.0.1:{settings.metrics_port}" in second.output
