"""Waiting for something without starving the others."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from app.web.long_poll import Waits


def test_a_wait_ends_as_soon_as_its_condition_holds() -> None:
    answers = iter([False, False, True, True])

    found = Waits(1).wait(lambda: next(answers), bool, 10)

    assert found is True
    assert next(answers) is True


def test_a_wait_ends_after_its_time_with_the_latest_result() -> None:
    started = time.monotonic()

    assert Waits(1).wait(lambda: "not yet", lambda _: False, 0.2) == "not yet"
    assert time.monotonic() - started >= 0.2


def test_a_wait_of_zero_looks_once() -> None:
    looks: list[int] = []

    Waits(1).wait(lambda: looks.append(0), lambda _: False, 0)

    assert len(looks) == 1


def test_beyond_the_slots_no_request_waits() -> None:
    waits, is_waiting, may_end = Waits(1), threading.Event(), threading.Event()

    def look() -> bool:
        is_waiting.set()
        return may_end.wait(60)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(waits.wait, look, bool, 10)
        assert is_waiting.wait(60)
        assert waits.wait(lambda: True, bool, 10) is None
        may_end.set()
        assert first.result() is True
    assert waits.wait(lambda: True, bool, 10) is True


def test_a_stop_ends_every_wait() -> None:
    waits = Waits(1)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(waits.wait, lambda: "x", lambda _: False, 600)
        waits.stop()
        assert waiting.result(60) == "x"


def test_a_failing_look_gives_its_slot_back() -> None:
    waits = Waits(1)

    for _ in range(2):
        try:
            waits.wait(lambda: 1 / 0, bool, 1)
        except ZeroDivisionError:
            continue
    assert waits.wait(lambda: True, bool, 1) is True
