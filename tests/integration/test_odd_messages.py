"""Odd messages of other producers, through real queues and buckets to the real consumer."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from app.aws import clients as aws
from app.observability.metrics import AwsMetrics
from app.s3_service import S3Bucket
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from app.wiring import Wiring
from testkit.corpora.odd_messages import BUCKET, SENDABLE, Odd, odd_messages
from testkit.png.scans import page_png
from testkit.timing.waiting import wait_until

COUNT, SEED = 300, 7
#: The limit of LocalStack, and of queues that were created before August 2025.
MAX_MESSAGE_BYTES = 256 * 1024
#: Attributes of other producers, some with our names and other types.
ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {},
    {"traceparent": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
    {"request_id": {"DataType": "Number", "StringValue": "17"}},
    {f"colour{n}": {"DataType": "String.custom", "StringValue": "blue"} for n in range(10)},
)


@pytest.fixture
def settings(aws_settings: Settings) -> Settings:
    ensure_resources(aws_settings, s3=aws.s3_client(aws_settings), sqs=aws.sqs_client(aws_settings))
    return aws_settings


def sendable(bucket: str) -> list[tuple[Odd, str]]:
    """COUNT messages for *bucket* that SQS accepts."""
    sha256 = hashlib.sha256(page_png()).hexdigest()
    made = (
        (o, o.body.replace(BUCKET, bucket)) for o in odd_messages(2 * COUNT, SEED, sha256=sha256)
    )
    fit = [
        (odd, body)
        for odd, body in made
        if SENDABLE.fullmatch(body) and len(body.encode()) < MAX_MESSAGE_BYTES
    ]
    return fit[:COUNT]


def send_all(settings: Settings) -> dict[str, Odd]:
    """Store the originals and send the messages; returns them by the id to be announced."""
    originals = S3Bucket(settings, settings.input_bucket, AwsMetrics())
    sqs, sent = aws.sqs_client(settings), {}
    url = sqs.get_queue_url(QueueName=settings.input_queue)["QueueUrl"]
    for number, (odd, body) in enumerate(sendable(settings.input_bucket)):
        originals.put(odd.key, page_png(), content_type="image/png", metadata={})
        answer = sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId=f"g{number}",
            MessageDeduplicationId=f"d{number}",
            MessageAttributes=ATTRIBUTES[number % len(ATTRIBUTES)],
        )
        sent[str(odd.image_id or answer["MessageId"])] = odd
    return sent


def receive(settings: Settings, heard: list[Any]) -> None:
    queue = make_queue(settings, settings.processed_queue)
    deliveries = queue.receive(max_messages=10, wait_time_s=1, visibility_timeout_s=30)
    heard += [json.loads(delivery.body) for delivery in deliveries]
    if deliveries:
        queue.delete_batch(deliveries)


def test_every_odd_message_is_processed_or_failed_with_one_record_and_one_announcement(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker._UPGRADE_S", 0)
    sent, heard = send_all(settings), list[Any]()
    assert len(sent) == COUNT

    def have_ended() -> bool:
        receive(settings, heard)
        return len(heard) >= COUNT

    worker = Wiring(settings, "worker").worker
    assert worker
    with worker:
        wait_until(have_ended, within_s=180)
        depth = make_queue(settings, settings.input_queue).depth
        wait_until(lambda: depth().waiting + depth().held == 0)
    receive(settings, heard)

    ends = Counter((a["error"] or {}).get("code", a["status"]) for a in heard)
    print(f"\n{COUNT} sent, {len(heard)} announced: {dict(ends)}")
    assert Counter(a["image_id"] for a in heard) == Counter(sent.keys())
    assert records(settings) == Counter((a["image_id"], a["status"]) for a in heard)
    dead_letters = make_queue(settings, settings.input_dead_letter_queue).depth()
    assert dead_letters.waiting + dead_letters.held == ends["unsupported-job"] > 0
    assert ends["processed"] > COUNT / 10


def records(settings: Settings) -> Counter[tuple[str, str]]:
    keys = [
        found.key for found in S3Bucket(settings, settings.processed_bucket, AwsMetrics()).list()
    ]
    return Counter(
        (key.removeprefix("failures/")[:36], "failed" if "failures/" in key else "processed")
        for key in keys
    )
