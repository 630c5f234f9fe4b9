"""The budget of bytes that wait for clients: who is cut for whom, and when nobody is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from waitress.adjustments import Adjustments

from app.server.buffers import Budget
from app.server.gate import Head, Pass
from app.server.pace import Moved, RecentPace
from app.server.reader import Parser

MB = 1_000_000
LIMIT_BYTES = 256 * MB
STALLED = Moved(0, 3.0)
#: The server is the one that is waited for.
WAITING = None


@dataclass(eq=False)
class Connection:
    client: str
    moved: Moved | None = WAITING
    is_cut: bool = False

    def moved_lately(self, now: float) -> Moved | None:
        return self.moved

    def cut(self) -> None:
        self.is_cut = True


@pytest.fixture
def budget() -> Budget:
    return Budget(LIMIT_BYTES)


def moving(bytes_per_s: int, seconds: float = 3.0) -> Moved:
    return Moved(int(bytes_per_s * seconds), seconds)


def holding(budget: Budget, client: str, moved: Moved | None, size_bytes: int) -> Connection:
    connection = Connection(client, moved)
    assert budget.hold(connection, size_bytes)
    return connection


def is_room(budget: Budget, size_bytes: int = 31 * MB, client: str = "new") -> bool:
    return budget.reserve(Connection(client), size_bytes)


def cut(connections: list[Connection]) -> list[bool]:
    return [one.is_cut for one in connections]


def test_the_connection_that_needs_longest_for_its_bytes_is_cut_first(budget: Budget) -> None:
    slow = holding(budget, "a", moving(50_000), 100 * MB)
    slower = holding(budget, "b", moving(20_000), 50 * MB)
    holding(budget, "c", WAITING, 100 * MB)

    assert is_room(budget)

    assert cut([slow, slower]) == [False, True]
    assert budget.used_bytes == 231 * MB


def test_a_trickling_connection_is_cut_before_a_slow_page(budget: Budget) -> None:
    trickling = [holding(budget, f"10.0.0.{n}", moving(2200), 31 * MB) for n in range(8)]
    honest = [holding(budget, f"10.0.1.{n}", moving(50_000), 2 * MB) for n in range(4)]

    assert is_room(budget)
    assert not any(cut(honest))
    assert cut(trickling).count(True) == 1

    assert is_room(budget, 210 * MB, "another")
    assert all(cut(trickling))
    assert not any(cut(honest))


def test_as_many_connections_are_cut_as_needed(budget: Budget) -> None:
    found = [holding(budget, str(n), moving(10_000 * n), 64 * MB) for n in range(1, 5)]

    assert is_room(budget, 150 * MB)

    assert cut(found) == [True, True, True, False]


@pytest.mark.parametrize(
    "moved",
    [moving(50_000), moving(5_000_000, 0.2), Moved(0, 0.9), WAITING],
    ids=["2 MB at 50 kB/s", "fast", "just begun", "waits for the server"],
)
def test_a_connection_that_is_not_slow_is_not_cut(budget: Budget, moved: Moved | None) -> None:
    found = [holding(budget, str(number), moved, 2 * MB) for number in range(128)]

    assert not is_room(budget)

    assert not any(cut(found))
    assert budget.used_bytes == LIMIT_BYTES


def test_a_stalled_connection_with_few_bytes_is_not_cut(budget: Budget) -> None:
    little = holding(budget, "a", STALLED, 50_000)
    much = holding(budget, "b", moving(2200), LIMIT_BYTES - 50_000)

    assert is_room(budget)

    assert cut([little, much]) == [False, True]


def test_a_client_over_its_share_is_cut_even_if_it_is_fast(budget: Budget) -> None:
    greedy = [holding(budget, "greedy", moving(MB * n), 31 * MB) for n in range(9, 1, -1)]

    assert is_room(budget)

    assert cut(greedy) == [False] * 7 + [True]


def test_a_client_alone_may_use_the_whole_budget_and_does_not_cut_itself(budget: Budget) -> None:
    own = [holding(budget, "alone", moving(MB), 32 * MB) for _ in range(8)]

    assert not is_room(budget, client="alone")

    assert not any(cut(own))


def test_a_client_over_its_share_takes_nothing_from_others_who_are_not_slow(budget: Budget) -> None:
    others = [holding(budget, "another", moving(MB), 32 * MB) for _ in range(4)]
    own = [holding(budget, "greedy", moving(MB), 32 * MB) for _ in range(4)]

    assert not is_room(budget, client="greedy")

    assert not any(cut(others + own))


def test_a_slow_client_over_its_share_is_cut_before_a_slower_one_within_it(budget: Budget) -> None:
    slower = holding(budget, "slower", moving(5000), 31 * MB)
    greedy = [holding(budget, "greedy", moving(10_000), 31 * MB) for _ in range(7)]

    assert is_room(budget)

    assert not slower.is_cut
    assert cut(greedy).count(True) == 1


def test_one_transfer_is_no_more_than_a_share_however_large(budget: Budget) -> None:
    large = holding(budget, "a", moving(10 * MB), 250 * MB)

    assert not is_room(budget)

    assert not large.is_cut


def test_a_connection_is_not_cut_to_make_room_for_itself(budget: Budget) -> None:
    connection = holding(budget, "a", STALLED, LIMIT_BYTES - 10)

    assert not budget.hold(connection, LIMIT_BYTES + 10)

    assert not connection.is_cut


def test_sent_and_closed_transfers_make_room(budget: Budget) -> None:
    first, second = holding(budget, "a", WAITING, 150 * MB), Connection("b")
    assert not budget.reserve(second, 150 * MB)

    budget.hold(first, 75 * MB)
    assert budget.reserve(second, 150 * MB)
    budget.release(first)
    budget.release(second)

    assert budget.used_bytes == 0


def test_a_burst_counts_as_speed_for_a_few_seconds_only() -> None:
    pace, began_at = RecentPace(), 100.0
    pace.restart(0, began_at)
    moved_bytes, rates = 31 * MB, []

    for second in range(1, 7):
        rates.append(pace.look(moved_bytes, began_at + second).bytes_per_s)
        moved_bytes += 2200

    assert rates[0] == 31 * MB
    assert rates[-1] == 2200
    assert all(rate > 2 * MB for rate in rates[:3])


class FullConnection:
    """Knows what its parser holds, and has room for 1,000 bytes."""

    addr = ("127.0.0.1", 1)
    ahead = b""
    is_cut = False
    held_bytes = 0

    def __init__(self) -> None:
        self.parser = Parser(Adjustments(), self)

    def admit(self, head: Head) -> Pass:
        return Pass(head.path, body_limit_bytes=MB)

    def has_room(self) -> bool:
        self.held_bytes = int(self.parser.body_bytes_received)
        return self.held_bytes <= 1000


def test_a_body_that_does_not_fit_is_freed_before_the_response() -> None:
    connection = FullConnection()
    connection.parser.received(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n")
    connection.parser.received(bytes(1000))
    assert connection.held_bytes == 1000

    connection.parser.received(bytes(1000))

    assert connection.parser.error.code == 503
    assert connection.held_bytes == 0
