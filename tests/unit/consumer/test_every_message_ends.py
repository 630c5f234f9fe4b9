"""Whatever a message holds, it ends: as one record and one announcement, or processed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from app.consumer.leases import Lease
from app.consumer.observer import Observer
from app.consumer.outcome import Outcome
from app.domain.messages import MESSAGE_VERSION, Job
from app.domain.methods import DEFAULT_METHOD, METHODS, choose_method
from app.domain.ports import Binarized, Delivery
from app.images.records import Records
from app.observability.worker_metrics import WorkerMetrics
from testkit.corpora.odd_messages import BUCKET, SENDABLE, Odd, odd_messages
from testkit.in_memory.memory_pipeline import MemoryPipeline, to_page

COUNT, SEED = int(os.environ.get("ODD_MESSAGES", "5000")), 20261128
MAX_RECEIVES = 3
#: Ten of them fit into a request of 256 KiB, which is all that older queues and emulators take.
MAX_ANNOUNCEMENT_BYTES = 25 * 1024
IMAGE_ID = "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"
ODD_ATTRIBUTES: tuple[dict[str, str], ...] = (
    {},
    {"traceparent": "x", "tracestate": "\x00", "request_id": "a b"},
    {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"},
    {"request_id": "é" * 300, "colour": "blue"},
)


@pytest.fixture
def pipeline() -> MemoryPipeline:
    pipeline = MemoryPipeline(max_receives=MAX_RECEIVES)
    pipeline.worker._process = pipeline.worker._process_apart = to_page_as_asked
    return pipeline


def to_page_as_asked(data: bytes, job: Job) -> Binarized:
    """Method and parameters are checked as the engine checks them."""
    choose_method(METHODS, job.method or DEFAULT_METHOD).parse(job.parameters)
    return to_page(data, job)


def bring_to_its_end(pipeline: MemoryPipeline, odd: Odd, number: int) -> Lease:
    """Send *odd*, with odd attributes, some of it after it has come back, and handle it."""
    pipeline.originals.put(odd.key, b"page", content_type="image/png", metadata={})
    pipeline.send(odd.body, group=f"g{number}")
    pipeline.jobs.messages[-1].attributes = ODD_ATTRIBUTES[number % len(ODD_ATTRIBUTES)]
    for _ in range(number % MAX_RECEIVES if number % 5 == 0 else 0):
        pipeline.receive()
        pipeline.clock.advance(61)
    lease = pipeline.receive()
    while (outcome := pipeline.worker.handle(lease).outcome) is Outcome.RETRIED:
        pipeline.clock.advance(61)
        lease = pipeline.receive()
    assert outcome in (Outcome.PROCESSED, Outcome.FAILED, Outcome.GIVEN_UP), f"{outcome}"
    if outcome is Outcome.GIVEN_UP:
        pipeline.clock.advance(61)
        assert not pipeline.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)
    return lease


def check_the_end(pipeline: MemoryPipeline, odd: Odd, lease: Lease, was: set[str]) -> str:
    """One new object and one announcement of it, under the id that the producer gave."""
    (body,) = pipeline.announced.bodies
    said = json.loads(body)
    image_id = str(odd.image_id or lease.delivery.message_id)
    assert said["image_id"] == image_id
    assert len(body.encode()) <= MAX_ANNOUNCEMENT_BYTES
    assert SENDABLE.fullmatch(body)
    (record,) = pipeline.results.objects.keys() - was
    is_processed = said["status"] == "processed"
    assert re.fullmatch(
        rf"{image_id}\.png" if is_processed else rf"failures/{image_id}(/[0-9a-f]{{32}})?\.json",
        record,
    )
    metadata = pipeline.results.objects[record].metadata
    assert sum(len(k) + len(v) for k, v in metadata.items()) <= 2048
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    assert pipeline.jobs.messages == []
    return "processed" if is_processed else said["error"]["code"]


def test_every_one_of_thousands_of_odd_messages_ends(pipeline: MemoryPipeline) -> None:
    ends: Counter[str] = Counter()
    escaped: list[str] = []
    sha256 = hashlib.sha256(b"page").hexdigest()
    began_at = time.monotonic()
    for number, odd in enumerate(odd_messages(COUNT, SEED, sha256=sha256)):
        was = set(pipeline.results.objects)
        try:
            lease = bring_to_its_end(pipeline, odd, number)
            ends[check_the_end(pipeline, odd, lease, was)] += 1
        except Exception as exc:
            escaped.append(f"{odd.kind}: {odd.body[:300]!r}: {type(exc).__name__}: {exc}"[:900])
            pipeline.jobs.messages.clear()
        for memory in (pipeline.results, pipeline.originals):
            memory.objects.clear()
        pipeline.announced.messages.clear()
        pipeline.journal.clear()

    seconds = time.monotonic() - began_at
    print(f"\n{COUNT} messages, {sum(ends.values())} ended, {len(escaped)} escaped: {dict(ends)}")
    print(f"{len(pipeline.dead_letters.messages)} in the dead-letter queue; {seconds:.1f} s")
    assert escaped[:5] == []
    assert sum(ends.values()) == COUNT
    assert len(pipeline.dead_letters.messages) == ends["unsupported-job"] > 0
    # Not only refusals, and not only one kind of them.
    assert ends["processed"] > COUNT / 10
    assert len(ends) >= 4


def job(**fields: Any) -> str:
    return json.dumps({"image_id": IMAGE_ID, "bucket": BUCKET, "key": f"{IMAGE_ID}.png"} | fields)


@pytest.mark.parametrize(
    ("body", "is_processed"),
    [
        ("\ufeff" + job(), True),
        (job(image_id=IMAGE_ID.upper()), True),
        (job(key=f"{IMAGE_ID.upper()}.png"), True),
        (job(key=f"{IMAGE_ID}%2Epng"), True),
        (job(sha256=hashlib.sha256(b"page").hexdigest().upper()), True),
        (job(sha256="3Ki4JXU0wsVxKXEeBWRCr7nAY0eA2y1PEKYbkU/lm1g="), False),
        (job(version=None, parameters=None, redrive=None, method=None, uploaded_at=None), True),
        (job(version=str(MESSAGE_VERSION)), True),
        (job(uploaded_at="0001-01-01T00:00:00+14:00"), False),
        (job(uploaded_at="0001-01-01T00:00:00Z"), True),
        (job(key="/"), False),
        (job(redrive=10**30), False),
        (job(method="simple", parameters={"threshold": 10**400}), False),
    ],
)
def test_a_value_counts_however_a_producer_spells_it(
    pipeline: MemoryPipeline, body: str, is_processed: bool
) -> None:
    pipeline.originals.put(f"{IMAGE_ID}.png", b"page", content_type="image/png", metadata={})
    pipeline.send(body)

    outcome = pipeline.handle_next().outcome

    assert outcome is (Outcome.PROCESSED if is_processed else Outcome.FAILED)
    assert [a["image_id"] for a in pipeline.announcements] == [IMAGE_ID]


@pytest.mark.parametrize(
    ("envelope", "sentence"),
    [
        ({"Type": "Notification", "TopicArn": "x", "Message": job()}, "raw message delivery"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "event of S3"),
        ({"detail-type": "Scan", "detail": {}}, "EventBridge"),
        ({"body": "W10=", "headers": {}, "properties": {}}, "Celery"),
        ({"data": json.loads(job())}, "inside 'data'"),
        (job(), "JSON inside a JSON string"),
    ],
)
def test_an_envelope_is_called_by_its_name(
    pipeline: MemoryPipeline, envelope: object, sentence: str
) -> None:
    pipeline.send(json.dumps(envelope))

    assert pipeline.handle_next().outcome is Outcome.FAILED
    assert pipeline.codes == ["invalid-message"]
    assert sentence in pipeline.announcements[0]["error"]["detail"]


def test_the_id_in_an_envelope_is_used_only_if_there_is_exactly_one(
    pipeline: MemoryPipeline,
) -> None:
    two = {"a": {"image_id": IMAGE_ID}, "b": {"image_id": str(uuid.uuid4())}}
    for body in ({"a": {"image_id": IMAGE_ID}}, two):
        pipeline.send(json.dumps(body), group=uuid.uuid4().hex)
        pipeline.handle_next()

    first, second = (a["image_id"] for a in pipeline.announcements)
    assert first == IMAGE_ID
    assert second not in json.dumps(two)


def test_a_corrected_message_is_announced_soon_after_the_failure_of_the_first(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.originals.put(f"{IMAGE_ID}.png", b"page", content_type="image/png", metadata={})
    for body in (job(uploaded_at="yesterday"), job()):
        pipeline.send(body)
        pipeline.handle_next()

    assert [a["status"] for a in pipeline.announcements] == ["failed", "processed"]


def test_a_name_of_a_message_that_is_no_uuid_serves_as_well(pipeline: MemoryPipeline) -> None:
    pipeline.send("{")
    lease = pipeline.receive()
    lease.delivery = replace(lease.delivery, message_id="message-1")

    assert pipeline.worker.handle(lease).outcome is Outcome.FAILED
    assert len(pipeline.announcements) == 1


def test_metadata_of_other_producers_does_not_stop_an_image(pipeline: MemoryPipeline) -> None:
    strange = {
        "uploaded-at": "0001-01-01T00:00:00+14:00",
        "parameters": "[" * 1900,
        "original-width": "9" * 40,
    }
    for name, value in strange.items():
        image_id = pipeline.upload(b"page")
        stored = pipeline.originals.objects[f"{image_id}.png"]
        pipeline.originals.objects[stored.key] = replace(
            stored, metadata={name: value, "owner": "a"}
        )

        assert pipeline.handle_next().outcome is Outcome.PROCESSED
        assert pipeline.announcements[-1]["owner"] == "a"


# --- faults of ours ------------------------------------------------------------------------------


def fail(*_: object) -> Any:
    raise ZeroDivisionError


class Miscounting(WorkerMetrics):
    """What it is told of images, it cannot count."""

    started = ended = finished = announced = fail


def test_a_failure_of_the_metrics_stops_no_image(pipeline: MemoryPipeline) -> None:
    pipeline.upload()
    pipeline.upload(b"bad")
    pipeline.worker._observer = Observer("jobs.fifo", Miscounting())

    outcomes = [pipeline.handle_next().outcome for _ in range(2)]

    assert outcomes == [Outcome.PROCESSED, Outcome.FAILED]
    assert pipeline.jobs.messages == []


def test_a_delivery_that_the_observer_cannot_record_is_handled_anyway(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.upload()
    monkeypatch.setattr(Delivery, "image_id", property(fail))

    assert pipeline.handle_next().outcome is Outcome.PROCESSED


def test_a_fault_of_ours_on_the_last_receive_does_not_escape(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.upload(b"bug")
    for _ in range(MAX_RECEIVES - 1):
        pipeline.receive()
        pipeline.clock.advance(61)
    monkeypatch.setattr(Records, "put_failure", fail)

    assert pipeline.handle_next().outcome is Outcome.GIVEN_UP
