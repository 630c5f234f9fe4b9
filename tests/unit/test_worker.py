"""The protocol on fakes: what it does with each kind of message, and in which order."""

from __future__ import annotations

import json
import uuid

import pytest

from app.consumer.outcome import Ending, Outcome
from testkit.in_memory.memory_pipeline import MemoryPipeline

MAX_RECEIVES = 3


#: A fixed one: the names of tests must be the same in every process.
SOME_ID = "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"


@pytest.fixture
def pipeline() -> MemoryPipeline:
    return MemoryPipeline(max_receives=MAX_RECEIVES)


def outcome(pipeline: MemoryPipeline) -> Outcome:
    return pipeline.handle_next().outcome


# --- the good way ------------------------------------------------------------------------------


def test_an_image_is_stored_announced_and_its_message_deleted(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload(method="simple", group="invoice-42")

    assert outcome(pipeline) is Outcome.PROCESSED
    assert pipeline.results.objects[f"{image_id}.png"].data == b"PAGE"
    assert pipeline.jobs.messages == []
    (announcement,) = pipeline.announcements
    assert announcement["status"] == "processed"
    assert announcement["version"] == 1
    assert announcement["method"] == "simple"
    assert announcement["original"]["key"] == f"{image_id}.png"
    assert announcement["original"]["bytes"] == 4
    assert announcement["processed"]["bucket"] == "image-processed"
    assert pipeline.announced.messages[0].group == "invoice-42"


def test_nothing_is_announced_before_it_is_stored_nor_deleted_before_it_is_announced(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.upload()
    pipeline.journal.clear()

    pipeline.handle_next()

    assert pipeline.journal == ["get original", "put result", "send announcement", "delete job"]


def test_an_image_without_a_group_is_its_own_group(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload()

    pipeline.handle_next()

    assert pipeline.announced.messages[0].group == str(image_id)


# --- what can never be processed ---------------------------------------------------------------


def test_a_bad_image_is_recorded_announced_and_never_tried_again(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload(b"bad")

    assert outcome(pipeline) is Outcome.FAILED
    assert pipeline.jobs.messages == []
    record = json.loads(pipeline.results.objects[f"failures/{image_id}.json"].data)
    assert record["error"] == {"code": "corrupt-png", "detail": "It breaks off."}
    assert pipeline.announcements == [record]


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
    pipeline: MemoryPipeline, body: str
) -> None:
    pipeline.send(body)

    assert outcome(pipeline) is Outcome.FAILED
    assert pipeline.jobs.messages == []
    assert pipeline.codes == ["invalid-message"]
    assert list(pipeline.results.objects) == [
        f"failures/{pipeline.announcements[0]['image_id']}.json"
    ]


def test_an_unreadable_message_is_recorded_under_the_image_it_names(
    pipeline: MemoryPipeline,
) -> None:
    image_id = str(uuid.uuid4())
    pipeline.send(json.dumps({"version": 0, "image_id": image_id}))

    pipeline.handle_next()

    assert pipeline.announcements[0]["image_id"] == image_id


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
    pipeline: MemoryPipeline, unknown: dict[str, object]
) -> None:
    image_id = pipeline.upload()
    job = json.loads(pipeline.jobs.messages[0].body)
    pipeline.jobs.messages[0].body = json.dumps(job | unknown)

    endings = [pipeline.handle_next()]
    for _ in range(MAX_RECEIVES - 1):
        assert (endings[-1].outcome, endings[-1].delay_s) == (Outcome.RETRIED, 60)
        assert pipeline.announcements == []
        pipeline.clock.advance(61)
        endings.append(pipeline.handle_next())

    assert endings[-1].outcome is Outcome.GIVEN_UP
    assert pipeline.codes == ["unsupported-job"]
    assert list(pipeline.results.objects) == [f"failures/{image_id}.json"]
    pipeline.clock.advance(61)
    assert not pipeline.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)
    assert len(pipeline.dead_letters.messages) == 1


def test_a_foreign_bucket_is_refused_and_its_key_is_not_read_from_ours(
    pipeline: MemoryPipeline,
) -> None:
    image_id = pipeline.upload(bucket="somebody-elses")
    private = {"original-filename": "payroll.png"}
    pipeline.originals.put(f"{image_id}.png", b"page", content_type="image/png", metadata=private)

    assert outcome(pipeline) is Outcome.FAILED
    assert pipeline.codes == ["invalid-message"]
    assert pipeline.announcements[0]["original"] is None


def test_a_file_that_is_not_the_one_uploaded_is_refused(pipeline: MemoryPipeline) -> None:
    pipeline.upload(sha256="0" * 64)

    assert outcome(pipeline) is Outcome.FAILED
    assert "SHA-256" in pipeline.announcements[0]["error"]["detail"]


def test_a_missing_original_is_a_failure_with_a_reason(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload()
    del pipeline.originals.objects[f"{image_id}.png"]

    assert outcome(pipeline) is Outcome.FAILED
    assert pipeline.jobs.messages == []
    assert pipeline.codes == ["original-missing"]
    assert f"'{image_id}.png'" in pipeline.announcements[0]["error"]["detail"]


def test_a_missing_original_whose_result_is_stored_is_announced(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload()
    pipeline.handle_next()
    del pipeline.originals.objects[f"{image_id}.png"]
    pipeline.send(pipeline.job(image_id))
    pipeline.announced.messages.clear()
    pipeline.clock.now_s += 301

    assert outcome(pipeline) is Outcome.ANNOUNCED_AGAIN
    assert [a["status"] for a in pipeline.announcements] == ["processed"]


# --- what came before --------------------------------------------------------------------------


def test_a_redelivered_message_whose_result_is_stored_is_announced_not_done_again(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.upload()
    pipeline.kill_after("put result")
    pipeline.journal.clear()

    assert pipeline.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert pipeline.journal == ["head result", "send announcement", "delete job"]
    assert [a["status"] for a in pipeline.announcements] == ["processed"]


def test_a_redelivered_message_whose_failure_is_recorded_is_announced_again(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.upload(b"bad")
    pipeline.kill_after("put failure")

    assert pipeline.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert pipeline.codes == ["corrupt-png"]


def test_a_damaged_record_is_written_anew_and_its_image_ends(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload(b"bad")
    pipeline.results.put(f"failures/{image_id}.json", b"{", content_type="", metadata={})

    assert outcome(pipeline) is Outcome.FAILED
    assert pipeline.codes == ["corrupt-png"]
    record = pipeline.results.objects[f"failures/{image_id}.json"]
    assert json.loads(record.data)["error"]["code"] == "corrupt-png"


def test_a_result_that_is_already_there_is_announced_and_the_message_deleted(
    pipeline: MemoryPipeline,
) -> None:
    image_id = pipeline.upload()
    first = {"original-bytes": "4", "processed-bytes": "1", "processed-sha256": "ab"}
    pipeline.results.put(f"{image_id}.png", b"1", content_type="image/png", metadata=first)

    assert outcome(pipeline) is Outcome.PROCESSED
    assert pipeline.results.objects[f"{image_id}.png"].data == b"1"
    assert pipeline.announcements[0]["processed"]["sha256"] == "ab"


def test_an_announcement_repeated_within_five_minutes_is_one(pipeline: MemoryPipeline) -> None:
    pipeline.upload()
    pipeline.kill_after("send announcement")

    assert pipeline.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert len(pipeline.announcements) == 1


@pytest.mark.parametrize(
    ("receives", "redrive", "is_apart"), [(1, 0, False), (2, 0, True), (1, 1, True)]
)
def test_only_redelivered_images_are_processed_in_a_child_process(
    pipeline: MemoryPipeline, receives: int, redrive: int, is_apart: bool
) -> None:
    pipeline.upload(redrive=redrive)
    for _ in range(receives - 1):
        pipeline.receive()
        pipeline.clock.now_s += 61

    pipeline.handle_next()

    assert pipeline.processed_apart == [is_apart]


def test_an_image_that_kills_its_child_is_a_failure_with_a_reason(pipeline: MemoryPipeline) -> None:
    pipeline.upload(b"deadly")
    pipeline.receive()  # by a worker that it killed

    assert pipeline.handle_after(61).outcome is Outcome.FAILED
    assert pipeline.codes == ["processing-crashed"]


# --- rounds ------------------------------------------------------------------------------------


def test_a_failure_of_an_earlier_round_does_not_prevent_processing(
    pipeline: MemoryPipeline,
) -> None:
    image_id = pipeline.upload(b"bad")
    pipeline.handle_next()
    pipeline.originals.put(f"{image_id}.png", b"page", content_type="image/png", metadata={})
    pipeline.send(pipeline.job(image_id, redrive=1))

    assert outcome(pipeline) is Outcome.PROCESSED
    assert [a["status"] for a in pipeline.announcements] == ["failed", "processed"]
    assert [a["redrive"] for a in pipeline.announcements] == [0, 1]


def test_a_failure_of_the_same_round_is_announced_again(pipeline: MemoryPipeline) -> None:
    image_id = pipeline.upload(b"bad")
    pipeline.handle_next()
    pipeline.send(pipeline.job(image_id, redrive=1))
    pipeline.kill_after("put failure")

    assert pipeline.handle_after(61).outcome is Outcome.ANNOUNCED_AGAIN
    assert [a["redrive"] for a in pipeline.announcements] == [0, 1]


def test_a_result_found_by_a_later_round_is_announced_in_that_round(
    pipeline: MemoryPipeline,
) -> None:
    image_id = pipeline.upload()
    pipeline.handle_next()
    pipeline.send(pipeline.job(image_id, redrive=1))

    assert outcome(pipeline) is Outcome.ANNOUNCED_AGAIN
    assert [a["redrive"] for a in pipeline.announcements] == [0, 1]


# --- leases ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "left"),
    [("get original", []), ("put result", ["put result"]), ("put failure", ["put failure"])],
)
def test_a_worker_frozen_beyond_its_lease_writes_nothing_more(
    pipeline: MemoryPipeline, until: str, left: list[str]
) -> None:
    pipeline.upload(b"bad" if until == "put failure" else b"page")
    lease = pipeline.receive()
    pipeline.journal.clear()
    pipeline.on(until, lambda: pipeline.clock.advance(61))

    assert pipeline.worker.handle(lease) == Ending(Outcome.LEASE_LOST)
    assert [step for step in pipeline.journal if step.startswith(("put", "send", "del"))] == left


def test_a_deleted_image_whose_message_cannot_be_deleted_is_tried_again(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.store.delete(pipeline.upload())

    def fail_before_delete(step: str, is_done: bool) -> None:
        if step == "delete job" and not is_done:
            pipeline.fail("the queue")

    pipeline.on_step = fail_before_delete
    tried = pipeline.handle_next()
    pipeline.on_step = lambda *_: None
    ended = pipeline.handle_after(61)

    assert (tried.outcome, tried.is_outage) == (Outcome.RETRIED, True)
    assert (ended.outcome, pipeline.jobs.messages, pipeline.announcements) == (
        Outcome.DELETED,
        [],
        [],
    )


def test_a_delete_that_comes_too_late_is_no_failure(pipeline: MemoryPipeline) -> None:
    pipeline.upload()
    pipeline.on("send announcement", lambda: pipeline.clock.advance(61))

    assert outcome(pipeline) is Outcome.PROCESSED
    assert [a["status"] for a in pipeline.announcements] == ["processed"]


# --- outages and faults of ours ----------------------------------------------------------------


@pytest.mark.parametrize("where", ["originals", "results", "announced", "jobs"])
def test_after_an_outage_the_message_is_delivered_again(
    pipeline: MemoryPipeline, where: str
) -> None:
    pipeline.upload()
    lease = pipeline.receive()
    getattr(pipeline, where).is_down = True

    ending = pipeline.worker.handle(lease)

    assert (ending.outcome, ending.is_outage) == (Outcome.RETRIED, True)
    assert pipeline.announcements == [] or where == "jobs"
    assert len(pipeline.jobs.messages) == 1


def test_an_internal_error_is_retried_and_is_no_outage(pipeline: MemoryPipeline) -> None:
    pipeline.upload(b"bug")

    ending = pipeline.handle_next()

    assert (ending.outcome, ending.is_outage) == (Outcome.RETRIED, False)


@pytest.mark.parametrize(("receives", "bound_s"), [(1, 2), (2, 4), (4, 16), (9, 60)])
def test_the_wait_before_the_next_try_is_random_and_its_bound_doubles(
    receives: int, bound_s: int
) -> None:
    pipeline = MemoryPipeline(max_receives=1000)
    pipeline.upload(b"bug")
    for _ in range(receives - 1):
        pipeline.receive()
        pipeline.clock.advance(61)
    lease = pipeline.receive()

    delays_s = {pipeline.worker.handle(lease).delay_s for _ in range(300)}

    # Of 300 draws, all miss the upper tenth once in 10^13 runs.
    assert 0.9 * bound_s < max(delays_s) <= bound_s
    assert min(delays_s) <= bound_s / 2


def test_the_last_receive_records_why_and_leaves_the_message_to_the_dead_letter_queue(
    pipeline: MemoryPipeline,
) -> None:
    image_id = pipeline.upload(b"bug")

    endings = [pipeline.handle_after(61) for _ in range(MAX_RECEIVES)]

    assert [e.outcome for e in endings] == [Outcome.RETRIED, Outcome.RETRIED, Outcome.GIVEN_UP]
    assert len(pipeline.jobs.messages) == 1
    assert f"failures/{image_id}.json" in pipeline.results.objects
    assert pipeline.codes == ["internal-error"]
    assert "secret" not in json.dumps(pipeline.announcements)


def test_a_last_receive_that_cannot_be_recorded_is_given_up_all_the_same(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.upload()
    for _ in range(MAX_RECEIVES - 1):
        pipeline.receive()
        pipeline.clock.advance(61)
    lease = pipeline.receive()
    pipeline.results.is_down = True

    assert pipeline.worker.handle(lease) == Ending(Outcome.GIVEN_UP, is_outage=True)
    assert len(pipeline.jobs.messages) == 1


def test_a_last_receive_whose_result_is_stored_says_processed(pipeline: MemoryPipeline) -> None:
    pipeline.upload()
    for _ in range(MAX_RECEIVES - 1):
        pipeline.receive()
        pipeline.clock.advance(61)
    lease = pipeline.receive()
    failing = iter([True])
    pipeline.on("send announcement", lambda: next(failing, False) and pipeline.fail("announced"))

    assert pipeline.worker.handle(lease).outcome is Outcome.GIVEN_UP
    assert [a["status"] for a in pipeline.announcements] == ["processed"]
