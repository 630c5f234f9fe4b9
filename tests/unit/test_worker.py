"""The worker on fakes: what it does with each kind of message, and in which order."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from app.domain import Binarized, Job, StoredObject
from app.errors import CorruptPngError, QueueUnavailableError, StorageUnavailableError
from app.image_store import ImageStore
from app.worker import Outcome, Worker
from tests.support.fakes import MemoryBucket, MemoryQueue
from tests.support.waiting import wait_until

MAX_RECEIVES = 3


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def to_page(data: bytes, job: Job) -> Binarized:
    """A processor whose result is its input in upper case."""
    if data == b"bad":
        raise CorruptPngError("It breaks off.")
    if data == b"bug":
        raise ZeroDivisionError("a secret of ours")
    return Binarized(data.upper(), 4, 3, 300, job.method or "otsu", job.parameters, 99, 0.5, 1)


class House:
    """A worker with everything around it in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.journal: list[str] = []
        self.inputs = MemoryBucket("image-input")
        self.outputs = Journalled("image-processed", self.journal)
        self.jobs = JournalledQueue("jobs.fifo", self.journal, self.clock)
        self.announced = JournalledQueue("announcements.fifo", self.journal, self.clock)
        self.worker = Worker(
            jobs=self.jobs,
            store=ImageStore(self.inputs, self.outputs),
            announcements=self.announced,
            process=to_page,
            poll_wait_s=0,
            max_receives=MAX_RECEIVES,
        )

    def upload(self, data: bytes = b"page", **job: Any) -> uuid.UUID:
        image_id = uuid.uuid4()
        key = f"{image_id}.png"
        self.inputs.put(key, data, content_type="image/png", metadata={})
        body = {"image_id": str(image_id), "bucket": "image-input", "key": key, **job}
        self.send(json.dumps(body), group=job.get("group") or str(image_id))
        return image_id

    def send(self, body: str, group: str = "g") -> None:
        self.jobs.send(body, group=group, deduplication_id=str(uuid.uuid4()))

    def run(self) -> list[Outcome]:
        return self.worker.run_once()

    def run_after(self, seconds: float) -> list[Outcome]:
        self.clock.now_s += seconds
        return self.run()

    @property
    def announcements(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.announced.bodies]


class Journalled(MemoryBucket):
    def __init__(self, name: str, journal: list[str]) -> None:
        super().__init__(name)
        self._journal = journal
        self.crash_after_put = False

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        self._journal.append("store")
        stored = super().put_once(key, data, content_type=content_type, metadata=metadata)
        if self.crash_after_put:
            raise KeyboardInterrupt
        return stored


class JournalledQueue(MemoryQueue):
    def __init__(self, name: str, journal: list[str], clock: Clock) -> None:
        super().__init__(name, clock=clock)
        self._journal = journal
        self.fails_to_delete = False

    def send(self, body: str, *, group: str, deduplication_id: str) -> None:
        self._journal.append(f"send to {self.name}")
        super().send(body, group=group, deduplication_id=deduplication_id)

    def delete(self, delivery: Any) -> None:
        if self.fails_to_delete:
            raise QueueUnavailableError("away")
        self._journal.append("delete")
        super().delete(delivery)


@pytest.fixture
def house() -> House:
    return House()


def test_an_image_is_stored_announced_and_its_message_deleted(house: House) -> None:
    image_id = house.upload(method="simple", group="invoice-42")

    assert house.run() == [Outcome.PROCESSED]
    assert house.outputs.objects[f"{image_id}.png"].data == b"PAGE"
    assert house.jobs.messages == []
    (announcement,) = house.announcements
    assert announcement["status"] == "processed"
    assert announcement["version"] == 1
    assert announcement["method"] == "simple"
    assert announcement["original"]["key"] == f"{image_id}.png"
    assert announcement["original"]["bytes"] == 4
    assert announcement["processed"]["bucket"] == "image-processed"
    assert house.announced.messages[0].group == "invoice-42"


def test_nothing_is_announced_before_it_is_stored_nor_deleted_before_it_is_announced(
    house: House,
) -> None:
    house.upload()
    house.journal.clear()

    house.run()

    assert house.journal == ["store", "send to announcements.fifo", "delete"]


def test_an_image_without_a_group_is_its_own_group(house: House) -> None:
    image_id = house.upload()

    house.run()

    assert house.announced.messages[0].group == str(image_id)


def test_a_bad_image_is_recorded_announced_and_never_tried_again(house: House) -> None:
    image_id = house.upload(b"bad")

    assert house.run() == [Outcome.FAILED]
    assert house.jobs.messages == []
    record = json.loads(house.outputs.objects[f"failures/{image_id}.json"].data)
    assert record["error"] == {"code": "corrupt-png", "detail": "It breaks off."}
    assert house.announcements == [record]


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[" * 5000,
        json.dumps({"image_id": 7}),
        json.dumps({"version": 99, "image_id": str(uuid.uuid4()), "bucket": "b", "key": "k"}),
    ],
)
def test_a_message_that_cannot_be_read_ends_in_a_record_and_an_announcement(
    house: House, body: str
) -> None:
    house.send(body)

    assert house.run() == [Outcome.FAILED]
    assert house.jobs.messages == []
    assert [a["error"]["code"] for a in house.announcements] == ["invalid-message"]
    assert list(house.outputs.objects) == [f"failures/{house.announcements[0]['image_id']}.json"]


def test_an_unreadable_message_is_recorded_under_the_image_it_names(house: House) -> None:
    image_id = str(uuid.uuid4())
    house.send(json.dumps({"version": 99, "image_id": image_id}))

    house.run()

    assert house.announcements[0]["image_id"] == image_id


def test_a_foreign_bucket_is_refused_and_its_key_is_not_read_from_ours(house: House) -> None:
    image_id = house.upload(bucket="somebody-elses")
    private = {"original-filename": "payroll.png"}
    house.inputs.put(f"{image_id}.png", b"page", content_type="image/png", metadata=private)

    assert house.run() == [Outcome.FAILED]
    assert house.announcements[0]["error"]["code"] == "invalid-message"
    assert house.announcements[0]["original"] is None


def test_a_file_that_is_not_the_one_uploaded_is_refused(house: House) -> None:
    house.upload(sha256="0" * 64)

    assert house.run() == [Outcome.FAILED]
    assert "SHA-256" in house.announcements[0]["error"]["detail"]


def test_a_deleted_original_drops_the_job(house: House) -> None:
    image_id = house.upload()
    del house.inputs.objects[f"{image_id}.png"]

    assert house.run() == [Outcome.DROPPED]
    assert house.jobs.messages == []
    assert house.announcements == []


def test_a_redelivered_message_whose_result_is_stored_is_announced_not_done_again(
    house: House,
) -> None:
    house.upload()
    house.outputs.crash_after_put = True
    with pytest.raises(KeyboardInterrupt):  # the process dies
        house.run()
    house.outputs.crash_after_put = False
    house.journal.clear()

    assert house.run_after(61) == [Outcome.ANNOUNCED_AGAIN]
    assert house.journal == ["send to announcements.fifo", "delete"]
    assert [a["status"] for a in house.announcements] == ["processed"]


def test_a_result_that_is_already_there_is_announced_and_the_message_deleted(house: House) -> None:
    image_id = house.upload()
    first = {"original-bytes": "4", "processed-bytes": "1"}
    first |= {"processed-width": "4", "processed-height": "3", "processed-sha256": "ab"}
    first |= {"processed-black-ratio": "0.5", "processed-processing-ms": "1"}
    house.outputs.put(f"{image_id}.png", b"1", content_type="image/png", metadata=first)

    assert house.run() == [Outcome.PROCESSED]
    assert house.outputs.objects[f"{image_id}.png"].data == b"1"
    assert house.announcements[0]["processed"]["sha256"] == "ab"


def test_a_deleted_original_whose_result_is_stored_is_announced(house: House) -> None:
    image_id = house.upload()
    house.run()
    house.send(json.dumps({"image_id": str(image_id), "bucket": "image-input", "key": "gone.png"}))
    house.announced.messages.clear()
    house.clock.now_s += 301

    assert house.run() == [Outcome.ANNOUNCED_AGAIN]
    assert [a["status"] for a in house.announcements] == ["processed"]


def test_an_announcement_repeated_within_five_minutes_is_one(house: House) -> None:
    house.upload()
    house.jobs.fails_to_delete = True
    outcomes = [house.run()]
    house.jobs.fails_to_delete = False

    # Given back with a delay of 2 s at most, long before the visibility timeout of 60 s.
    outcomes.append(house.run_after(3))

    assert outcomes == [[Outcome.RETRIED], [Outcome.ANNOUNCED_AGAIN]]
    assert len(house.announcements) == 1


def test_an_outage_does_not_use_up_the_receives_of_those_who_wait(house: House) -> None:
    ids = [house.upload() for _ in range(5)]
    house.inputs.is_down = house.outputs.is_down = True
    for _ in range(50):
        with contextlib.suppress(StorageUnavailableError):
            house.run_after(61)

    assert max(message.receive_count for message in house.jobs.messages) == 1
    house.inputs.is_down = house.outputs.is_down = False
    outcomes = [house.run_after(61) for _ in ids]
    assert outcomes == [[Outcome.PROCESSED]] * 5


def test_an_outage_of_the_processed_queue_alone_is_waited_out_too(house: House) -> None:
    house.upload()
    house.announced.is_down = True
    outcomes = [house.run()]
    with pytest.raises(QueueUnavailableError):
        house.run_after(61)
    house.announced.is_down = False

    outcomes.append(house.run())

    assert outcomes == [[Outcome.RETRIED], [Outcome.ANNOUNCED_AGAIN]]


def test_an_outage_gives_the_message_back_for_later(house: House) -> None:
    house.upload()
    house.outputs.is_down = True

    assert house.run() == [Outcome.RETRIED]
    house.outputs.is_down = False
    assert house.run_after(301) == [Outcome.PROCESSED]


def test_when_not_even_giving_back_works_the_message_returns_by_itself(house: House) -> None:
    house.upload()
    (delivery,) = house.jobs.receive(max_messages=1, wait_time_s=0)
    house.outputs.is_down = house.jobs.is_down = True

    assert house.worker.handle(delivery) == Outcome.RETRIED
    house.outputs.is_down = house.jobs.is_down = False
    assert house.run_after(61) == [Outcome.PROCESSED]


def test_the_last_receive_of_an_image_records_why_and_leaves_it_to_the_dead_letter_queue(
    house: House,
) -> None:
    image_id = house.upload(b"bug")

    outcomes = [house.run_after(301) for _ in range(MAX_RECEIVES)]

    assert outcomes == [[Outcome.RETRIED]] * (MAX_RECEIVES - 1) + [[Outcome.GIVEN_UP]]
    assert len(house.jobs.messages) == 1
    assert f"failures/{image_id}.json" in house.outputs.objects
    assert house.announcements[0]["error"]["code"] == "internal-error"
    assert "secret" not in json.dumps(house.announcements)


def test_a_bad_image_does_not_stop_the_next_one(house: House) -> None:
    house.upload(b"bad")
    house.send("not json")
    house.upload(b"bug")
    house.upload()

    assert [house.run()[0] for _ in range(4)] == [
        Outcome.FAILED,
        Outcome.FAILED,
        Outcome.RETRIED,
        Outcome.PROCESSED,
    ]


def test_polling_survives_an_outage_of_the_queue(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker._FIRST_BACKOFF_S", 0.01)
    house.upload()
    house.jobs.is_down = True
    thread = threading.Thread(target=house.worker.run)
    thread.start()

    house.jobs.is_down = False
    wait_until(lambda: house.announced.messages, within_s=5)
    house.worker.stop()
    thread.join(5)

    assert not thread.is_alive()


def test_only_an_answered_poll_or_a_finished_job_is_a_sign_of_life(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.time.monotonic", house.clock)
    house.run()
    idle_s = [house.worker.idle_s]
    house.jobs.is_down = True

    with pytest.raises(QueueUnavailableError):
        house.run_after(100)
    idle_s.append(house.worker.idle_s)
    house.jobs.is_down = False
    house.run_after(1)
    idle_s.append(house.worker.idle_s)

    assert idle_s == [0, 100, 0]
