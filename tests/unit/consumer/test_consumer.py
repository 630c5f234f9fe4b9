"""The consumer with real threads, on a queue in memory and a handler that is told what to do."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from app.consumer.breaker import FAILURES_TO_OPEN
from app.consumer.consumer import Consumer
from app.consumer.leases import Lease
from app.consumer.outcome import Ending, Outcome
from app.domain.backoff import Backoff
from app.domain.ports import Delivery, Message, Results
from app.errors import QueueUnavailableError, StorageUnavailableError
from app.observability.worker_metrics import WorkerMetrics
from testkit.fakes import MemoryQueue
from testkit.waiting import assert_within, wait_until

TIMEOUT_S = 60
POLL_WAIT_S = 1
DONE = Ending(Outcome.PROCESSED)
OUTAGE = Ending(Outcome.RETRIED, 60, is_outage=True)
SOON_S = 5.0


class Jobs(MemoryQueue):
    """Remembers what it is asked; polls are short."""

    def __init__(self) -> None:
        super().__init__()
        self.polls: list[dict[str, Any]] = []
        self.changes: list[tuple[str, int]] = []
        self.received: list[str] = []
        self.most_held = 0
        self.max_receives = 0
        self.buried: list[str] = []
        #: Cleared, an answer stays on its way.
        self.may_answer = threading.Event()
        self.may_answer.set()

    def put(self, *bodies: str) -> None:
        """Send each of *bodies* in the group that its first letter names."""
        for body in bodies:
            self.send(Message(body, body[0], body))

    def receive(self, *, wait_time_s: int, **asked: Any) -> list[Delivery]:
        self.polls.append(asked | {"wait_time_s": wait_time_s})
        # Not the long poll of 1 s, for which every test would wait at its end.
        deliveries = super().receive(wait_time_s=0.05, **asked)
        self.received += [delivery.body for delivery in deliveries]
        self.most_held = max(self.most_held, self.depth().held)
        self.may_answer.wait(20)
        return deliveries

    def _receive(self, max_messages: int, visibility_timeout_s: int) -> list[Delivery]:
        for message in list(self.messages):
            is_visible = message.visible_at <= time.monotonic()
            if self.max_receives and is_visible and message.receive_count >= self.max_receives:
                self.messages.remove(message)
                self.buried.append(message.body)
        return super()._receive(max_messages, visibility_timeout_s)

    def change_visibility_batch(self, deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        results = super().change_visibility_batch(deliveries, timeout_s=timeout_s)
        self.changes += [(delivery.body, timeout_s) for delivery in deliveries]
        return results


class Handler:
    """Ends each image as *endings* says, once its gate is open."""

    def __init__(self, jobs: Jobs) -> None:
        self.journal: list[tuple[str, str]] = []
        self.leases: dict[str, Lease] = {}
        self.endings: dict[str, Ending] = {}
        self.gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._jobs = jobs

    def hold(self, *bodies: str) -> None:
        for body in bodies:
            self.gates[body].clear()

    def release(self, *bodies: str) -> None:
        for body in bodies or tuple(self.gates):
            self.gates[body].set()

    def __call__(self, lease: Lease) -> Ending:
        body = lease.delivery.body
        self.leases[body] = lease
        self.journal.append(("began", body))
        if body in self.gates:
            self.gates[body].wait(20)
        ending = self.endings.get(body, DONE)
        if not lease.is_ours:
            ending = Ending(Outcome.LEASE_LOST)
        if ending is DONE:
            self._jobs.delete_batch([lease.delivery])
        self.journal.append(("ended", body))
        return ending

    @property
    def began(self) -> list[str]:
        return [body for what, body in self.journal if what == "began"]

    @property
    def ended(self) -> list[str]:
        return [body for what, body in self.journal if what == "ended"]


class Probe:
    def __init__(self) -> None:
        self.count = 0
        self.is_down = False

    def __call__(self) -> None:
        self.count += 1
        if self.is_down:
            raise StorageUnavailableError("still down")


class House:
    def __init__(self) -> None:
        self.jobs = Jobs()
        self.handler = Handler(self.jobs)
        self.probe = Probe()
        self.consumers: list[Consumer] = []

    def consumer(self, threads: int, *, visibility_timeout_s: int = TIMEOUT_S) -> Consumer:
        return Consumer(
            jobs=self.jobs,
            handle=self.handler,
            probe=self.probe,
            threads=threads,
            visibility_timeout_s=visibility_timeout_s,
            poll_wait_s=POLL_WAIT_S,
            metrics=WorkerMetrics(),
        )

    def start(self, threads: int, *, visibility_timeout_s: int = TIMEOUT_S) -> Consumer:
        consumer = self.consumer(threads, visibility_timeout_s=visibility_timeout_s)
        consumer.start()
        self.consumers.append(consumer)
        return consumer

    def stop_in_background(self, consumer: Consumer, *, grace_s: float) -> threading.Thread:
        thread = threading.Thread(target=consumer.stop, kwargs={"grace_s": grace_s})
        thread.start()
        wait_until(lambda: consumer._stopping.is_set(), within_s=SOON_S, every_s=0.01)
        return thread


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("app.consumer.consumer._BACKOFF", Backoff(0.01, 0.02))
    monkeypatch.setattr("app.consumer.breaker._MAX_PAUSE_S", 0.02)
    house = House()
    yield house
    house.jobs.may_answer.set()
    house.handler.release()
    for consumer in house.consumers:
        consumer.stop(grace_s=SOON_S)


def soon(look: Callable[[], Any]) -> None:
    wait_until(look, within_s=SOON_S, every_s=0.01)


def stays(look: Callable[[], bool], *, for_s: float = 0.3) -> bool:
    """Whether *look* is true all the while: for what must not happen."""
    deadline = time.monotonic() + for_s
    with pytest.raises(AssertionError, match="not within"):
        wait_until(lambda: not look() or None, within_s=deadline - time.monotonic(), every_s=0.02)
    return True


# --- order, groups and capacity ------------------------------------------------------------------


def test_messages_are_handled_and_gone(house: House) -> None:
    house.jobs.put("a1", "b1", "c1")

    house.start(threads=2)

    soon(lambda: sorted(house.handler.ended) == ["a1", "b1", "c1"])
    assert house.jobs.messages == []


def test_a_group_is_handled_in_order_one_at_a_time(house: House) -> None:
    bodies = [f"{group}{n}" for n in range(5) for group in "ab"]
    house.jobs.put(*bodies)

    house.start(threads=8)

    soon(lambda: len(house.handler.ended) == len(bodies))
    for group in "ab":
        journal = [entry for entry in house.handler.journal if entry[1][0] == group]
        expected = [(what, f"{group}{n}") for n in range(5) for what in ("began", "ended")]
        assert journal == expected


def test_groups_are_handled_at_the_same_time(house: House) -> None:
    house.handler.hold("a1", "b1", "c1", "d1")
    house.jobs.put("a1", "a2", "b1", "c1", "d1")

    house.start(threads=4)

    soon(lambda: sorted(house.handler.began) == ["a1", "b1", "c1", "d1"])


def test_never_more_is_held_than_threads_and_half_as_many_waiting(house: House) -> None:
    bodies = [f"{chr(letter)}1" for letter in range(ord("a"), ord("a") + 26)]
    house.handler.hold(*bodies)
    house.jobs.put(*bodies)
    house.start(threads=4)
    soon(lambda: len(house.jobs.received) == 6)

    assert stays(lambda: len(house.jobs.received) == 6)
    for body in bodies:
        house.handler.release(body)

    soon(lambda: len(house.handler.ended) == len(bodies))
    assert house.jobs.most_held <= 6
    assert max(poll["max_messages"] for poll in house.jobs.polls) <= 6


def test_a_poll_asks_for_ten_at_most_and_says_for_how_long(house: House) -> None:
    house.start(threads=30)

    soon(lambda: house.jobs.polls)
    poll = house.jobs.polls[0]
    assert poll["max_messages"] == 10
    assert (poll["wait_time_s"], poll["visibility_timeout_s"]) == (POLL_WAIT_S, TIMEOUT_S)


def test_an_image_knows_the_thread_that_works_on_it(house: House) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1")

    house.start(threads=1)

    soon(lambda: house.handler.began)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    assert names[house.handler.leases["a1"].thread_id] == "worker-0"


# --- endings -------------------------------------------------------------------------------------


def test_those_behind_one_that_has_to_wait_wait_as_long(house: House) -> None:
    house.handler.endings["a1"] = Ending(Outcome.RETRIED, 7)
    house.jobs.put("a1", "a2", "a3", "b1")

    house.start(threads=8)

    soon(lambda: len(house.jobs.changes) == 3 and "b1" in house.handler.ended)
    assert house.jobs.changes == [("a1", 7), ("a2", 7), ("a3", 7)]
    assert "a2" not in house.handler.began
    assert not house.handler.leases["a1"].is_ours


def test_only_what_is_left_of_a_group_goes_back(house: House) -> None:
    house.handler.endings["a2"] = Ending(Outcome.RETRIED, 7)
    house.jobs.put("a1", "a2", "a3")

    house.start(threads=8)

    soon(lambda: len(house.jobs.changes) == 2)
    assert house.jobs.changes == [("a2", 7), ("a3", 7)]
    assert house.jobs.bodies == ["a2", "a3"]


def test_those_behind_one_that_was_lost_go_back_at_once(house: House) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1", "a2")
    house.start(threads=8)
    soon(lambda: house.handler.began)

    house.handler.leases["a1"].end()
    house.handler.release()

    soon(lambda: house.jobs.changes)
    assert house.jobs.changes[0] == ("a2", 0)


def test_one_that_was_given_up_goes_to_the_dead_letters_and_its_group_goes_on(
    house: House,
) -> None:
    house.jobs.max_receives = 1
    house.handler.endings["a1"] = Ending(Outcome.GIVEN_UP)
    house.jobs.put("a1", "a2", "a3")

    house.start(threads=8)

    soon(lambda: house.handler.ended == ["a1", "a2", "a3"] and house.jobs.buried)
    assert house.jobs.changes == [("a1", 0)]
    assert house.jobs.buried == ["a1"]
    assert house.jobs.messages == []


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ANNOUNCED_AGAIN])
def test_what_is_dealt_with_is_not_given_back(house: House, outcome: Outcome) -> None:
    house.handler.endings["a1"] = Ending(outcome)
    house.jobs.put("a1", "a2")

    consumer = house.start(threads=8)

    soon(lambda: house.handler.ended == ["a1", "a2"])
    soon(lambda: consumer._leases.held() == [])
    assert house.jobs.changes == []


# --- outages -------------------------------------------------------------------------------------


def test_polling_survives_an_outage_of_the_queue(house: House) -> None:
    house.jobs.is_down = True
    house.start(threads=1)
    soon(lambda: len(house.jobs.polls) >= 3)

    house.jobs.is_down = False
    house.jobs.put("a1")

    soon(lambda: house.handler.ended == ["a1"])


def test_the_attempt_id_is_the_same_until_there_is_an_answer(house: House) -> None:
    house.jobs.is_down = True
    house.start(threads=1)
    soon(lambda: len(house.jobs.polls) >= 4)
    asked = [poll["attempt_id"] for poll in house.jobs.polls]
    house.jobs.is_down = False

    soon(lambda: len({poll["attempt_id"] for poll in house.jobs.polls}) >= 3)

    assert len(set(asked)) == 1
    uses = Counter(poll["attempt_id"] for poll in house.jobs.polls)
    assert set(list(uses.values())[1:]) == {1}


def test_an_attempt_id_that_is_too_old_is_not_used_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.consumer._ATTEMPT_ID_LIFE_S", 0.0)
    house.jobs.is_down = True

    house.start(threads=1)

    soon(lambda: len({poll["attempt_id"] for poll in house.jobs.polls}) >= 3)


def fail_in_a_row(house: House, count: int) -> None:
    for n in range(count):
        body = f"{n}-fails"
        house.handler.endings[body] = OUTAGE
        house.jobs.put(body)


def test_fewer_than_five_outages_in_a_row_change_nothing(house: House) -> None:
    fail_in_a_row(house, FAILURES_TO_OPEN - 1)
    house.start(threads=1)
    soon(lambda: len(house.handler.ended) == FAILURES_TO_OPEN - 1)

    house.jobs.put("a1")

    soon(lambda: "a1" in house.handler.ended)
    assert house.probe.count == 0


@pytest.mark.parametrize("outcome", [Outcome.RETRIED, Outcome.GIVEN_UP])
def test_faults_of_ours_are_no_outage(house: House, outcome: Outcome) -> None:
    for n in range(2 * FAILURES_TO_OPEN):
        house.handler.endings[f"{n}"] = Ending(outcome, 60)
        house.jobs.put(f"{n}")
    house.jobs.max_receives = 1

    house.start(threads=1)

    soon(lambda: len(house.handler.ended) == 2 * FAILURES_TO_OPEN)
    assert house.probe.count == 0


def test_in_an_outage_nothing_is_received_until_the_probe_succeeds(house: House) -> None:
    house.probe.is_down = True
    fail_in_a_row(house, FAILURES_TO_OPEN)
    house.start(threads=2)
    soon(lambda: house.probe.count >= 1)
    polls = len(house.jobs.polls)

    house.jobs.put("a1")
    probes = house.probe.count
    soon(lambda: house.probe.count >= probes + 3)
    assert len(house.jobs.polls) == polls
    house.probe.is_down = False

    soon(lambda: "a1" in house.handler.ended)


def test_after_an_outage_one_image_tries_before_the_others_follow(house: House) -> None:
    house.probe.is_down = True
    fail_in_a_row(house, FAILURES_TO_OPEN)
    house.start(threads=4)
    soon(lambda: house.probe.count >= 1)
    house.handler.hold("a1")
    house.jobs.put("a1", "b1", "c1")

    house.probe.is_down = False
    soon(lambda: "a1" in house.handler.began)
    polls = len(house.jobs.polls)

    assert house.jobs.polls[-1]["max_messages"] == 1
    assert stays(lambda: len(house.jobs.polls) == polls)
    house.handler.release()
    soon(lambda: {"b1", "c1"} <= set(house.handler.ended))
    assert house.jobs.polls[-1]["max_messages"] > 1


def test_when_the_one_that_tries_fails_the_outage_goes_on(house: House) -> None:
    house.probe.is_down = True
    fail_in_a_row(house, FAILURES_TO_OPEN)
    house.start(threads=4)
    soon(lambda: house.probe.count >= 1)
    house.handler.endings["a1"] = OUTAGE
    house.handler.hold("a1")
    house.jobs.put("a1", "b1")

    house.probe.is_down = False
    soon(lambda: "a1" in house.handler.began)
    house.probe.is_down = True
    probes = house.probe.count
    house.handler.release("a1")

    soon(lambda: house.probe.count > probes)
    assert "b1" not in house.handler.began


def test_when_the_breaker_opens_what_has_not_begun_goes_back_for_a_while(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.breaker._MAX_PAUSE_S", 40.0)
    fail_in_a_row(house, FAILURES_TO_OPEN - 1)
    house.handler.endings["a1"] = OUTAGE
    house.handler.hold("a1", "b1")
    house.jobs.put("a1", "b1", "c1")
    house.start(threads=2)
    soon(lambda: "c1" in house.jobs.received and {"a1", "b1"} <= set(house.handler.began))

    house.handler.release("a1")

    soon(lambda: "c1" in dict(house.jobs.changes))
    assert 20 <= dict(house.jobs.changes)["c1"] <= 40
    assert "c1" not in house.handler.began
    assert house.handler.leases["b1"].is_ours


def test_a_success_in_the_middle_of_an_outage_ends_it(house: House) -> None:
    house.probe.is_down = True
    house.handler.hold("a1")
    house.jobs.put("a1")
    fail_in_a_row(house, FAILURES_TO_OPEN)
    house.start(threads=4)
    soon(lambda: house.probe.count >= 1)

    house.handler.release("a1")
    house.jobs.put("b1")
    soon(lambda: "a1" in house.handler.ended)
    house.probe.is_down = False

    soon(lambda: "b1" in house.handler.ended)


# --- the readiness check -------------------------------------------------------------------------


class Clock:
    """The time of the house, moved on by *ahead_s*."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(
        "app.consumer.consumer.time", SimpleNamespace(monotonic=clock, time_ns=time.time_ns)
    )
    return clock


def test_a_queue_that_is_silent_for_three_polls_fails_the_check(house: House, clock: Clock) -> None:
    house.jobs.may_answer.clear()
    consumer = house.start(threads=1)
    soon(lambda: house.jobs.polls)
    clock.ahead_s = 17
    consumer.check()

    clock.ahead_s = 19

    with pytest.raises(QueueUnavailableError, match="not answered the worker for 19 s"):
        consumer.check()
    house.jobs.may_answer.set()


def test_failed_polls_are_no_answer_and_empty_ones_are(house: House, clock: Clock) -> None:
    house.jobs.is_down = True
    consumer = house.start(threads=1)
    clock.ahead_s = 100
    soon(lambda: len(house.jobs.polls) >= 3)
    with pytest.raises(QueueUnavailableError):
        consumer.check()

    house.jobs.is_down = False

    soon(lambda: _passes(consumer))


def _passes(consumer: Consumer) -> bool:
    try:
        consumer.check()
    except QueueUnavailableError:
        return False
    return True


def test_a_worker_that_is_merely_full_passes_the_check(house: House, clock: Clock) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1")
    consumer = house.start(threads=1)
    soon(lambda: house.handler.began)

    clock.ahead_s = 100

    consumer.check()


def test_a_worker_that_was_full_passes_the_check_when_it_polls_again(
    house: House, clock: Clock
) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1")
    consumer = house.start(threads=1)
    soon(lambda: house.handler.began)
    clock.ahead_s = 100
    polls = len(house.jobs.polls)

    house.jobs.may_answer.clear()
    house.handler.release()
    soon(lambda: len(house.jobs.polls) > polls)

    consumer.check()


def test_an_image_that_hangs_fails_the_check(house: House) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1")
    consumer = house.start(threads=2)
    soon(lambda: house.handler.began)
    consumer.check()

    house.handler.leases["a1"].is_overdue = True
    with pytest.raises(QueueUnavailableError, match="1 images hang"):
        consumer.check()

    house.handler.release()
    soon(lambda: _passes(consumer))


# --- stopping ------------------------------------------------------------------------------------


def test_an_idle_consumer_stops_within_a_poll_and_leaves_no_thread(house: House) -> None:
    before = threading.active_count()
    consumer = house.start(threads=4)
    soon(lambda: house.jobs.polls)
    started_at = time.monotonic()

    consumer.stop(grace_s=20)

    assert_within(time.monotonic() - started_at, POLL_WAIT_S + 1)
    assert threading.active_count() == before


def test_a_stop_waits_for_what_runs(house: House) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1")
    consumer = house.start(threads=2)
    soon(lambda: house.handler.began)

    stopping = house.stop_in_background(consumer, grace_s=20)
    assert stays(lambda: stopping.is_alive() and house.handler.leases["a1"].is_ours)
    house.handler.release()
    stopping.join(SOON_S)

    assert not stopping.is_alive()
    assert house.handler.ended == ["a1"]
    assert house.jobs.messages == []
    assert house.jobs.changes == []


def test_a_stop_gives_back_the_rest_of_a_group_at_once(house: House) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1", "a2", "a3")
    consumer = house.start(threads=8)
    soon(lambda: house.handler.began and len(house.jobs.received) == 3)

    stopping = house.stop_in_background(consumer, grace_s=20)
    house.handler.release()
    stopping.join(SOON_S)

    assert house.handler.began == ["a1"]
    # The pending poll may have brought them once more.
    assert house.jobs.changes[:2] == [("a2", 0), ("a3", 0)]
    assert set(house.jobs.changes) == {("a2", 0), ("a3", 0)}
    assert house.jobs.depth().waiting == 2


def test_a_stop_gives_back_what_waits_for_a_thread(house: House) -> None:
    house.handler.hold("a1", "b1")
    house.jobs.put("a1", "b1", "c1")
    consumer = house.start(threads=2)
    soon(lambda: len(house.handler.began) == 2 and len(house.jobs.received) == 3)

    stopping = house.stop_in_background(consumer, grace_s=20)
    house.handler.release("a1")
    soon(lambda: ("c1", 0) in house.jobs.changes)
    house.handler.release("b1")
    stopping.join(SOON_S)

    assert sorted(house.handler.began) == ["a1", "b1"]
    assert house.jobs.bodies == ["c1"]


def test_a_stop_gives_back_what_the_pending_poll_brought(house: House) -> None:
    house.jobs.may_answer.clear()
    house.jobs.put("a1", "b1")
    consumer = house.start(threads=4)
    soon(lambda: len(house.jobs.received) == 2)

    stopping = house.stop_in_background(consumer, grace_s=20)
    house.jobs.may_answer.set()
    stopping.join(SOON_S)

    assert house.handler.began == []
    assert sorted(house.jobs.changes) == [("a1", 0), ("b1", 0)]
    assert house.jobs.depth().held == 0


def test_a_stop_takes_no_longer_than_its_grace_and_ends_the_leases_of_what_runs(
    house: House,
) -> None:
    house.handler.hold("a1", "b1")
    house.jobs.put("a1", "b1", "c1")
    consumer = house.start(threads=2)
    soon(lambda: len(house.handler.began) == 2 and len(house.jobs.received) == 3)
    started_at = time.monotonic()

    consumer.stop(grace_s=0.3)

    took_s = time.monotonic() - started_at
    assert took_s >= 0.3
    assert_within(took_s, 2)
    assert sorted(house.jobs.changes) == [("a1", 0), ("b1", 0), ("c1", 0)]
    assert not any(lease.is_ours for lease in house.handler.leases.values())
    assert house.jobs.depth().held == 0


def test_what_runs_is_renewed_while_a_stop_waits_for_it(house: House) -> None:
    house.handler.hold("a1")
    house.jobs.put("a1")
    consumer = house.start(threads=1, visibility_timeout_s=2)
    soon(lambda: house.handler.began)
    stopping = house.stop_in_background(consumer, grace_s=20)

    soon(lambda: house.jobs.changes.count(("a1", 2)) >= 2)
    house.handler.release()
    stopping.join(SOON_S)

    assert house.handler.ended == ["a1"]
    assert house.jobs.messages == []


def test_a_stop_in_an_outage_of_the_queue_is_quick(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.consumer._BACKOFF", Backoff(1000.0, 1000.0))
    house.jobs.is_down = True
    consumer = house.start(threads=1)
    soon(lambda: house.jobs.polls)
    started_at = time.monotonic()

    consumer.stop(grace_s=20)

    assert_within(time.monotonic() - started_at, 2)


def test_a_stop_in_an_outage_asks_nobody_any_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.breaker._MAX_PAUSE_S", 1000.0)
    fail_in_a_row(house, FAILURES_TO_OPEN)
    consumer = house.start(threads=1)
    soon(lambda: consumer._breaker.is_open)

    consumer.stop(grace_s=20)

    assert house.probe.count == 0


def test_abandoning_gives_back_everything_at_once(house: House) -> None:
    house.handler.hold("a1", "b1")
    house.jobs.put("a1", "b1", "c1")
    consumer = house.start(threads=2)
    soon(lambda: len(house.handler.began) == 2 and len(house.jobs.received) == 3)

    consumer.abandon()

    assert sorted(house.jobs.changes) == [("a1", 0), ("b1", 0), ("c1", 0)]
    assert not any(lease.is_ours for lease in house.handler.leases.values())
