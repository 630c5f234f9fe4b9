"""After the loss of all queues, the buckets are enough to finish and announce every image."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from app.aws import clients as aws
from app.observability.metrics import AwsMetrics
from app.s3_service import make_image_store
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from testkit.png.scans import page_png
from testkit.processes.fleet import preload, role, run_command, wait_until_empty
from testkit.timing.waiting import wait_until

COUNT = 500
BROKEN = page_png()[:-20]


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"worker_concurrency": 8})


def statuses(settings: Settings, ids: list[str]) -> Counter[str]:
    store = make_image_store(settings, AwsMetrics())
    return Counter(store.find(UUID(image_id)).status.value for image_id in ids)


def delete_queues(settings: Settings) -> None:
    sqs = aws.sqs_client(settings)
    for name in (
        settings.input_queue,
        settings.input_dead_letter_queue,
        settings.processed_queue,
    ):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def announced(settings: Settings) -> list[Any]:
    """All announcements in the queue; deletes them."""
    queue = make_queue(settings, settings.processed_queue)
    found: list[Any] = []
    while deliveries := queue.receive(max_messages=10, wait_time_s=1, visibility_timeout_s=60):
        found += [json.loads(delivery.body) for delivery in deliveries]
        queue.delete_batch(deliveries)
    return found


def test_all_queues_are_rebuilt_from_the_buckets_and_each_image_is_announced_once(
    settings: Settings,
) -> None:
    bad = preload(settings, 25, png=BROKEN)
    good = preload(settings, COUNT - 100)
    with role("worker", settings):  # killed at the end of the block, while it works
        wait_until(lambda: statuses(settings, good)["processed"] > COUNT / 10, within_s=120)
    good += preload(settings, 50)
    bad += preload(settings, 25, png=BROKEN)
    before = statuses(settings, good + bad)
    delete_queues(settings)
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))

    reconciled = run_command("reconcile", settings, "--older-than", "0")
    with role("worker", settings):
        wait_until_empty(settings, within_s=300)
    repeated = run_command("announce-again", settings, "--all")
    again = run_command("reconcile", settings, "--older-than", "0")

    heard = announced(settings)
    print(f"\nbefore: {dict(before)}; {reconciled.stdout.splitlines()[-1]}")
    print(f"announce-again: {repeated.stdout.splitlines()[-1]}; {len(heard)} announcements")
    assert before.keys() == {"queued", "processed", "failed"}
    assert again.stdout.endswith("sent 0, failed 0\n")
    assert Counter(a["image_id"] for a in heard) == Counter(good + bad)
    assert Counter(a["status"] for a in heard) == {"processed": len(good), "failed": len(bad)}
