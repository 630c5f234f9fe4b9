"""The budget of bytes that wait for clients: who is cut for whom, and when nobody is."""

from __future__ import annotations

from dataclasses import dataclass

from app.buffers import Budget


@dataclass(eq=False)
class Connection:
    client: str
    stalled_for_s: float | None
    is_cut: bool = False

    def stalled_s(self, now: float) -> float | None:
        return self.stalled_for_s

    def cut(self) -> None:
        self.is_cut = True


def holding(budget: Budget, client: str, stalled_s: float | None, size: int = 40) -> Connection:
    connection = Connection(client, stalled_s)
    assert budget.hold(connection, size)
    return connection


def test_the_connection_that_has_moved_nothing_for_longest_is_cut_first() -> None:
    budget = Budget(100)
    longer, longest = holding(budget, "a", 2.0, 30), holding(budget, "b", 3.0, 30)

    assert budget.reserve(Connection("c", None), 50)

    assert (longer.is_cut, longest.is_cut) == (False, True)
    assert budget.used_bytes == 80


def test_as_many_are_cut_as_it_takes() -> None:
    budget = Budget(100)
    found = [holding(budget, str(number), 2.0 + number, 25) for number in range(4)]

    assert budget.reserve(Connection("c", None), 60)

    assert [one.is_cut for one in found] == [False, True, True, True]


def test_who_moves_bytes_is_not_cut_however_slow() -> None:
    budget = Budget(100)
    slow = holding(budget, "a", 0.9, 50)

    assert not budget.reserve(Connection("b", None), 60)

    assert not slow.is_cut
    assert budget.used_bytes == 50


def test_who_waits_for_the_server_is_not_cut() -> None:
    budget = Budget(100)
    waiting = holding(budget, "a", None, 50)

    assert not budget.reserve(Connection("b", None), 60)
    assert not waiting.is_cut


def test_a_client_with_more_than_half_gives_way_to_another_one_sooner() -> None:
    budget = Budget(100)
    hogs = [holding(budget, "hog", 0.2, 30), holding(budget, "hog", 0.3, 30)]
    slow = holding(budget, "slow", 0.9, 30)

    assert not budget.reserve(Connection("hog", None), 30)
    assert budget.reserve(Connection("new", None), 30)

    assert [one.is_cut for one in hogs] == [False, True]
    assert not slow.is_cut


def test_a_connection_is_not_cut_for_itself() -> None:
    budget = Budget(100)
    connection = holding(budget, "a", 5.0, 90)

    assert not budget.hold(connection, 110)

    assert not connection.is_cut


def test_what_is_sent_or_closed_makes_room() -> None:
    budget = Budget(100)
    first, second = holding(budget, "a", None, 60), Connection("b", None)
    assert not budget.reserve(second, 60)

    budget.hold(first, 30)
    assert budget.reserve(second, 60)
    budget.release(first)
    budget.release(second)

    assert budget.used_bytes == 0
