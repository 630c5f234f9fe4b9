"""Messages that can never be processed: one failure record and one announcement each, no delay."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from app.aws import clients as aws
from app.domain.ports import Message
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from testkit.aws.fault_proxy import FaultProxy, Rule, Status
from testkit.png.scans import page_png
from testkit.processes.fleet import Announcements, Role, preload, role, run_command
from testkit.processes.scripted_worker import DEADLY_WIDTH
from testkit.timing.waiting import assert_within, wait_until

VISIBILITY_TIMEOUT_S = 2
#: The most that bad images may delay a good one.
DELAY_S = 1.0


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"visibility_timeout_s": VISIBILITY_TIMEOUT_S})


def send(settings: Settings, body: str) -> None:
    unique = uuid.uuid4().hex
    make_queue(settings, settings.input_queue).send(Message(body, unique, unique))


def job(settings: Settings, **fields: Any) -> str:
    image_id = str(uuid.uuid4())
    known = {"image_id": image_id, "bucket": settings.input_bucket, "key": f"{image_id}.png"}
    return json.dumps(known | fields)


def poison(settings: Settings) -> None:
    """Send one message of each kind that fails without a crash."""
    preload(settings, 1, png=page_png()[:-20])
    send(settings, "{ this is not JSON")
    send(settings, job(settings, version=0))
    send(settings, job(settings))  # no such object
    send(settings, job(settings, bucket="somebody-elses"))


def latency_s(settings: Settings, announcements: Announcements) -> float:
    began_at = time.monotonic()
    (image_id,) = preload(settings, 1)
    wait_until(lambda: announcements.seen[image_id, "processed"] == 1)
    return time.monotonic() - began_at


def records(settings: Settings) -> list[Any]:
    s3 = aws.s3_client(settings)
    found = s3.list_objects_v2(Bucket=settings.processed_bucket, Prefix="failures/")
    return [
        json.loads(s3.get_object(Bucket=settings.processed_bucket, Key=o["Key"])["Body"].read())
        for o in found.get("Contents", [])
    ]


def failed(announcements: Announcements) -> int:
    return sum(n for (_, status), n in announcements.seen.items() if status == "failed")


def test_each_bad_message_gets_a_record_and_an_announcement_and_delays_no_other(
    settings: Settings, tmp_path: Path
) -> None:
    with (
        Announcements(settings) as announcements,
        worker(settings, tmp_path),
        worker(settings, tmp_path),
    ):
        latency_s(settings, announcements)  # waits until both workers have started
        usual_s = latency_s(settings, announcements)
        poison(settings)
        behind_s = latency_s(settings, announcements)
        preload(settings, 1, png=page_png(width=DEADLY_WIDTH))
        # The image has killed one worker; that worker's messages wait for their visibility timeout.
        survivor_s = latency_s(settings, announcements)
        wait_until(lambda: failed(announcements) == 6, within_s=120)

    codes = Counter(record["error"]["code"] for record in records(settings))
    print(f"6 of 6: {dict(codes)}")
    print(f"a good image takes {usual_s:.2f} s, behind five bad ones {behind_s:.2f} s,")
    print(f"behind the one that kills its process {survivor_s:.2f} s")
    assert codes == {
        "corrupt-png": 1,
        "invalid-message": 3,
        "original-missing": 1,
        "processing-crashed": 1,
    }
    assert failed(announcements) == 6
    assert max(announcements.seen.values()) == 1
    assert_within(max(behind_s, survivor_s), usual_s + DELAY_S)


def has_ended(role: Role) -> bool:
    return role.process.poll() is not None


def worker(settings: Settings, folder: Path) -> AbstractContextManager[Role]:
    variables = {"NOTES": str(folder / "notes"), "SLOW_S": "0"}
    return role("worker", settings, module="testkit.processes.scripted_worker", **variables)


def test_an_image_that_was_given_up_is_recorded_and_succeeds_after_a_redrive(
    settings: Settings,
) -> None:
    with FaultProxy(settings.aws_endpoint_url) as proxy, Announcements(settings) as announcements:
        settings = settings.model_copy(update={"max_receives": 2})
        ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
        behind = settings.model_copy(update={"aws_endpoint_url": proxy.url})
        (image_id,) = preload(settings, 1)
        refused = f"{settings.processed_bucket}/{image_id}.png"
        proxy.rules = [Rule(Status(503, "SlowDown"), frozenset({"PutObject"}), refused)]
        dead_letters = make_queue(settings, settings.input_dead_letter_queue)
        with role("worker", behind):
            wait_until(lambda: announcements.seen[image_id, "failed"] == 1, within_s=60)
            wait_until(lambda: dead_letters.depth().waiting == 1)
        (record,) = records(settings)
        proxy.rules = []

        redrive = run_command("redrive", settings)
        with role("worker", settings):
            wait_until(lambda: announcements.seen[image_id, "processed"] == 1, within_s=120)

    assert redrive.returncode == 0, redrive.stderr
    assert record["error"]["code"] == "storage-unavailable"
    assert dead_letters.depth().waiting == 0
    result = aws.s3_client(settings).head_object(
        Bucket=settings.processed_bucket, Key=f"{image_id}.png"
    )
    assert result["ContentLength"] > 0
