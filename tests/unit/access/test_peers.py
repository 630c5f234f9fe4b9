"""A share for each client: of connections, and of turns."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.access.fair_queue import FairQueue
from app.access.peers import Peers


def test_each_client_may_enter_up_to_the_limit() -> None:
    peers = Peers(2)

    assert [peers.enter("a") for _ in range(3)] == [True, True, False]
    assert peers.enter("b")


def test_a_client_may_enter_again_after_leaving() -> None:
    peers = Peers(1)
    peers.enter("a")

    peers.leave("a")

    assert peers.enter("a")
    assert not peers.enter("a")


@dataclass(frozen=True)
class Task:
    client: str
    number: int = 0
    is_probe: bool = False


def test_clients_take_turns_and_each_has_its_own_order() -> None:
    queue = FairQueue[Task]()
    for task in (Task("a", 1), Task("a", 2), Task("a", 3), Task("b", 1), Task("b", 2)):
        queue.append(task)

    taken = [queue.popleft() for _ in range(len(queue))]

    assert [(one.client, one.number) for one in taken] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 2),
        ("a", 3),
    ]
    assert not queue
    with pytest.raises(KeyError):
        queue.popleft()


def test_a_probe_waits_for_one_task_and_many_probes_take_every_other_turn() -> None:
    queue = FairQueue[Task]()
    for client in "abcd":
        queue.append(Task(client))
    queue.append(Task("b", is_probe=True))
    first = queue.popleft()
    for number in range(3):
        queue.append(Task("e", number, is_probe=True))

    taken = [queue.popleft() for _ in range(len(queue))]

    assert first.is_probe
    assert [one.client for one in taken] == ["a", "e", "b", "e", "c", "e", "d"]
    with pytest.raises(KeyError):
        queue.popleft()
