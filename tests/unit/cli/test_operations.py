"""The operators' verbs on fakes."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from app.cli import announce_again as announcing_again
from app.cli import reconcile as reconciling
from app.cli import redrive as redriving
from app.cli import watch as watching
from app.cli.announce_again import Choice
from app.cli.verbs import DONE, FAILED, REFUSED
from app.domain.messages import Announcement, Job
from app.domain.methods import METHODS, Method
from app.domain.ports import Message
from app.domain.representation import Image, ImageStatus, now
from app.errors import QueueUnavailableError
from testkit.house import House

AN_HOUR = timedelta(hours=1)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(redriving, "_POLL_WAIT_S", 0)
    monkeypatch.setattr(watching, "_POLL_WAIT_S", 0)
    return House()


def store(house: House, *, ago: timedelta = AN_HOUR, **fields: Any) -> uuid.UUID:
    """An original without a message."""
    image = Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED, **fields)
    house.store.put_original(image, b"page")
    house.originals.modified_at[f"{image.image_id}.png"] = now() - ago
    return image.image_id


def reconcile(house: House, *, dry_run: bool = False, force: bool = False) -> int:
    return reconciling.reconcile(
        house.store, house.jobs, older_than=AN_HOUR / 2, dry_run=dry_run, force=force
    )


def jobs(house: House) -> list[Job]:
    return [Job.parse(body) for body in house.jobs.bodies]


# --- reconcile ---------------------------------------------------------------------------------


def test_an_orphan_is_sent_as_the_api_would_have_sent_it(house: House) -> None:
    image_id = store(house, method="simple", parameters={"threshold": 9}, group="g")

    assert reconcile(house) == DONE
    (job,) = jobs(house)
    assert (job.image_id, job.method, job.parameters) == (image_id, "simple", {"threshold": 9})
    assert house.jobs.messages[0].group == "g"


def test_what_is_finished_recent_or_no_image_is_left_alone(house: House) -> None:
    processed, failed = (house.upload(data) for data in (b"page", b"bad"))
    for _ in range(2):
        house.handle_next()
    for image_id in (processed, failed):
        house.originals.modified_at[f"{image_id}.png"] = now() - AN_HOUR
    store(house, ago=timedelta(minutes=1))
    house.originals.put("notes.txt", b"x", content_type="text/plain", metadata={})
    house.originals.modified_at["notes.txt"] = now() - AN_HOUR

    assert reconcile(house) == DONE
    assert house.jobs.messages == []


def test_every_orphan_among_many_is_found(house: House) -> None:
    for n in range(60):
        house.upload(b"bad" if n % 3 else b"page")
        house.handle_next()
    orphans = {store(house) for _ in range(25)}

    reconcile(house)

    assert {job.image_id for job in jobs(house)} == orphans


def test_a_dry_run_sends_nothing(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    image_id = store(house)

    assert reconcile(house, dry_run=True) == DONE
    assert house.jobs.messages == []
    assert str(image_id) in capsys.readouterr().out


def test_nothing_is_sent_while_messages_wait_unless_forced(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.upload()
    orphan = store(house)

    assert reconcile(house) == REFUSED
    assert "1 messages are waiting" in capsys.readouterr().out
    assert len(house.jobs.messages) == 1
    assert reconcile(house, force=True) == DONE
    assert jobs(house)[-1].image_id == orphan


def test_an_orphan_that_cannot_be_sent_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(house)
    refused = QueueUnavailableError("not this one")
    monkeypatch.setattr(house.jobs, "send_batch", lambda messages: [refused] * len(messages))

    assert reconcile(house) == FAILED


# --- announce-again ----------------------------------------------------------------------------


def announce_again(house: House, *, dry_run: bool = False, **choice: Any) -> int:
    house.announced.messages.clear()
    house.clock.advance(301)  # SQS drops what was sent in the last five minutes
    return announcing_again.announce_again(
        house.store, house.announced, Choice(**choice), dry_run=dry_run
    )


def finish(house: House, data: bytes = b"page", **fields: Any) -> uuid.UUID:
    image_id = house.upload(data, **fields)
    house.handle_next()
    return image_id


def announced_ids(house: House) -> list[uuid.UUID]:
    return [uuid.UUID(announcement["image_id"]) for announcement in house.announcements]


def test_an_announcement_is_sent_again_as_the_worker_sent_it(house: House) -> None:
    processed, failed = finish(house, group="g"), finish(house, b"bad")
    before = [(m.body, m.group) for m in house.announced.messages]

    assert announce_again(house, ids=(processed, failed)) == DONE
    assert [(m.body, m.group) for m in house.announced.messages] == before


def test_without_ids_every_finished_image_is_announced_once(house: House) -> None:
    finished = {finish(house, b"bad" if n % 3 else b"page") for n in range(25)}
    redriven = give_up(house)
    house.originals.put(f"{redriven}.png", b"page", content_type="image/png", metadata={})
    redrive(house)
    house.handle_next()
    house.store.delete(finish(house))
    house.upload()

    assert announce_again(house) == DONE
    assert sorted(announced_ids(house)) == sorted(finished | {redriven})


def test_a_time_range_holds_what_was_finished_in_it(house: House) -> None:
    early, within, late = (finish(house, data) for data in (b"page", b"bad", b"page"))
    began_at = now()
    for image_id, hours in ((early, -1), (within, 0), (late, 1)):
        key = f"failures/{within}.json" if image_id == within else f"{image_id}.png"
        house.results.modified_at[key] = began_at + timedelta(hours=hours)

    announce_again(house, since=began_at, until=began_at + AN_HOUR)

    assert announced_ids(house) == [within]


def test_a_group_is_announced_in_the_order_of_its_uploads(house: House) -> None:
    times = [now() - timedelta(minutes=n) for n in range(8)]
    pages = {time: finish(house, group="book", uploaded_at=f"{time:%FT%TZ}") for time in times}
    finish(house, group="other")

    announce_again(house, group="book")

    assert announced_ids(house) == [pages[time] for time in sorted(times)]


def test_what_is_not_finished_is_named_and_left_out(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = house.upload()

    assert announce_again(house, ids=(waiting, uuid.uuid4())) == DONE
    assert house.announcements == []
    assert f"{waiting} is not finished or unknown" in capsys.readouterr().out


def test_a_dry_run_announces_nothing(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    image_id = finish(house)

    assert announce_again(house, dry_run=True) == DONE
    assert house.announcements == []
    assert f"{image_id} processed\nwould send 1, failed 0" in capsys.readouterr().out


def test_an_announcement_that_cannot_be_sent_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(house)
    refused = QueueUnavailableError("not this one")
    monkeypatch.setattr(house.announced, "send_batch", lambda messages: [refused] * len(messages))

    assert announce_again(house) == FAILED


# --- redrive -----------------------------------------------------------------------------------


def redrive(house: House, *, dry_run: bool = False, limit: int | None = None) -> int:
    return redriving.redrive(
        house.store, house.dead_letters, house.jobs, dry_run=dry_run, limit=limit
    )


def give_up(house: House, data: bytes = b"bug", **fields: Any) -> uuid.UUID:
    """An image in the dead-letter queue."""
    image_id = house.upload(data, **fields)
    for _ in range(4):
        if house.jobs.messages:
            house.clock.advance(61)
            for lease in house.leases.hold(
                house.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60),
                asked_at=house.clock(),
            ):
                house.worker.handle(lease)
    assert len(house.dead_letters.messages) >= 1
    return image_id


def test_a_redriven_image_can_become_processed_and_is_announced_anew(house: House) -> None:
    image_id = give_up(house, group="g")
    house.originals.put(f"{image_id}.png", b"page", content_type="image/png", metadata={})

    assert redrive(house) == DONE
    house.handle_next()

    assert house.dead_letters.messages == []
    assert [a["status"] for a in house.announcements] == ["failed", "processed"]
    assert [a["redrive"] for a in house.announcements] == [0, 1]
    assert house.announced.messages[-1].group == "g"
    assert house.store.find(image_id).status is ImageStatus.PROCESSED


@pytest.mark.parametrize("is_job", [True, False])
def test_what_another_producer_wrote_beside_a_message_is_checked_before_it_goes_on(
    house: House, is_job: bool
) -> None:
    traceparent = f"00-{'4bf92f35' * 4}-00f067aa0ba902b7-01"
    unsound = {"tracestate": "x" * 513, "request_id": "a\nb", "other": "1"}
    image = Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED)
    body = house.store.job_message(image).body if is_job else "{}"
    house.dead_letters.send(Message(body, "g", "d", {"traceparent": traceparent, **unsound}))

    assert redrive(house) == DONE

    (sent,) = house.jobs.messages
    assert sent.attributes == {"traceparent": traceparent}


def test_an_interrupted_redrive_repeats_harmlessly(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(house)
    with monkeypatch.context() as patch:
        patch.setattr(house.dead_letters, "delete_batch", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            redrive(house)
    house.clock.advance(61)

    assert redrive(house) == DONE
    assert [job.redrive for job in jobs(house)] == [1]
    assert house.dead_letters.messages == []


def _interrupt(_: object) -> Any:
    raise KeyboardInterrupt


def test_a_dry_run_says_why_each_is_there_and_gives_it_back(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = give_up(house)

    assert redrive(house, dry_run=True) == DONE
    assert f"{image_id}: internal-error: " in capsys.readouterr().out
    assert house.jobs.messages == []
    assert house.dead_letters.depth().waiting == 1


def test_a_limit_leaves_the_rest(house: House) -> None:
    for _ in range(3):
        give_up(house)

    assert redrive(house, limit=2) == DONE
    assert len(house.dead_letters.messages) == 1


@pytest.mark.parametrize("body", ["{", '{"version": 2}'])
def test_what_is_no_job_goes_back_as_it_is(house: House, body: str) -> None:
    house.dead_letters.send(Message(body, "g", "x"))

    assert redrive(house) == DONE
    assert house.jobs.bodies == [body]


def test_a_job_of_a_later_release_is_processed_once_the_workers_are_upgraded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = give_up(house, b"page", method="learned")
    known = {**METHODS, "learned": Method("learned", "What a later release adds.")}
    monkeypatch.setattr("app.worker.METHODS", known)

    assert redrive(house) == DONE
    house.handle_next()

    assert [a["status"] for a in house.announcements] == ["failed", "processed"]
    assert house.store.find(image_id).method == "learned"


A_JOB = '{"image_id": "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de", "bucket": "b", "key": "k"}'


@pytest.mark.parametrize("body", ["{", A_JOB])
def test_a_job_that_goes_back_goes_on_with_its_trace(house: House, body: str) -> None:
    said = {"traceparent": f"00-{'4bf92f35' * 4}-00f067aa0ba902b7-01", "request_id": "ask-4711"}
    house.dead_letters.send(Message(body, "g", "x", said))

    assert redrive(house) == DONE
    assert house.jobs.messages[0].attributes == said


def test_what_cannot_be_sent_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    give_up(house)
    refused = QueueUnavailableError("not this one")
    monkeypatch.setattr(house.jobs, "send_batch", lambda messages: [refused] * len(messages))

    assert redrive(house) == FAILED
    assert len(house.dead_letters.messages) == 1


# --- watch -------------------------------------------------------------------------------------


def watch(house: House, **options: Any) -> int:
    usual = {"as_json": False, "delete": False, "count": None, "timeout_s": 0.05}
    return watching.watch(house.announced, **usual | options)


def test_each_announcement_is_a_line_and_is_given_back(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = house.upload(), house.upload(b"bad")
    for _ in range(2):
        house.handle_next()

    assert watch(house, count=2) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert f"{good} processed otsu 4 -> 4 bytes in 1 ms" in lines[0]
    assert f"{bad} failed corrupt-png: It breaks off." in lines[1]
    assert house.announced.depth().waiting == 2


def test_with_delete_what_is_shown_is_taken(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = house.upload()
    house.handle_next()

    assert watch(house, as_json=True, delete=True, count=1) == DONE
    said = Announcement.model_validate(json.loads(capsys.readouterr().out))
    assert said.image_id == image_id
    assert house.announced.messages == []


def test_a_count_that_does_not_come_in_time_is_a_failure(house: House) -> None:
    assert watch(house, count=1) == FAILED
    assert watch(house) == DONE
