"""The operators' verbs on fakes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.cli.operations import announce_again as announcing_again
from app.cli.operations import reconcile as reconciling
from app.cli.operations import redrive as redriving
from app.cli.operations import watch as watching
from app.cli.operations.announce_again import Choice
from app.cli.operations.verbs import DONE, FAILED, REFUSED
from app.domain.messages import Announcement, Job
from app.domain.methods import METHODS, Method
from app.domain.ports import Message, Results
from app.domain.representation import Image, ImageStatus, now
from app.errors import QueueUnavailableError
from testkit.in_memory.fakes import MemoryQueue
from testkit.in_memory.memory_pipeline import MemoryPipeline

AN_HOUR = timedelta(hours=1)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> MemoryPipeline:
    monkeypatch.setattr(redriving, "_POLL_WAIT_S", 0)
    monkeypatch.setattr(watching, "_POLL_WAIT_S", 0)
    return MemoryPipeline()


def store(pipeline: MemoryPipeline, *, ago: timedelta = AN_HOUR, **fields: Any) -> uuid.UUID:
    """An original without a message."""
    image = Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED, **fields)
    pipeline.store.put_original(image, b"page")
    pipeline.originals.modified_at[f"{image.image_id}.png"] = now() - ago
    return image.image_id


def reconcile(pipeline: MemoryPipeline, *, dry_run: bool = False, force: bool = False) -> int:
    return reconciling.reconcile(
        pipeline.store, pipeline.jobs, older_than=AN_HOUR / 2, dry_run=dry_run, force=force
    )


def jobs(pipeline: MemoryPipeline) -> list[Job]:
    return [Job.parse(body) for body in pipeline.jobs.bodies]


def refuse_sends(queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = QueueUnavailableError("not this one")
    monkeypatch.setattr(queue, "send_batch", lambda messages: [refused] * len(messages))


def refuse_once(queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Refuse the first message whose body contains *word*, and no other entry of its batch."""
    refused: list[Message] = []

    def send_batch(messages: Sequence[Message]) -> Results:
        results: Results = []
        for message in messages:
            if word in message.body and not refused:
                refused.append(message)
                results.append(QueueUnavailableError("not this one"))
            else:
                queue.send(message)
                results.append(None)
        return results

    monkeypatch.setattr(queue, "send_batch", send_batch)


# --- reconcile ---------------------------------------------------------------------------------


def test_an_orphan_is_sent_as_the_api_would_have_sent_it(pipeline: MemoryPipeline) -> None:
    image_id = store(pipeline, method="simple", parameters={"threshold": 9}, group="g")

    assert reconcile(pipeline) == DONE
    (job,) = jobs(pipeline)
    assert (job.image_id, job.method, job.parameters) == (image_id, "simple", {"threshold": 9})
    assert pipeline.jobs.messages[0].group == "g"


def test_finished_and_recent_images_and_other_objects_are_left_alone(
    pipeline: MemoryPipeline,
) -> None:
    processed, failed = (pipeline.upload(data) for data in (b"page", b"bad"))
    for _ in range(2):
        pipeline.handle_next()
    for image_id in (processed, failed):
        pipeline.originals.modified_at[f"{image_id}.png"] = now() - AN_HOUR
    store(pipeline, ago=timedelta(minutes=1))
    pipeline.originals.put("notes.txt", b"x", content_type="text/plain", metadata={})
    pipeline.originals.modified_at["notes.txt"] = now() - AN_HOUR

    assert reconcile(pipeline) == DONE
    assert pipeline.jobs.messages == []


def test_every_orphan_among_many_is_found(pipeline: MemoryPipeline) -> None:
    for n in range(60):
        pipeline.upload(b"bad" if n % 3 else b"page")
        pipeline.handle_next()
    orphans = {store(pipeline) for _ in range(25)}

    reconcile(pipeline)

    assert {job.image_id for job in jobs(pipeline)} == orphans


def test_a_group_is_sent_in_the_order_of_its_uploads(pipeline: MemoryPipeline) -> None:
    """As when all queues are lost: the listing of the bucket is in the order of the ids."""
    times = [now() - timedelta(minutes=n) for n in range(8)]
    pages = {time: store(pipeline, group="book", uploaded_at=time) for time in times}
    other = store(pipeline)

    assert reconcile(pipeline) == DONE
    assert [job.image_id for job in jobs(pipeline)] == [other, *(pages[t] for t in sorted(times))]


def test_a_dry_run_sends_nothing(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = store(pipeline)

    assert reconcile(pipeline, dry_run=True) == DONE
    assert pipeline.jobs.messages == []
    assert str(image_id) in capsys.readouterr().out


def test_nothing_is_sent_while_messages_wait_unless_forced(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.upload()
    orphan = store(pipeline)

    assert reconcile(pipeline) == REFUSED
    assert "1 messages are waiting" in capsys.readouterr().out
    assert len(pipeline.jobs.messages) == 1
    assert reconcile(pipeline, force=True) == DONE
    assert jobs(pipeline)[-1].image_id == orphan


def test_an_orphan_that_cannot_be_sent_is_counted(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(pipeline)
    refuse_sends(pipeline.jobs, monkeypatch)

    assert reconcile(pipeline) == FAILED


# --- announce-again ----------------------------------------------------------------------------


def announce_again(pipeline: MemoryPipeline, *, dry_run: bool = False, **choice: Any) -> int:
    pipeline.announced.messages.clear()
    pipeline.clock.advance(301)  # SQS drops what was sent in the last five minutes
    return announcing_again.announce_again(
        pipeline.store, pipeline.announced, Choice(**choice), dry_run=dry_run
    )


def finish(pipeline: MemoryPipeline, data: bytes = b"page", **fields: Any) -> uuid.UUID:
    image_id = pipeline.upload(data, **fields)
    pipeline.handle_next()
    return image_id


def announced_ids(pipeline: MemoryPipeline) -> list[uuid.UUID]:
    return [uuid.UUID(announcement["image_id"]) for announcement in pipeline.announcements]


def test_an_announcement_is_sent_again_as_the_worker_sent_it(pipeline: MemoryPipeline) -> None:
    processed, failed = finish(pipeline, group="g"), finish(pipeline, b"bad")
    before = [(m.body, m.group) for m in pipeline.announced.messages]

    assert announce_again(pipeline, ids=(processed, failed)) == DONE
    assert [(m.body, m.group) for m in pipeline.announced.messages] == before


def test_without_ids_every_finished_image_is_announced_once(pipeline: MemoryPipeline) -> None:
    finished = {finish(pipeline, b"bad" if n % 3 else b"page") for n in range(25)}
    redriven = give_up(pipeline)
    pipeline.originals.put(f"{redriven}.png", b"page", content_type="image/png", metadata={})
    redrive(pipeline)
    pipeline.handle_next()
    pipeline.store.delete(finish(pipeline))
    pipeline.upload()

    assert announce_again(pipeline) == DONE
    assert sorted(announced_ids(pipeline)) == sorted(finished | {redriven})


def test_a_time_range_selects_the_images_finished_in_it(pipeline: MemoryPipeline) -> None:
    early, within, late = (finish(pipeline, data) for data in (b"page", b"bad", b"page"))
    began_at = now()
    for image_id, hours in ((early, -1), (within, 0), (late, 1)):
        key = f"failures/{within}.json" if image_id == within else f"{image_id}.png"
        pipeline.results.modified_at[key] = began_at + timedelta(hours=hours)

    announce_again(pipeline, since=began_at, until=began_at + AN_HOUR)

    assert announced_ids(pipeline) == [within]


def test_a_group_is_announced_in_the_order_of_its_uploads(pipeline: MemoryPipeline) -> None:
    times = [now() - timedelta(minutes=n) for n in range(8)]
    pages = {time: finish(pipeline, group="book", uploaded_at=f"{time:%FT%TZ}") for time in times}
    finish(pipeline, group="other")

    announce_again(pipeline, group="book")

    assert announced_ids(pipeline) == [pages[time] for time in sorted(times)]


def test_an_announcement_waits_for_an_earlier_one_of_its_group(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (finish(pipeline, group="book") for _ in range(3))
    other = finish(pipeline)
    refuse_once(pipeline.announced, monkeypatch, str(second))

    assert announce_again(pipeline, ids=(first, second, third, other)) == FAILED

    assert announced_ids(pipeline) == [first, other]


def test_unfinished_images_are_named_and_skipped(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = pipeline.upload()

    assert announce_again(pipeline, ids=(waiting, uuid.uuid4())) == DONE
    assert pipeline.announcements == []
    assert f"{waiting} is not finished or unknown" in capsys.readouterr().out


def test_a_dry_run_announces_nothing(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = finish(pipeline)

    assert announce_again(pipeline, dry_run=True) == DONE
    assert pipeline.announcements == []
    assert f"{image_id} processed\nwould send 1, failed 0" in capsys.readouterr().out


def test_an_announcement_that_cannot_be_sent_is_counted(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(pipeline)
    refuse_sends(pipeline.announced, monkeypatch)

    assert announce_again(pipeline) == FAILED


# --- redrive -----------------------------------------------------------------------------------


def redrive(pipeline: MemoryPipeline, *, dry_run: bool = False, limit: int | None = None) -> int:
    return redriving.redrive(
        pipeline.store, pipeline.dead_letters, pipeline.jobs, dry_run=dry_run, limit=limit
    )


def give_up(pipeline: MemoryPipeline, data: bytes = b"bug", **fields: Any) -> uuid.UUID:
    """An image in the dead-letter queue."""
    image_id = pipeline.upload(data, **fields)
    for _ in range(4):
        if pipeline.jobs.messages:
            pipeline.clock.advance(61)
            for lease in pipeline.leases.hold(
                pipeline.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60),
                asked_at=pipeline.clock(),
            ):
                pipeline.worker.handle(lease)
    assert len(pipeline.dead_letters.messages) >= 1
    return image_id


def test_a_redriven_image_can_succeed_and_is_announced_again(
    pipeline: MemoryPipeline,
) -> None:
    image_id = give_up(pipeline, group="g")
    pipeline.originals.put(f"{image_id}.png", b"page", content_type="image/png", metadata={})

    assert redrive(pipeline) == DONE
    pipeline.handle_next()

    assert pipeline.dead_letters.messages == []
    assert [a["status"] for a in pipeline.announcements] == ["failed", "processed"]
    assert [a["redrive"] for a in pipeline.announcements] == [0, 1]
    assert pipeline.announced.messages[-1].group == "g"
    assert pipeline.store.find(image_id).status is ImageStatus.PROCESSED


@pytest.mark.parametrize("is_job", [True, False])
def test_attributes_of_another_producer_are_checked_before_they_are_passed_on(
    pipeline: MemoryPipeline, is_job: bool
) -> None:
    traceparent = f"00-{'4bf92f35' * 4}-00f067aa0ba902b7-01"
    unsound = {"tracestate": "x" * 513, "request_id": "a\nb", "other": "1"}
    image = Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED)
    body = pipeline.store.job_message(image).body if is_job else "{}"
    pipeline.dead_letters.send(Message(body, "g", "d", {"traceparent": traceparent, **unsound}))

    assert redrive(pipeline) == DONE

    (sent,) = pipeline.jobs.messages
    assert sent.attributes == {"traceparent": traceparent}


def test_no_message_overtakes_a_refused_message_of_its_group(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also none that is received after the refused one has come again."""
    pages, others = [f"page {n:02}" for n in range(15)], ["one", "two", "three"]
    for body in (*pages, *others):
        pipeline.dead_letters.send(Message(body, body[:4], body))
    refuse_once(pipeline.jobs, monkeypatch, "page 01")

    def describe(*_: object) -> str:
        pipeline.clock.advance(redriving._HOLD_S / 12)
        return "a message"

    monkeypatch.setattr(redriving, "_describe", describe)

    assert redrive(pipeline) == FAILED
    assert sorted(pipeline.jobs.bodies) == ["one", "page 00", "three", "two"]

    pipeline.clock.advance(redriving._HOLD_S)
    assert redrive(pipeline) == DONE
    assert [body for body in pipeline.jobs.bodies if body in pages] == pages


def test_an_interrupted_redrive_repeats_harmlessly(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(pipeline)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.dead_letters, "delete_batch", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            redrive(pipeline)
    pipeline.clock.advance(61)

    assert redrive(pipeline) == DONE
    assert [job.redrive for job in jobs(pipeline)] == [1]
    assert pipeline.dead_letters.messages == []


def _interrupt(_: object) -> Any:
    raise KeyboardInterrupt


def test_a_dry_run_shows_the_reason_of_each_message_and_returns_it(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = give_up(pipeline)

    assert redrive(pipeline, dry_run=True) == DONE
    assert f"{image_id}: internal-error: " in capsys.readouterr().out
    assert pipeline.jobs.messages == []
    assert pipeline.dead_letters.depth().waiting == 1


def test_a_dry_run_that_takes_longer_than_messages_stay_hidden_counts_each_once(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(30):
        pipeline.dead_letters.send(Message("{", f"{n}", f"{n}"))
    slow = iter(range(40))

    def describe(*_: object) -> str:
        next(slow)  # fails rather than going on for ever
        pipeline.clock.advance(redriving._HOLD_S / 12)
        return "a message"

    monkeypatch.setattr(redriving, "_describe", describe)

    assert redrive(pipeline, dry_run=True) == DONE
    assert "would send 30, failed 0" in capsys.readouterr().out
    assert pipeline.dead_letters.depth().waiting == 30


def test_a_limit_leaves_the_other_messages_in_the_queue(pipeline: MemoryPipeline) -> None:
    for _ in range(3):
        give_up(pipeline)

    assert redrive(pipeline, limit=2) == DONE
    assert len(pipeline.dead_letters.messages) == 1


@pytest.mark.parametrize("body", ["{", '{"version": 2}'])
def test_a_message_that_is_not_a_job_is_sent_unchanged(pipeline: MemoryPipeline, body: str) -> None:
    pipeline.dead_letters.send(Message(body, "g", "x"))

    assert redrive(pipeline) == DONE
    assert pipeline.jobs.bodies == [body]


def test_a_job_of_a_later_release_is_processed_once_the_workers_are_upgraded(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = give_up(pipeline, b"page", method="learned")
    known = {**METHODS, "learned": Method("learned", "What a later release adds.")}
    monkeypatch.setattr("app.worker.METHODS", known)

    assert redrive(pipeline) == DONE
    pipeline.handle_next()

    assert [a["status"] for a in pipeline.announcements] == ["failed", "processed"]
    assert pipeline.store.find(image_id).method == "learned"


A_JOB = '{"image_id": "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de", "bucket": "b", "key": "k"}'


@pytest.mark.parametrize("body", ["{", A_JOB])
def test_a_redriven_job_keeps_its_trace(pipeline: MemoryPipeline, body: str) -> None:
    said = {"traceparent": f"00-{'4bf92f35' * 4}-00f067aa0ba902b7-01", "request_id": "ask-4711"}
    pipeline.dead_letters.send(Message(body, "g", "x", said))

    assert redrive(pipeline) == DONE
    assert pipeline.jobs.messages[0].attributes == said


def test_a_message_that_cannot_be_sent_stays_in_the_queue(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(pipeline)
    refuse_sends(pipeline.jobs, monkeypatch)

    assert redrive(pipeline) == FAILED
    assert len(pipeline.dead_letters.messages) == 1


# --- watch -------------------------------------------------------------------------------------


def watch(pipeline: MemoryPipeline, **options: Any) -> int:
    usual = {"as_json": False, "delete": False, "count": None, "timeout_s": 0.05}
    return watching.watch(pipeline.announced, **usual | options)


def test_each_announcement_is_one_line_and_returns_to_the_queue(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = pipeline.upload(), pipeline.upload(b"bad")
    for _ in range(2):
        pipeline.handle_next()

    assert watch(pipeline, count=2) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert f"{good} processed otsu 4 -> 4 bytes in 1 ms" in lines[0]
    assert f"{bad} failed corrupt-png: It breaks off." in lines[1]
    assert pipeline.announced.depth().waiting == 2


def test_with_delete_shown_announcements_are_deleted(
    pipeline: MemoryPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = pipeline.upload()
    pipeline.handle_next()

    assert watch(pipeline, as_json=True, delete=True, count=1) == DONE
    said = Announcement.model_validate(json.loads(capsys.readouterr().out))
    assert said.image_id == image_id
    assert pipeline.announced.messages == []


def test_a_count_not_reached_in_time_is_a_failure(pipeline: MemoryPipeline) -> None:
    assert watch(pipeline, count=1) == FAILED
    assert watch(pipeline) == DONE
