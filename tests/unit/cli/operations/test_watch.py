"""From where on the verb `watch` shows announcements."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.cli.operations import watch as watching
from app.cli.operations.verbs import DONE, FAILED
from app.cli.operations.watch import watch
from app.domain.ports import Delivery, Message
from app.domain.representation import now
from app.errors import QueueUnavailableError
from testkit.in_memory.fakes import MemoryQueue
from testkit.timing.clocks import Clock


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> MemoryQueue:
    monkeypatch.setattr(watching, "_POLL_WAIT_S", 0)
    return MemoryQueue("announcements.fifo")


def _remembered(monkeypatch: pytest.MonkeyPatch) -> list[watching._Seen]:
    """What each watch remembers, once it has begun."""
    made: list[watching._Seen] = []

    new = watching._Seen

    def make() -> watching._Seen:
        made.append(new())
        return made[-1]

    monkeypatch.setattr(watching, "_Seen", make)
    return made


def send(queue: MemoryQueue, *bodies: str, ago: timedelta = timedelta()) -> None:
    for body in bodies:
        queue.send(Message(body, group=body, deduplication_id=body))
        queue.messages[-1].sent_at -= ago


def test_announcements_from_before_the_start_are_skipped_and_returned(
    queue: MemoryQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    began_at = now()
    send(queue, *(f"old {n}" for n in range(25)), ago=timedelta(seconds=1))
    send(queue, "new")

    code = watch(queue, as_json=True, delete=True, count=1, timeout_s=30, since=began_at)

    assert (code, capsys.readouterr().out) == (DONE, "new\n")
    assert [message.body for message in queue.messages] == [f"old {n}" for n in range(25)]
    assert queue.depth().waiting == 25


def test_with_all_the_oldest_announcement_comes_first(
    queue: MemoryQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    send(queue, "old", ago=timedelta(days=1))
    send(queue, "new")

    assert watch(queue, as_json=True, delete=False, count=1, timeout_s=30) == DONE
    assert capsys.readouterr().out == "old\n"


def test_earlier_announcements_do_not_count(queue: MemoryQueue) -> None:
    send(queue, "old", ago=timedelta(seconds=1))

    code = watch(queue, as_json=True, delete=False, count=1, timeout_s=0.05, since=now())

    assert code == FAILED


def test_a_long_watch_with_delete_remembers_nothing(
    queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _remembered(monkeypatch)
    send(queue, *(f"{n}" for n in range(100)))

    assert watch(queue, as_json=True, delete=True, count=100, timeout_s=30) == DONE

    assert (len(seen[0].ids), len(seen[0].hidden)) == (0, 0)


def test_only_receipts_that_still_hide_a_message_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("app.cli.operations.watch.time.monotonic", clock)
    seen = watching._Seen()

    for n in range(1000):
        seen.hide([Delivery("{}", f"m{n}", "g", 1, f"handle {n}")])
        clock.advance(1)

    assert len(seen.hidden) == watching._HOLD_S


def test_an_announcement_that_cannot_be_deleted_is_logged_and_redelivered(
    queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = QueueUnavailableError("InternalError")
    monkeypatch.setattr(queue, "delete_batch", lambda shown: [refused] * len(shown))
    send(queue, "one")

    assert watch(queue, as_json=True, delete=True, count=1, timeout_s=30) == DONE

    assert queue.depth().waiting == 1
    assert "announcement shown and still in the queue" in caplog.text


def test_announcements_received_when_the_reader_ends_are_returned(
    queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(watching, "say_json", closed)
    send(queue, "one", "two")

    with pytest.raises(BrokenPipeError):
        watch(queue, as_json=True, delete=True, count=None, timeout_s=30)

    assert queue.depth().waiting == 2
