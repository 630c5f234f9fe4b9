"""Web and worker as separate processes, as on AWS: stopped, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import assert_within, is_ready, wait_until

IMAGES = 12
VISIBILITY_TIMEOUT_S = 10


@pytest.fixture
def settings(aws_settings: Settings) -> Settings:
    changed = {"visibility_timeout_s": VISIBILITY_TIMEOUT_S, "port": free_port()}
    settings = aws_settings.model_copy(update=changed)
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings


@contextmanager
def role(name: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    variables = {k.upper(): str(v) for k, v in settings.model_dump().items() if v is not None}
    command = [sys.executable, "-m", "app.main", name]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables) as process:
        try:
            yield process
        finally:
            process.kill()


def upload(settings: Settings) -> str:
    fields = {"image": ("image.png", (ROOT / "image.png").read_bytes())}
    url = f"http://127.0.0.1:{settings.port}/upload"
    answer = http_request("POST", url, fields=fields)
    assert answer.status == 202
    image_id: str = answer.json()["image_id"]
    return image_id


def upload_all(settings: Settings) -> set[str]:
    wait_until(lambda: is_ready(f"http://127.0.0.1:{settings.port}"))
    return {upload(settings) for _ in range(IMAGES)}


class Announcements:
    """Counts of the announcements so far, by image and status."""

    def __init__(self, settings: Settings) -> None:
        self._sqs = aws.sqs_client(settings)
        self._url = self._sqs.get_queue_url(QueueName=settings.processed_queue)["QueueUrl"]
        self.seen: Counter[tuple[str, str]] = Counter()

    def read(self) -> Counter[tuple[str, str]]:
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            self.seen[body["image_id"], body["status"]] += 1
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self.seen


def test_a_worker_killed_while_processing_loses_and_doubles_nothing(settings: Settings) -> None:
    announcements = Announcements(settings)
    with role("web", settings):
        ids = upload_all(settings)
    with role("worker", settings) as worker:
        wait_until(lambda: len(announcements.read()) >= 3)
        worker.kill()

    with role("worker", settings):
        wait_until(lambda: len(announcements.read()) >= IMAGES, within_s=VISIBILITY_TIMEOUT_S + 20)

    assert announcements.read() == Counter({(image_id, "processed"): 1 for image_id in ids})


def test_a_stopped_worker_leaves_no_message_hidden(settings: Settings) -> None:
    announcements = Announcements(settings)
    with role("web", settings):
        ids = upload_all(settings)
        with role("worker", settings) as worker:
            wait_until(lambda: len(announcements.read()) >= 3)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0

        started_at = time.monotonic()
        with role("worker", settings):
            wait_until(lambda: len(announcements.read()) >= IMAGES)

    assert_within(time.monotonic() - started_at, VISIBILITY_TIMEOUT_S)
    assert announcements.seen == Counter({(image_id, "processed"): 1 for image_id in ids})


def test_an_idle_worker_stops_within_a_poll(settings: Settings) -> None:
    with role("worker", settings) as worker:
        time_to_poll = settings.poll_wait_s + 2
        wait_until(lambda: is_polling(settings), within_s=20)
        started_at = time.monotonic()

        worker.send_signal(signal.SIGTERM)

        assert worker.wait(20) == 0
        assert_within(time.monotonic() - started_at, time_to_poll)


def is_polling(settings: Settings) -> bool:
    """Send a message; it is in flight if the worker polls."""
    sqs = aws.sqs_client(settings)
    url = sqs.get_queue_url(QueueName=settings.input_queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{", MessageGroupId="g", MessageDeduplicationId="d")
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return answer["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_web_is_ready_without_a_worker_and_unready_without_a_queue(settings: Settings) -> None:
    with role("web", settings):
        wait_until(lambda: is_ready(f"http://127.0.0.1:{settings.port}"))
        sqs = aws.sqs_client(settings)

        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=settings.input_queue)["QueueUrl"])

        wait_until(lambda: not is_ready(f"http://127.0.0.1:{settings.port}"))
        fields = {"image": ("image.png", (ROOT / "image.png").read_bytes())}
        url = f"http://127.0.0.1:{settings.port}/upload"
        answer = http_request("POST", url, fields=fields)
        assert (answer.status, answer.json()["code"]) == (503, "queue-unavailable")
        assert answer.headers["Retry-After"]
