"""From where on the verb `watch` shows announcements."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.cli.operations import watch as watching
from app.cli.operations.verbs import DONE, FAILED
from app.cli.operations.watch import watch
from app.domain.ports import Message
from app.domain.representation import now
from testkit.fakes import MemoryQueue


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> MemoryQueue:
    monkeypatch.setattr(watching, "_POLL_WAIT_S", 0)
    return MemoryQueue("announcements.fifo")


def send(queue: MemoryQueue, *bodies: str, ago: timedelta = timedelta()) -> None:
    for body in bodies:
        queue.send(Message(body, group=body, deduplication_id=body))
        queue.messages[-1].sent_at -= ago


def test_what_waited_before_is_neither_shown_nor_deleted_and_given_back(
    queue: MemoryQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    began_at = now()
    send(queue, *(f"old {n}" for n in range(25)), ago=timedelta(seconds=1))
    send(queue, "new")

    code = watch(queue, as_json=True, delete=True, count=1, timeout_s=30, since=began_at)

    assert (code, capsys.readouterr().out) == (DONE, "new\n")
    assert [message.body for message in queue.messages] == [f"old {n}" for n in range(25)]
    assert queue.depth().waiting == 25


def test_the_oldest_comes_first_when_everything_is_asked_for(
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
