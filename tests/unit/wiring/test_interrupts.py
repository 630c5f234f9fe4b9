"""Signals interrupt where it is allowed, and are not lost where it is not."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.wiring import interrupts


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    interrupts.install()
    yield
    sys.unraisablehook = hook
    for signum, handler in before.items():
        signal.signal(signum, handler)


class Part:
    """A part of the process that notes what happens to it, and sends signals meanwhile."""

    def __init__(self, *, at_start: int = 0, at_stop: int = 0) -> None:
        self.at_start, self.at_stop = at_start, at_stop
        self.log: list[str] = []

    def __enter__(self) -> None:
        self.log.append("starts")
        terminate(self.at_start)
        self.log.append("started")

    def __exit__(self, *_: object) -> None:
        self.log.append("stops")
        terminate(self.at_stop)
        self.log.append("stopped")


def terminate(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def running(part: Part) -> Iterator[None]:
    with interrupts.held(), part, interrupts.allowed():
        yield


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_outside_any_block_a_signal_interrupts_at_once(signum: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signum)


def test_a_signal_in_the_middle_of_a_start_waits_for_its_end_and_then_stops_what_runs() -> None:
    part, reached = Part(at_start=1), []

    with pytest.raises(KeyboardInterrupt), running(part):
        reached.append("work")

    assert part.log == ["starts", "started", "stops", "stopped"]
    assert not reached


def test_a_second_signal_does_not_interrupt_the_stop_of_the_first() -> None:
    part = Part(at_stop=2)

    with pytest.raises(KeyboardInterrupt), running(part):
        terminate_twice_at_once()

    assert part.log == ["starts", "started", "stops", "stopped"]


class Patient(Part):
    """One that waits at its stop for what is in hand, and may be told not to."""

    def __exit__(self, *_: object) -> None:
        try:
            with interrupts.allowed():
                terminate(self.at_stop)
                self.log.append("waited")
        except KeyboardInterrupt:
            terminate()
            self.log.append("cut")


def test_a_stop_that_allows_it_is_cut_by_a_second_signal() -> None:
    part = Patient(at_stop=1)

    with pytest.raises(KeyboardInterrupt), running(part):
        terminate()

    assert part.log == ["starts", "started", "cut"]


def test_a_stop_that_allows_it_is_cut_by_a_signal_that_came_just_before() -> None:
    part = Patient()

    with pytest.raises(KeyboardInterrupt), running(part):
        terminate_twice_at_once()

    assert part.log == ["starts", "started", "cut"]


def terminate_twice_at_once() -> None:
    try:
        terminate()
    finally:
        terminate()


def test_a_pending_signal_interrupts_at_the_normal_end_of_a_block() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        terminate()


def test_after_a_failed_block_no_signal_is_pending() -> None:
    with pytest.raises(ValueError, match="broken"), interrupts.held():
        terminate_and_fail()

    with interrupts.held(), interrupts.allowed():
        pass
    with pytest.raises(KeyboardInterrupt):
        terminate()


def terminate_and_fail() -> None:
    terminate()
    raise ValueError("broken")


class Finalized:
    """An object that is told to end the process while Python finalizes it."""

    def __del__(self) -> None:
        terminate()


def test_a_signal_that_a_finalizer_drops_is_sent_again() -> None:
    with pytest.raises(KeyboardInterrupt):
        finalize_and_wait()


def test_a_signal_that_a_finalizer_drops_still_stops_what_runs() -> None:
    part = Part()

    with pytest.raises(KeyboardInterrupt), running(part):
        finalize_and_wait()

    assert part.log == ["starts", "started", "stops", "stopped"]


def finalize_and_wait() -> None:
    Finalized()
    assert threading.Event().wait(30), "the signal was lost"
