"""The gate: how many at once, how large, in which order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from app.consumer.admission import Admission
from testkit.timing.waiting import wait_until


class Visitor:
    """A thread that goes through the gate and stays until it is told to leave."""

    def __init__(self, gate: Admission, pixels: int) -> None:
        self.is_in = threading.Event()
        self.may_leave = threading.Event()
        self._gate, self._pixels = gate, pixels
        self.thread = threading.Thread(target=self._visit, daemon=True)

    def _visit(self) -> None:
        with self._gate.of(self._pixels):
            self.is_in.set()
            self.may_leave.wait(20)

    def leave(self) -> None:
        self.may_leave.set()
        self.thread.join(5)
        assert not self.thread.is_alive()


class Line:
    """Visitors in the order in which they came."""

    def __init__(self, gate: Admission) -> None:
        self.gate = gate
        self.visitors: list[Visitor] = []

    def come(self, pixels: int) -> Visitor:
        visitor = Visitor(self.gate, pixels)
        self.visitors.append(visitor)
        visitor.thread.start()
        # In line or in: the next one comes after it.
        wait_until(lambda: visitor.is_in.is_set() or self._waiting() == len(self.outside()))
        return visitor

    def outside(self) -> list[Visitor]:
        return [v for v in self.visitors if not v.is_in.is_set()]

    def _waiting(self) -> int:
        return len(self.gate._queue)


@pytest.fixture
def line() -> Iterator[Line]:
    """Two slots and 100 pixels."""
    line = Line(Admission(slots=2, max_pixels=100))
    yield line
    for visitor in line.visitors:
        visitor.may_leave.set()
    for visitor in line.visitors:
        visitor.thread.join(5)


def test_as_many_images_as_slots_are_admitted_at_once(line: Line) -> None:
    first, second, third = line.come(1), line.come(1), line.come(1)
    assert line.outside() == [third]

    first.leave()

    assert third.is_in.wait(60)
    assert second.is_in.is_set()


def test_the_pixels_of_admitted_images_stay_within_the_limit(line: Line) -> None:
    line.come(60)
    fits = line.come(40)
    fits.leave()
    too_large = line.come(41)

    assert line.outside() == [too_large]


def test_an_image_with_more_pixels_than_are_free_waits(line: Line) -> None:
    first, second = line.come(60), line.come(41)
    assert line.outside() == [second]

    first.leave()

    assert second.is_in.wait(60)


def test_an_image_larger_than_the_limit_is_admitted_alone(line: Line) -> None:
    small = line.come(1)
    huge = line.come(1000)
    next_one = line.come(1)
    assert line.outside() == [huge, next_one]

    small.leave()
    assert huge.is_in.wait(60)
    assert line.outside() == [next_one]
    huge.leave()

    assert next_one.is_in.wait(60)


def test_later_small_images_do_not_starve_a_large_one(line: Line) -> None:
    first = line.come(60)
    large = line.come(100)
    small = [line.come(1) for _ in range(5)]

    assert line.outside() == [large, *small]
    first.leave()

    assert large.is_in.wait(60)
    assert line.outside() == small


def test_waiting_images_are_admitted_in_order_of_arrival(line: Line) -> None:
    inside = [line.come(1), line.come(1)]
    waiting = [line.come(1) for _ in range(6)]

    order = []
    for leaving, coming in zip([*inside, *waiting], waiting, strict=False):
        leaving.leave()
        assert coming.is_in.wait(60)
        order.append(line.outside())

    assert order == [waiting[n + 1 :] for n in range(6)]


def test_when_many_pixels_become_free_all_images_that_fit_are_admitted(line: Line) -> None:
    huge = line.come(1000)
    waiting = [line.come(50), line.come(50)]

    huge.leave()

    assert all(visitor.is_in.wait(60) for visitor in waiting)


def test_an_image_without_pixels_needs_a_slot_only(line: Line) -> None:
    line.come(100)

    assert line.come(0).is_in.wait(60)


def test_slot_and_pixels_are_free_again_after_an_exception() -> None:
    gate = Admission(slots=1, max_pixels=10)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.of(10):
            raise ZeroDivisionError

    line = Line(gate)
    visitor = line.come(10)
    assert visitor.is_in.wait(60)
    visitor.leave()


def test_the_limits_hold_for_any_sequence_of_images() -> None:
    gate = Admission(slots=3, max_pixels=100)
    lock = threading.Lock()
    inside: list[int] = []
    worst: list[tuple[int, int]] = []

    def visit(pixels: int) -> None:
        for _ in range(50):
            with gate.of(pixels):
                with lock:
                    inside.append(pixels)
                    worst.append((len(inside), sum(inside)))
                with lock:
                    inside.remove(pixels)

    threads = [threading.Thread(target=visit, args=(n,)) for n in (10, 30, 45, 60, 80, 99)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert max(count for count, _ in worst) <= 3
    assert max(pixels for _, pixels in worst) <= 100
