"""Leases by a clock of our own, on a queue that can be told what to answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from app.consumer.leases import MAX_LEASE_S, Lease, Leases
from app.domain.ports import Delivery, Results
from app.errors import LeaseLostError, PipelineError, QueueUnavailableError
from app.observability.worker_metrics import WorkerMetrics
from testkit.in_memory.fakes import MemoryQueue
from testkit.observability.logged import events
from testkit.timing.clocks import Clock
from testkit.timing.waiting import wait_until

TIMEOUT_S = 60
AWAY = QueueUnavailableError("away")


class Visibility(MemoryQueue):
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[list[str], int]] = []
        self.error: Exception | None = None
        self.answers: dict[str, PipelineError] = {}
        self.answering = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def change_visibility_batch(self, deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        ids = [delivery.message_id for delivery in deliveries]
        self.requests.append((ids, timeout_s))
        self.answering.set()
        self.may_answer.wait(60)
        if self.error:
            raise self.error
        return [self.answers.get(message_id) for message_id in ids]


def delivery(message_id: str = "m") -> Delivery:
    return Delivery("{}", message_id, "g", 1, f"handle of {message_id}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue() -> Visibility:
    return Visibility()


@pytest.fixture
def leases(queue: Visibility, clock: Clock) -> Leases:
    return Leases(queue, visibility_timeout_s=TIMEOUT_S, metrics=WorkerMetrics(), clock=clock)


def hold(leases: Leases, clock: Clock, *ids: str) -> list[Lease]:
    return leases.hold([delivery(name) for name in ids or ("m",)], asked_at=clock())


def test_a_lease_starts_at_the_request_not_at_the_response(leases: Leases, clock: Clock) -> None:
    asked_at = clock()
    clock.now_s += TIMEOUT_S - 1  # frozen meanwhile

    (lease,) = leases.hold([delivery()], asked_at=asked_at)

    assert lease.is_ours
    clock.now_s += 1
    assert not lease.is_ours


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has this clock")
def test_a_lease_ends_while_the_machine_is_suspended(
    queue: Visibility, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspended_s, read = [0.0], time.clock_gettime
    monkeypatch.setattr(
        time,
        "clock_gettime",
        lambda clock: read(clock) + suspended_s[0] * (clock == time.CLOCK_BOOTTIME),
    )
    leases = Leases(queue, visibility_timeout_s=TIMEOUT_S, metrics=WorkerMetrics())
    (lease,) = leases.hold([delivery()], asked_at=leases.clock())
    assert lease.is_ours

    suspended_s[0] = TIMEOUT_S

    assert not lease.is_ours


def test_a_valid_lease_passes_the_check_and_an_ended_one_does_not(
    leases: Leases, clock: Clock
) -> None:
    (lease,) = hold(leases, clock)
    lease.check()

    lease.end()

    assert not lease.is_ours
    with pytest.raises(LeaseLostError, match="have message m"):
        lease.check()


def test_a_lease_ends_by_the_clock_without_a_response_of_the_queue(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    (lease,) = hold(leases, clock)

    clock.now_s += TIMEOUT_S

    with pytest.raises(LeaseLostError):
        lease.check()
    assert queue.requests == []


def test_no_lease_is_renewed_before_half_its_time(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    hold(leases, clock)
    clock.now_s += TIMEOUT_S / 2

    leases.renew()

    assert queue.requests == []


def test_a_lease_past_half_its_time_is_renewed_for_the_whole_time(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    (lease,) = hold(leases, clock)
    clock.now_s += TIMEOUT_S / 2 + 1

    leases.renew()

    assert queue.requests == [(["m"], TIMEOUT_S)]
    clock.now_s += TIMEOUT_S - 1
    assert lease.is_ours


def test_a_renewed_lease_counts_from_the_request_not_from_its_answer(
    leases: Leases, queue: Visibility, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lease,) = hold(leases, clock)
    clock.now_s += 40
    asked_at = clock()

    def answer_late(deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        clock.now_s += 10
        return [None]

    monkeypatch.setattr(queue, "change_visibility_batch", answer_late)
    leases.renew()

    assert lease.ends_at == asked_at + TIMEOUT_S


def test_renewals_go_ten_at_a_time_and_the_most_urgent_first(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    hold(leases, clock, *(f"late-{n}" for n in range(12)))
    leases.hold([delivery(f"early-{n}") for n in range(11)], asked_at=clock() - 5)
    clock.now_s += TIMEOUT_S / 2 + 1

    leases.renew()

    assert [len(ids) for ids, _ in queue.requests] == [10, 10, 3]
    in_order = [name.partition("-")[0] for ids, _ in queue.requests for name in ids]
    assert in_order == ["early"] * 11 + ["late"] * 12


def test_a_lease_that_the_queue_calls_lost_ends_and_its_neighbours_do_not(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    first, lost, last = hold(leases, clock, "first", "lost", "last")
    queue.answers = {"lost": LeaseLostError("expired")}
    clock.now_s += 31

    leases.renew()

    assert [lease.is_ours for lease in (first, lost, last)] == [True, False, True]
    clock.now_s += 31
    leases.renew()
    assert set(queue.requests[-1][0]) == {"first", "last"}


@pytest.mark.parametrize("is_whole_request", [True, False])
def test_a_renewal_that_fails_is_tried_again_until_the_lease_ends_here(
    leases: Leases, queue: Visibility, clock: Clock, is_whole_request: bool
) -> None:
    (lease,) = hold(leases, clock)
    queue.error = AWAY if is_whole_request else None
    queue.answers = {"m": AWAY}
    clock.now_s += 31

    seen = []
    for _ in range(40):
        leases.renew()
        seen.append((lease.is_ours, len(queue.requests)))
        clock.now_s += 1

    assert seen[28] == (True, 29)
    assert seen[29] == (False, 29)
    assert seen[-1] == (False, 29)


def test_a_renewal_that_works_again_in_time_keeps_the_lease(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    (lease,) = hold(leases, clock)
    queue.error = AWAY
    clock.now_s += 40
    leases.renew()

    queue.error = None
    clock.now_s += 10
    leases.renew()

    clock.now_s += 55
    assert lease.is_ours


def test_a_dropped_lease_is_not_renewed(leases: Leases, queue: Visibility, clock: Clock) -> None:
    (lease,) = hold(leases, clock)
    assert leases.held() == [lease]

    leases.drop([lease])
    clock.now_s += 31
    leases.renew()

    assert leases.held() == []
    assert queue.requests == []


def test_giving_back_ends_the_leases_and_makes_the_messages_visible_after_the_delay(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    given = hold(leases, clock, *map(str, range(12)))

    leases.give_back(given, delay_s=7)

    sizes_and_delays = [(len(ids), delay_s) for ids, delay_s in queue.requests]
    assert sizes_and_delays == [(10, 7), (2, 7)]
    assert not any(lease.is_ours for lease in given)
    assert leases.held() == []


def test_giving_back_keeps_the_order_of_the_group(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    leases.give_back(hold(leases, clock, "1", "2", "3"), delay_s=0)

    assert queue.requests == [(["1", "2", "3"], 0)]


def test_giving_back_skips_ended_leases(leases: Leases, queue: Visibility, clock: Clock) -> None:
    old, lost = hold(leases, clock, "old", "lost")
    clock.now_s += 30
    lost.end()
    (ours,) = hold(leases, clock, "ours")
    clock.now_s += 30

    leases.give_back([old, lost, ours], delay_s=0)

    assert queue.requests == [(["ours"], 0)]
    assert leases.held() == []


def test_giving_back_nothing_makes_no_call(leases: Leases, queue: Visibility, clock: Clock) -> None:
    leases.give_back([], delay_s=0)
    leases.give_back([*hold(leases, clock)], delay_s=0)
    leases.give_back(leases.held(), delay_s=0)

    assert len(queue.requests) == 1


@pytest.mark.parametrize("is_whole_request", [True, False])
def test_a_give_back_that_fails_is_logged_and_raises_nothing(
    leases: Leases,
    queue: Visibility,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    is_whole_request: bool,
) -> None:
    given = hold(leases, clock)
    queue.error = AWAY if is_whole_request else None
    queue.answers = {"m": AWAY}

    leases.give_back(given, delay_s=0)

    assert {(e["event"], e["image_id"], e["reason"]) for e in events(caplog)} == {
        ("message not given back", "m", "away")
    }
    assert not given[0].is_ours


def test_a_lease_given_back_during_a_renewal_is_given_back_after_it(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    (lease,) = hold(leases, clock)
    clock.now_s += 31
    queue.may_answer.clear()
    renewing = threading.Thread(target=leases.renew)
    renewing.start()
    queue.answering.wait(60)

    giving = threading.Thread(target=leases.give_back, args=([lease],), kwargs={"delay_s": 0})
    giving.start()
    queue.may_answer.set()
    renewing.join(5)
    giving.join(5)
    clock.now_s += 31
    leases.renew()

    assert [delay_s for _, delay_s in queue.requests] == [TIMEOUT_S, 0]
    assert not lease.is_ours


def test_an_image_that_hangs_is_not_renewed_but_logged_once_with_where_it_hangs(
    leases: Leases, queue: Visibility, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (lease,) = hold(leases, clock)
    freed = threading.Event()

    def hang_in_here() -> None:
        freed.wait(60)

    thread = threading.Thread(target=hang_in_here)
    thread.start()
    lease.thread_id = thread.ident

    for _ in range(int(MAX_LEASE_S) + TIMEOUT_S):
        clock.now_s += 1
        leases.renew()
    freed.set()
    thread.join(5)

    assert lease.is_overdue
    assert not lease.is_ours
    renewed_until_s = len(queue.requests) * 31 + TIMEOUT_S
    assert MAX_LEASE_S - 31 < renewed_until_s < MAX_LEASE_S + TIMEOUT_S
    (event,) = [e for e in events(caplog) if e["level"] == "error"]
    assert (event["event"], event["message_id"], event["after_s"]) == ("message hangs", "m", 600)
    assert "hang_in_here" in event["stack"]


def test_an_image_that_nobody_began_hangs_without_a_stack(
    leases: Leases, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (lease,) = hold(leases, clock)

    for _ in range(int(MAX_LEASE_S / 40) + 1):
        clock.now_s += 40
        leases.renew()

    assert lease.is_overdue
    assert "(not begun)" in caplog.text


def test_an_image_that_takes_its_time_is_not_overdue(leases: Leases, clock: Clock) -> None:
    (lease,) = hold(leases, clock)

    while clock() - lease.began_at < MAX_LEASE_S - 40:
        clock.now_s += 40
        leases.renew()

    assert lease.is_ours
    assert not lease.is_overdue


def test_an_image_that_hangs_is_noticed_even_after_its_lease_was_lost(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    (lease,) = hold(leases, clock)
    queue.answers = {"m": LeaseLostError("expired")}

    for _ in range(int(MAX_LEASE_S / 40) + 1):
        clock.now_s += 40
        leases.renew()

    assert lease.is_overdue


def test_the_held_leases_can_be_counted_during_a_renewal_request(
    leases: Leases, queue: Visibility, clock: Clock
) -> None:
    hold(leases, clock)
    clock.now_s += 31
    queue.may_answer.clear()
    renewing = threading.Thread(target=leases.renew)
    renewing.start()
    queue.answering.wait(60)

    asking = threading.Thread(target=leases.held, daemon=True)
    asking.start()
    asking.join(1)
    is_answered = not asking.is_alive()
    queue.may_answer.set()
    renewing.join(5)
    asking.join(5)

    assert is_answered


@pytest.fixture
def short(queue: Visibility, clock: Clock) -> Iterator[Leases]:
    """Leases of 0.08 s, so that the heart beats every 10 ms."""
    leases = Leases(queue, visibility_timeout_s=0.08, metrics=WorkerMetrics(), clock=clock)
    yield leases
    leases.stop()


def test_the_heartbeat_renews_by_itself_and_stops_when_told(
    short: Leases, queue: Visibility, clock: Clock
) -> None:
    hold(short, clock)
    short.start()
    clock.now_s += 0.05

    wait_until(lambda: queue.requests, within_s=60, every_s=0.01)
    (thread,) = [t for t in threading.enumerate() if t.name == "heartbeat"]
    short.stop()

    assert not thread.is_alive()
    assert thread.daemon


def test_the_heartbeat_survives_whatever_goes_wrong(
    short: Leases, queue: Visibility, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    hold(short, clock)
    queue.error = ZeroDivisionError("a bug")
    clock.now_s += 0.05
    short.start()
    wait_until(lambda: len(queue.requests) >= 2, within_s=60, every_s=0.01)

    queue.error = None
    count = len(queue.requests)
    wait_until(lambda: len(queue.requests) > count, within_s=60, every_s=0.01)

    assert "lease renewal failed" in caplog.text


def test_a_heartbeat_stops_while_the_queue_is_silent(
    short: Leases, queue: Visibility, clock: Clock
) -> None:
    hold(short, clock)
    queue.may_answer.clear()
    short.start()
    clock.now_s += 0.05
    assert queue.answering.wait(60)

    stopping = threading.Thread(target=short.stop)
    stopping.start()
    stopping.join(5)

    assert not stopping.is_alive()
    queue.may_answer.set()
