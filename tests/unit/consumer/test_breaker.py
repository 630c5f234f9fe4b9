"""The table of the breaker: closed, open, half-open."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from app.consumer.breaker import FAILURES_TO_OPEN, Breaker, State
from app.observability.worker_metrics import WorkerMetrics


def breaker_in(state: State) -> Breaker:
    breaker = Breaker(WorkerMetrics())
    if state is not State.CLOSED:
        fail(breaker, FAILURES_TO_OPEN)
    if state is State.HALF_OPEN:
        breaker.try_one()
    assert breaker.state is state
    return breaker


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


@pytest.mark.parametrize(
    ("state", "event", "then"),
    [
        (State.CLOSED, Breaker.succeeded, State.CLOSED),
        (State.CLOSED, Breaker.failed, State.CLOSED),
        (State.CLOSED, Breaker.try_one, State.CLOSED),
        (State.OPEN, Breaker.succeeded, State.CLOSED),
        (State.OPEN, Breaker.failed, State.OPEN),
        (State.OPEN, Breaker.try_one, State.HALF_OPEN),
        (State.HALF_OPEN, Breaker.succeeded, State.CLOSED),
        (State.HALF_OPEN, Breaker.failed, State.OPEN),
        (State.HALF_OPEN, Breaker.try_one, State.HALF_OPEN),
    ],
)
def test_each_event_in_each_state_leads_to_one_state(
    state: State, event: Callable[[Breaker], None], then: State
) -> None:
    breaker = breaker_in(state)

    event(breaker)

    assert breaker.state is then
    assert breaker.is_open is (then is State.OPEN)


def test_the_breaker_opens_after_five_failures_in_a_row() -> None:
    breaker = Breaker(WorkerMetrics())

    fail(breaker, FAILURES_TO_OPEN - 1)
    states = [breaker.state]
    fail(breaker, 1)
    states.append(breaker.state)

    assert states == [State.CLOSED, State.OPEN]


def test_a_success_in_between_restarts_the_count() -> None:
    breaker = Breaker(WorkerMetrics())
    fail(breaker, FAILURES_TO_OPEN - 1)

    breaker.succeeded()
    fail(breaker, FAILURES_TO_OPEN - 1)

    assert breaker.state is State.CLOSED


def test_after_an_outage_the_breaker_opens_after_five_failures_again() -> None:
    breaker = breaker_in(State.HALF_OPEN)
    breaker.succeeded()

    fail(breaker, FAILURES_TO_OPEN - 1)

    assert breaker.state is State.CLOSED


def test_each_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    breaker = Breaker(WorkerMetrics())

    fail(breaker, FAILURES_TO_OPEN + 3)
    breaker.try_one()
    breaker.succeeded()
    breaker.succeeded()

    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.ERROR, logging.WARNING]


def test_pauses_differ_within_their_bounds() -> None:
    pauses_s = [Breaker(WorkerMetrics()).pause_s() for _ in range(100)]

    assert 1.5 <= min(pauses_s) < max(pauses_s) <= 3
    assert len(set(pauses_s)) > 50


def test_failures_of_many_threads_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.consumer.breaker.FAILURES_TO_OPEN", 8 * 500)
    breaker = Breaker(WorkerMetrics())
    fail(breaker, 1)

    threads = [threading.Thread(target=fail, args=(breaker, 500)) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    fail(breaker, 498)
    states = [breaker.state]
    fail(breaker, 1)
    states.append(breaker.state)

    assert states == [State.CLOSED, State.OPEN]
