"""The protocol on fakes: what it does with each kind of message, and in which order."""

from __future__ import annotations

import json
import uuid

import pytest

from app.consumer.outcome import Ending, Outcome
from testkit.house import House

MAX_RECEIVES = 3


#: A fixed one: the names of tests must be the same in every process.
SOME_ID = "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"


@pytest.fixture
def house() -> House:
    return House(max_receives=MAX_RECEIVES)


def outcome(house: House) -> Outcome:
    return house.handle_next().outcome


# --- the good way ------------------------------------------------------------------------------


def test_an_image_is_stored_announced_and_its_message_deleted(house: House) -> None:
    image_id = house.upload(method="simple", group="invoice-42")

    assert outcome(house) is Outcome.PROCESSED
    assert house.results.objects[f"{image_id}.png"].data == b"PAGE"
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

    house.handle_next()

    assert house.journal == ["get original", "put result", "send announcement", "delete job"]


def test_an_image_without_a_group_is_its_own_group(house: House) -> None:
    image_id = house.upload()

    house.handle_next()

    assert house.announced.messages[0].group == str(image_id)


# --- what can never be processed ---------------------------------------------------------------


def test_a_bad_image_is_recorded_announced_and_never_tried_again(house: House) -> None:
    image_id = house.upload(b"bad")

    assert outcome(house) is Outcome.FAILED
    assert house.jobs.messages == []
    record = json.loads(house.results.objects[f"failures/{image_id}.json"].data)
    assert record["error"] == {"code": "corrupt-png", "detail": "It breaks off."}
    assert house.announcements == [record]


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[" * 5000,
        json.dumps({"image_id": 7}),
        json.dumps({"version": -1, "image_id": SOME_ID, "bucket": "b", "key": "k"}),
    ],
)
def test_a_message_that_cannot_be_read_ends_in_a_record_and_an_announcement(
    house: House, body: str
) -> None:
    house.send(body)

    assert outcome(house) is Outcome.FAILED
    assert house.jobs.messages == []
    assert house.codes == ["invalid-message"]
    assert list(house.results.objects) == [f"failures/{house.announcements[0]['image_id']}.json"]


def test_an_unreadable_message_is_recorded_under_the_image_it_names(house: House) -> None:
    image_id = str(uuid.uuid4())
    house.send(json.dumps({"version": 0, "image_id": image_id}))

    house.handle_next()

    assert house.announcements[0]["image_id"] == image_id


@pytest.mark.parametrize(
    "unknown",
    [
        {"version": 2},
        {"version": "2", "method": 7},
        {"method": "learned"},
        {"method": "sauvola", "parameters": {"window": 9, "depth": 2}},
    ],
)
def test_a_job_of_a_later_release_waits_for_a_worker_that_knows_it(
    house: House, unknown: dict[str, object]
) -> None:
    image_id = house.upload()
    job = json.loads(house.jobs.messages[0].body)
    house.jobs.messages[0].body = json.dumps(job | unknown)

    endings = [house.handle_next()]
    for _ in range(MAX_RECEIVES - 1):
        assert (endings[-1].outcome, endings[-1].delay_s) == (Outcome.RETRIED, 60)
        assert house.announcements == []
        house.clock.advance(61)
        endings.append(house.handle_next())

    assert endings[-1].outcome is Outcome.GIVEN_UP
    assert house.codes == ["unsupported-job"]
    assert list(house.results.objects) == [f"failures/{image_id}.json"]
    house.clock.advance(61)
    assert not house.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)
    assert len(house.dead_letters.messages) == 1


def test_a_foreign_bucket_is_refused_and_its_key_is_not_read_from_ours(house: House) -> None:
    image_id = house.upload(bucket="somebody-elses")
    private = {"original-filename": "payroll.png"}
    house.originals.put(f"{image_id}.png", b"page", content_type="image/png", metadata=private)

    assert outcome(house) is Outcome.FAILED
    assert house.codes == ["invalid-message"]
    assert house.announcements[0]["original"] is None


def test_a_file_that_is_not_the_one_uploaded_is_refused(house: House) -> None:
    house.upload(sha256="0" * 64)

    assert outcome(house) is Outcome.FAILED
    assert "SHA-256" in house.announcements[0]["error"]["detail"]


def test_a_missing_original_is_a_failure_with_a_reason(house: House) -> None:
    image_id = house.upload()
    del house.originals.objects[f"{image_id}.png"]

    assert outcome(house) is Outcome.FAILED
    assert house.jobs.messages == []
    assert house.codes == ["original-missing"]
    assert f"'{image_id}.png'" in house.announcements[0]["error"]["detail"]


def test_a_missing_original_whose_result_is_stored_is_announced(house: House) -> None:
    image_id = house.upload()
    house.handle_next()
    del house.originals.objects[f"{image_id}.png"]
    house.send(house.job(image_id))
    house.announced.messages.clear()
    house.clock.now_s += 301

    assert outcome(house) is Outcome.ANNOUNCED_AGAIN
    assert [a["status"] for a in house.announcements] == ["processed"]


# --- what came before --------------------------------------------------------------------------


def test_a_redelivered_message_whose_result_is_stored_is_announced_not_done_again(
    house: House,
) -> None:
    house.upload()
    house.kill_after("put result")
    house.journal.clear()

    assert house.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert house.journal == ["head result", "send announcement", "delete job"]
    assert [a["status"] for a in house.announcements] == ["processed"]


def test_a_redelivered_message_whose_failure_is_recorded_is_announced_again(house: House) -> None:
    house.upload(b"bad")
    house.kill_after("put failure")

    assert house.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert house.codes == ["corrupt-png"]


def test_a_damaged_record_is_written_anew_and_its_image_ends(house: House) -> None:
    image_id = house.upload(b"bad")
    house.results.put(f"failures/{image_id}.json", b"{", content_type="", metadata={})

    assert outcome(house) is Outcome.FAILED
    assert house.codes == ["corrupt-png"]
    record = house.results.objects[f"failures/{image_id}.json"]
    assert json.loads(record.data)["error"]["code"] == "corrupt-png"


def test_a_result_that_is_already_there_is_announced_and_the_message_deleted(house: House) -> None:
    image_id = house.upload()
    first = {"original-bytes": "4", "processed-bytes": "1", "processed-sha256": "ab"}
    house.results.put(f"{image_id}.png", b"1", content_type="image/png", metadata=first)

    assert outcome(house) is Outcome.PROCESSED
    assert house.results.objects[f"{image_id}.png"].data == b"1"
    assert house.announcements[0]["processed"]["sha256"] == "ab"


def test_an_announcement_repeated_within_five_minutes_is_one(house: House) -> None:
    house.upload()
    house.kill_after("send announcement")

    assert house.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert len(house.announcements) == 1


@pytest.mark.parametrize(
    ("receives", "redrive", "is_apart"), [(1, 0, False), (2, 0, True), (1, 1, True)]
)
def test_only_what_came_before_is_processed_apart(
    house: House, receives: int, redrive: int, is_apart: bool
) -> None:
    house.upload(redrive=redrive)
    for _ in range(receives - 1):
        house.receive()
        house.clock.now_s += 61

    house.handle_next()

    assert house.processed_apart == [is_apart]


def test_an_image_that_kills_its_child_is_a_failure_with_a_reason(house: House) -> None:
    house.upload(b"deadly")
    house.receive()  # by a worker that it killed

    assert house.handle_after(61).outcome is Outcome.FAILED
    assert house.codes == ["processing-crashed"]


# --- rounds ------------------------------------------------------------------------------------


def test_a_failure_of_an_earlier_round_does_not_stand_in_the_way(house: House) -> None:
    image_id = house.upload(b"bad")
    house.handle_next()
    house.originals.put(f"{image_id}.png", b"page", content_type="image/png", metadata={})
    house.send(house.job(image_id, redrive=1))

    assert outcome(house) is Outcome.PROCESSED
    assert [a["status"] for a in house.announcements] == ["failed", "processed"]
    assert [a["redrive"] for a in house.announcements] == [0, 1]


def test_a_failure_of_the_same_round_is_announced_again(house: House) -> None:
    image_id = house.upload(b"bad")
    house.handle_next()
    house.send(house.job(image_id, redrive=1))
    house.kill_after("put failure")

    assert house.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert [a["redrive"] for a in house.announcements] == [0, 1]


def test_a_result_found_by_a_later_round_is_announced_in_that_round(house: House) -> None:
    image_id = house.upload()
    house.handle_next()
    house.send(house.job(image_id, redrive=1))

    assert outcome(house) is Outcome.ANNOUNCED_AGAIN
    assert [a["redrive"] for a in house.announcements] == [0, 1]


# --- leases ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "left"),
    [("get original", []), ("put result", ["put result"]), ("put failure", ["put failure"])],
)
def test_whoever_is_frozen_beyond_the_lease_writes_no_more(
    house: House, until: str, left: list[str]
) -> None:
    house.upload(b"bad" if until == "put failure" else b"page")
    lease = house.receive()
    house.journal.clear()
    house.on(until, lambda: house.clock.advance(61))

    assert house.worker.handle(lease) == Ending(Outcome.LEASE_LOST)
    assert [step for step in house.journal if step.startswith(("put", "send", "del"))] == left


def test_a_deleted_image_whose_message_cannot_be_deleted_is_tried_again(house: House) -> None:
    house.store.delete(house.upload())

    def fail_before_delete(step: str, is_done: bool) -> None:
        if step == "delete job" and not is_done:
            house.fail("the queue")

    house.hand = fail_before_delete
    tried = house.handle_next()
    house.hand = lambda *_: None
    ended = house.handle_after(61)

    assert (tried.outcome, tried.is_outage) == (Outcome.RETRIED, True)
    assert (ended.outcome, house.jobs.messages, house.announcements) == (Outcome.DELETED, [], [])


def test_a_delete_that_comes_too_late_is_no_failure(house: House) -> None:
    house.upload()
    house.on("send announcement", lambda: house.clock.advance(61))

    assert outcome(house) is Outcome.PROCESSED
    assert [a["status"] for a in house.announcements] == ["processed"]


# --- outages and faults of ours ----------------------------------------------------------------


@pytest.mark.parametrize("where", ["originals", "results", "announced", "jobs"])
def test_an_outage_has_the_message_seen_again(house: House, where: str) -> None:
    house.upload()
    lease = house.receive()
    getattr(house, where).is_down = True

    ending = house.worker.handle(lease)

    assert (ending.outcome, ending.is_outage) == (Outcome.RETRIED, True)
    assert house.announcements == [] or where == "jobs"
    assert len(house.jobs.messages) == 1


def test_a_fault_of_ours_is_tried_again_and_is_no_outage(house: House) -> None:
    house.upload(b"bug")

    ending = house.handle_next()

    assert (ending.outcome, ending.is_outage) == (Outcome.RETRIED, False)


@pytest.mark.parametrize(("receives", "bound_s"), [(1, 2), (2, 4), (4, 16), (9, 60)])
def test_the_wait_before_the_next_try_is_random_and_its_bound_doubles(
    receives: int, bound_s: int
) -> None:
    house = House(max_receives=1000)
    house.upload(b"bug")
    for _ in range(receives - 1):
        house.receive()
        house.clock.advance(61)
    lease = house.receive()

    delays_s = {house.worker.handle(lease).delay_s for _ in range(300)}

    assert max(delays_s) == bound_s
    assert min(delays_s) <= bound_s / 2


def test_the_last_receive_records_why_and_leaves_the_message_to_the_dead_letter_queue(
    house: House,
) -> None:
    image_id = house.upload(b"bug")

    endings = [house.handle_after(61) for _ in range(MAX_RECEIVES)]

    assert [e.outcome for e in endings] == [Outcome.RETRIED, Outcome.RETRIED, Outcome.GIVEN_UP]
    assert len(house.jobs.messages) == 1
    assert f"failures/{image_id}.json" in house.results.objects
    assert house.codes == ["internal-error"]
    assert "secret" not in json.dumps(house.announcements)


def test_a_last_receive_that_cannot_be_recorded_is_given_up_all_the_same(house: House) -> None:
    house.upload()
    for _ in range(MAX_RECEIVES - 1):
        house.receive()
        house.clock.advance(61)
    lease = house.receive()
    house.results.is_down = True

    assert house.worker.handle(lease) == Ending(Outcome.GIVEN_UP, is_outage=True)
    assert len(house.jobs.messages) == 1


def test_a_last_receive_whose_result_is_stored_says_processed(house: House) -> None:
    house.upload()
    for _ in range(MAX_RECEIVES - 1):
        house.receive()
        house.clock.advance(61)
    lease = house.receive()
    failing = iter([True])
    house.on("send announcement", lambda: next(failing, False) and house.fail("announced"))

    assert house.worker.handle(lease).outcome is Outcome.GIVEN_UP
    assert [a["status"] for a in house.announcements] == ["processed"]
