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
from testkit.in_memory.fakes import MemoryQueue
from testkit.timing.clocks import ShiftedClock
from testkit.timing.waiting import wait_until

TIMEOUT_S = 60
POLL_WAIT_S = 1
DONE = Ending(Outcome.PROCESSED)
OUTAGE = Ending(Outcome.RETRIED, 60, is_outage=True)
SOON_S = 30.0


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


class ConsumerSetup:
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
def setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsumerSetup]:
    monkeypatch.setattr("app.consumer.consumer._BACKOFF", Backoff(0.01, 0.02))
    monkeypatch.setattr("app.consumer.breaker._MAX_PAUSE_S", 0.02)
    setup = ConsumerSetup()
    yield setup
    setup.jobs.may_answer.set()
    setup.handler.release()
    for consumer in setup.consumers:
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


def test_handled_messages_are_deleted(setup: ConsumerSetup) -> None:
    setup.jobs.put("a1", "b1", "c1")

    setup.start(threads=2)

    soon(lambda: sorted(setup.handler.ended) == ["a1", "b1", "c1"])
    assert setup.jobs.messages == []


def test_a_group_is_handled_in_order_one_at_a_time(setup: ConsumerSetup) -> None:
    bodies = [f"{group}{n}" for n in range(5) for group in "ab"]
    setup.jobs.put(*bodies)

    setup.start(threads=8)

    soon(lambda: len(setup.handler.ended) == len(bodies))
    for group in "ab":
        journal = [entry for entry in setup.handler.journal if entry[1][0] == group]
        expected = [(what, f"{group}{n}") for n in range(5) for what in ("began", "ended")]
        assert journal == expected


def test_groups_are_handled_at_the_same_time(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1", "b1", "c1", "d1")
    setup.jobs.put("a1", "a2", "b1", "c1", "d1")

    setup.start(threads=4)

    soon(lambda: sorted(setup.handler.began) == ["a1", "b1", "c1", "d1"])


def test_at_most_half_as_many_messages_as_threads_wait_for_a_thread(setup: ConsumerSetup) -> None:
    bodies = [f"{chr(letter)}1" for letter in range(ord("a"), ord("a") + 26)]
    setup.handler.hold(*bodies)
    setup.jobs.put(*bodies)
    setup.start(threads=4)
    soon(lambda: len(setup.jobs.received) == 6)

    assert stays(lambda: len(setup.jobs.received) == 6)
    for body in bodies:
        setup.handler.release(body)

    soon(lambda: len(setup.handler.ended) == len(bodies))
    assert setup.jobs.most_held <= 6
    assert max(poll["max_messages"] for poll in setup.jobs.polls) <= 6


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has this clock")
def test_a_machine_that_was_suspended_before_works(
    setup: ConsumerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll and its lease must count by the same clock: here they are half an hour apart."""
    monkeypatch.setattr(time, "clock_gettime", lambda _: time.monotonic() + 1800)
    setup.jobs.put("a1")

    setup.start(threads=1)

    soon(lambda: setup.handler.ended == ["a1"])
    soon(lambda: not setup.jobs.messages)


def test_a_poll_asks_for_ten_at_most_and_says_for_how_long(setup: ConsumerSetup) -> None:
    setup.start(threads=30)

    soon(lambda: setup.jobs.polls)
    poll = setup.jobs.polls[0]
    assert poll["max_messages"] == 10
    assert (poll["wait_time_s"], poll["visibility_timeout_s"]) == (POLL_WAIT_S, TIMEOUT_S)


def test_an_image_knows_the_thread_that_works_on_it(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1")
    setup.jobs.put("a1")

    setup.start(threads=1)

    soon(lambda: setup.handler.began)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    assert names[setup.handler.leases["a1"].thread_id] == "worker-0"


# --- endings -------------------------------------------------------------------------------------


def test_messages_behind_a_retried_message_of_their_group_wait_as_long(
    setup: ConsumerSetup,
) -> None:
    setup.handler.endings["a1"] = Ending(Outcome.RETRIED, 7)
    setup.jobs.put("a1", "a2", "a3", "b1")

    setup.start(threads=8)

    soon(lambda: len(setup.jobs.changes) == 3 and "b1" in setup.handler.ended)
    assert setup.jobs.changes == [("a1", 7), ("a2", 7), ("a3", 7)]
    assert "a2" not in setup.handler.began
    assert not setup.handler.leases["a1"].is_ours


def test_only_the_unhandled_messages_of_a_group_are_returned(setup: ConsumerSetup) -> None:
    setup.handler.endings["a2"] = Ending(Outcome.RETRIED, 7)
    setup.jobs.put("a1", "a2", "a3")

    setup.start(threads=8)

    soon(lambda: len(setup.jobs.changes) == 2)
    assert setup.jobs.changes == [("a2", 7), ("a3", 7)]
    assert setup.jobs.bodies == ["a2", "a3"]


def test_messages_behind_a_lost_lease_are_returned_at_once(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1")
    setup.jobs.put("a1", "a2")
    setup.start(threads=8)
    soon(lambda: setup.handler.began)

    setup.handler.leases["a1"].end()
    setup.handler.release()

    soon(lambda: setup.jobs.changes)
    assert setup.jobs.changes[0] == ("a2", 0)


def test_a_message_given_up_becomes_a_dead_letter_and_its_group_continues(
    setup: ConsumerSetup,
) -> None:
    setup.jobs.max_receives = 1
    setup.handler.endings["a1"] = Ending(Outcome.GIVEN_UP)
    setup.jobs.put("a1", "a2", "a3")

    setup.start(threads=8)

    soon(lambda: setup.handler.ended == ["a1", "a2", "a3"] and setup.jobs.buried)
    assert setup.jobs.changes == [("a1", 0)]
    assert setup.jobs.buried == ["a1"]
    assert setup.jobs.messages == []


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ANNOUNCED_AGAIN])
def test_handled_messages_are_not_returned(setup: ConsumerSetup, outcome: Outcome) -> None:
    setup.handler.endings["a1"] = Ending(outcome)
    setup.jobs.put("a1", "a2")

    consumer = setup.start(threads=8)

    soon(lambda: setup.handler.ended == ["a1", "a2"])
    soon(lambda: consumer._leases.held() == [])
    assert setup.jobs.changes == []


# --- outages -------------------------------------------------------------------------------------


def test_polling_survives_an_outage_of_the_queue(setup: ConsumerSetup) -> None:
    setup.jobs.is_down = True
    setup.start(threads=1)
    soon(lambda: len(setup.jobs.polls) >= 3)

    setup.jobs.is_down = False
    setup.jobs.put("a1")

    soon(lambda: setup.handler.ended == ["a1"])


def test_the_attempt_id_is_the_same_until_there_is_an_answer(setup: ConsumerSetup) -> None:
    setup.jobs.is_down = True
    setup.start(threads=1)
    soon(lambda: len(setup.jobs.polls) >= 4)
    asked = [poll["attempt_id"] for poll in setup.jobs.polls]
    setup.jobs.is_down = False

    soon(lambda: len({poll["attempt_id"] for poll in setup.jobs.polls}) >= 3)

    assert len(set(asked)) == 1
    uses = Counter(poll["attempt_id"] for poll in setup.jobs.polls)
    assert set(list(uses.values())[1:]) == {1}


def test_an_attempt_id_that_is_too_old_is_not_used_again(
    setup: ConsumerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.consumer._ATTEMPT_ID_LIFE_S", 0.0)
    setup.jobs.is_down = True

    setup.start(threads=1)

    soon(lambda: len({poll["attempt_id"] for poll in setup.jobs.polls}) >= 3)


def fail_in_a_row(setup: ConsumerSetup, count: int) -> None:
    for n in range(count):
        body = f"{n}-fails"
        setup.handler.endings[body] = OUTAGE
        setup.jobs.put(body)


def test_fewer_than_five_outages_in_a_row_change_nothing(setup: ConsumerSetup) -> None:
    fail_in_a_row(setup, FAILURES_TO_OPEN - 1)
    setup.start(threads=1)
    soon(lambda: len(setup.handler.ended) == FAILURES_TO_OPEN - 1)

    setup.jobs.put("a1")

    soon(lambda: "a1" in setup.handler.ended)
    assert setup.probe.count == 0


@pytest.mark.parametrize("outcome", [Outcome.RETRIED, Outcome.GIVEN_UP])
def test_faults_of_ours_are_no_outage(setup: ConsumerSetup, outcome: Outcome) -> None:
    for n in range(2 * FAILURES_TO_OPEN):
        setup.handler.endings[f"{n}"] = Ending(outcome, 60)
        setup.jobs.put(f"{n}")
    setup.jobs.max_receives = 1

    setup.start(threads=1)

    soon(lambda: len(setup.handler.ended) == 2 * FAILURES_TO_OPEN)
    assert setup.probe.count == 0


def test_in_an_outage_nothing_is_received_until_the_probe_succeeds(setup: ConsumerSetup) -> None:
    setup.probe.is_down = True
    fail_in_a_row(setup, FAILURES_TO_OPEN)
    setup.start(threads=2)
    soon(lambda: setup.probe.count >= 1)
    polls = len(setup.jobs.polls)

    setup.jobs.put("a1")
    probes = setup.probe.count
    soon(lambda: setup.probe.count >= probes + 3)
    assert len(setup.jobs.polls) == polls
    setup.probe.is_down = False

    soon(lambda: "a1" in setup.handler.ended)


def test_after_an_outage_one_image_is_tried_before_the_others(setup: ConsumerSetup) -> None:
    setup.probe.is_down = True
    fail_in_a_row(setup, FAILURES_TO_OPEN)
    setup.start(threads=4)
    soon(lambda: setup.probe.count >= 1)
    setup.handler.hold("a1")
    setup.jobs.put("a1", "b1", "c1")

    setup.probe.is_down = False
    soon(lambda: "a1" in setup.handler.began)
    polls = len(setup.jobs.polls)

    assert setup.jobs.polls[-1]["max_messages"] == 1
    assert stays(lambda: len(setup.jobs.polls) == polls)
    setup.handler.release()
    soon(lambda: {"b1", "c1"} <= set(setup.handler.ended))
    assert setup.jobs.polls[-1]["max_messages"] > 1


def test_when_the_trial_image_fails_the_outage_continues(setup: ConsumerSetup) -> None:
    setup.probe.is_down = True
    fail_in_a_row(setup, FAILURES_TO_OPEN)
    setup.start(threads=4)
    soon(lambda: setup.probe.count >= 1)
    setup.handler.endings["a1"] = OUTAGE
    setup.handler.hold("a1")
    setup.jobs.put("a1", "b1")

    setup.probe.is_down = False
    soon(lambda: "a1" in setup.handler.began)
    setup.probe.is_down = True
    probes = setup.probe.count
    setup.handler.release("a1")

    soon(lambda: setup.probe.count > probes)
    assert "b1" not in setup.handler.began


def test_when_the_breaker_opens_unstarted_messages_are_returned_with_a_delay(
    setup: ConsumerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.breaker._MAX_PAUSE_S", 40.0)
    fail_in_a_row(setup, FAILURES_TO_OPEN - 1)
    setup.handler.endings["a1"] = OUTAGE
    setup.handler.hold("a1", "b1")
    setup.jobs.put("a1", "b1", "c1")
    setup.start(threads=2)
    soon(lambda: "c1" in setup.jobs.received and {"a1", "b1"} <= set(setup.handler.began))

    setup.handler.release("a1")

    soon(lambda: "c1" in dict(setup.jobs.changes))
    assert 20 <= dict(setup.jobs.changes)["c1"] <= 40
    assert "c1" not in setup.handler.began
    assert setup.handler.leases["b1"].is_ours


def test_a_success_in_the_middle_of_an_outage_ends_it(setup: ConsumerSetup) -> None:
    setup.probe.is_down = True
    setup.handler.hold("a1")
    setup.jobs.put("a1")
    fail_in_a_row(setup, FAILURES_TO_OPEN)
    setup.start(threads=4)
    soon(lambda: setup.probe.count >= 1)

    setup.handler.release("a1")
    setup.jobs.put("b1")
    soon(lambda: "a1" in setup.handler.ended)
    setup.probe.is_down = False

    soon(lambda: "b1" in setup.handler.ended)


# --- the readiness check -------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    clock = ShiftedClock()
    monkeypatch.setattr(
        "app.consumer.consumer.time", SimpleNamespace(monotonic=clock, time_ns=time.time_ns)
    )
    return clock


def test_a_queue_that_is_silent_for_three_polls_fails_the_check(
    setup: ConsumerSetup, clock: ShiftedClock
) -> None:
    setup.jobs.may_answer.clear()
    consumer = setup.start(threads=1)
    soon(lambda: setup.jobs.polls)
    clock.ahead_s = 17
    consumer.check()

    clock.ahead_s = 19

    with pytest.raises(QueueUnavailableError, match="not answered the worker for 19 s"):
        consumer.check()
    setup.jobs.may_answer.set()


def test_empty_polls_count_as_answers_and_failed_polls_do_not(
    setup: ConsumerSetup, clock: ShiftedClock
) -> None:
    setup.jobs.is_down = True
    consumer = setup.start(threads=1)
    clock.ahead_s = 100
    soon(lambda: len(setup.jobs.polls) >= 3)
    with pytest.raises(QueueUnavailableError):
        consumer.check()

    setup.jobs.is_down = False

    soon(lambda: _passes(consumer))


def _passes(consumer: Consumer) -> bool:
    try:
        consumer.check()
    except QueueUnavailableError:
        return False
    return True


def start_full(setup: ConsumerSetup) -> Consumer:
    """A consumer whose only thread is at work."""
    setup.handler.hold("a1")
    setup.jobs.put("a1")
    consumer = setup.start(threads=1)
    soon(lambda: setup.handler.began)
    return consumer


def test_a_worker_that_is_merely_full_passes_the_check(
    setup: ConsumerSetup, clock: ShiftedClock
) -> None:
    consumer = start_full(setup)

    clock.ahead_s = 100

    consumer.check()


def test_a_worker_that_was_full_passes_the_check_when_it_polls_again(
    setup: ConsumerSetup, clock: ShiftedClock
) -> None:
    consumer = start_full(setup)
    clock.ahead_s = 100
    polls = len(setup.jobs.polls)

    setup.jobs.may_answer.clear()
    setup.handler.release()
    soon(lambda: len(setup.jobs.polls) > polls)

    consumer.check()


def test_an_image_that_hangs_fails_the_check(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1")
    setup.jobs.put("a1")
    consumer = setup.start(threads=2)
    soon(lambda: setup.handler.began)
    consumer.check()

    setup.handler.leases["a1"].is_overdue = True
    with pytest.raises(QueueUnavailableError, match="1 images hang"):
        consumer.check()

    setup.handler.release()
    soon(lambda: _passes(consumer))


# --- stopping ------------------------------------------------------------------------------------


def test_an_idle_consumer_stops_long_before_its_grace_and_leaves_no_thread(
    setup: ConsumerSetup,
) -> None:
    before = threading.active_count()
    consumer = setup.start(threads=4)
    soon(lambda: setup.jobs.polls)

    setup.stop_in_background(consumer, grace_s=600).join(SOON_S)

    assert threading.active_count() == before


def test_a_stop_waits_for_running_images(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1")
    setup.jobs.put("a1")
    consumer = setup.start(threads=2)
    soon(lambda: setup.handler.began)

    stopping = setup.stop_in_background(consumer, grace_s=20)
    assert stays(lambda: stopping.is_alive() and setup.handler.leases["a1"].is_ours)
    setup.handler.release()
    stopping.join(SOON_S)

    assert not stopping.is_alive()
    assert setup.handler.ended == ["a1"]
    assert setup.jobs.messages == []
    assert setup.jobs.changes == []


def test_a_stop_gives_back_the_rest_of_a_group_at_once(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1")
    setup.jobs.put("a1", "a2", "a3")
    consumer = setup.start(threads=8)
    soon(lambda: setup.handler.began and len(setup.jobs.received) == 3)

    stopping = setup.stop_in_background(consumer, grace_s=20)
    setup.handler.release()
    stopping.join(SOON_S)

    assert setup.handler.began == ["a1"]
    # The pending poll may have brought them once more.
    assert setup.jobs.changes[:2] == [("a2", 0), ("a3", 0)]
    assert set(setup.jobs.changes) == {("a2", 0), ("a3", 0)}
    assert setup.jobs.depth().waiting == 2


def test_a_stop_gives_back_what_waits_for_a_thread(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1", "b1")
    setup.jobs.put("a1", "b1", "c1")
    consumer = setup.start(threads=2)
    soon(lambda: len(setup.handler.began) == 2 and len(setup.jobs.received) == 3)

    stopping = setup.stop_in_background(consumer, grace_s=20)
    setup.handler.release("a1")
    soon(lambda: ("c1", 0) in setup.jobs.changes)
    setup.handler.release("b1")
    stopping.join(SOON_S)

    assert sorted(setup.handler.began) == ["a1", "b1"]
    assert setup.jobs.bodies == ["c1"]


def test_a_stop_gives_back_what_the_pending_poll_brought(setup: ConsumerSetup) -> None:
    setup.jobs.may_answer.clear()
    setup.jobs.put("a1", "b1")
    consumer = setup.start(threads=4)
    soon(lambda: len(setup.jobs.received) == 2)

    stopping = setup.stop_in_background(consumer, grace_s=20)
    setup.jobs.may_answer.set()
    stopping.join(SOON_S)

    assert setup.handler.began == []
    assert sorted(setup.jobs.changes) == [("a1", 0), ("b1", 0)]
    assert setup.jobs.depth().held == 0


def test_a_stop_ends_after_its_grace_with_the_leases_of_running_images(
    setup: ConsumerSetup,
) -> None:
    setup.handler.hold("a1", "b1")
    setup.jobs.put("a1", "b1", "c1")
    consumer = setup.start(threads=2)
    soon(lambda: len(setup.handler.began) == 2 and len(setup.jobs.received) == 3)
    started_at = time.monotonic()

    consumer.stop(grace_s=0.3)

    assert time.monotonic() - started_at >= 0.3
    assert sorted(setup.jobs.changes) == [("a1", 0), ("b1", 0), ("c1", 0)]
    assert not any(lease.is_ours for lease in setup.handler.leases.values())
    assert setup.jobs.depth().held == 0


def test_leases_are_renewed_while_a_stop_waits_for_their_images(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1")
    setup.jobs.put("a1")
    consumer = setup.start(threads=1, visibility_timeout_s=2)
    soon(lambda: setup.handler.began)
    stopping = setup.stop_in_background(consumer, grace_s=20)

    soon(lambda: setup.jobs.changes.count(("a1", 2)) >= 2)
    setup.handler.release()
    stopping.join(SOON_S)

    assert setup.handler.ended == ["a1"]
    assert setup.jobs.messages == []


def test_a_stop_in_an_outage_of_the_queue_is_quick(
    setup: ConsumerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.consumer._BACKOFF", Backoff(1000.0, 1000.0))
    setup.jobs.is_down = True
    consumer = setup.start(threads=1)
    soon(lambda: setup.jobs.polls)

    stopping = setup.stop_in_background(consumer, grace_s=600)
    stopping.join(SOON_S)

    assert not stopping.is_alive()


def test_a_stop_in_an_outage_makes_no_further_calls(
    setup: ConsumerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumer.breaker._MAX_PAUSE_S", 1000.0)
    fail_in_a_row(setup, FAILURES_TO_OPEN)
    consumer = setup.start(threads=1)
    soon(lambda: consumer._breaker.is_open)

    consumer.stop(grace_s=20)

    assert setup.probe.count == 0


def test_abandoning_gives_back_everything_at_once(setup: ConsumerSetup) -> None:
    setup.handler.hold("a1", "b1")
    setup.jobs.put("a1", "b1", "c1")
    consumer = setup.start(threads=2)
    soon(lambda: len(setup.handler.began) == 2 and len(setup.jobs.received) == 3)

    consumer.abandon()

    assert sorted(setup.jobs.changes) == [("a1", 0), ("b1", 0), ("c1", 0)]
    assert not any(lease.is_ours for lease in setup.handler.leases.values())
