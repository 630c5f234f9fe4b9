"""How the service says that it is, by a clock of our own, and who has to wait for that."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from app.access.tokens import hash_token
from app.domain.ports import Message
from app.errors import PipelineError, QueueUnavailableError
from app.health.checks import Watched
from app.health.monitor import Lookout, Service
from app.images.store import ImageStore
from app.observability.metrics import Metrics
from app.settings import Settings
from testkit.counts import Counts
from testkit.fakes import CountedBucket, CountedQueue
from testkit.house import Clock
from testkit.logged import events
from testkit.site import Site
from testkit.waiting import assert_within, wait_until


class House:
    def __init__(self, **given: Any) -> None:
        self.clock = Clock()
        self.originals, self.results = CountedBucket(), CountedBucket()
        self.jobs = CountedQueue()
        self.dead_letters = CountedQueue()
        self.metrics = Metrics()
        self.is_stuck = False
        store = ImageStore(self.originals, self.results)
        self.lookout = Lookout(
            Watched(store, self.jobs, self._check_worker, self.dead_letters),
            metrics=self.metrics.queues,
            **{"clock": self.clock} | given,
        )

    def put(self, count: int) -> None:
        for n in range(count):
            self.jobs.send(Message("{}", str(n), str(n)))

    def ask(self) -> dict[str, Any]:
        self.clock.advance(1.1)
        answer: dict[str, Any] = json.loads(self.lookout.service())
        return answer

    @property
    def calls(self) -> int:
        """Of AWS, if it were AWS."""
        queues = self.jobs.asked + self.dead_letters.asked
        return queues + self.originals.asked + self.results.asked

    def is_ready(self) -> bool:
        try:
            self.lookout.check_ready()
        except PipelineError:
            return False
        return True

    def _check_worker(self) -> None:
        if self.is_stuck:
            raise QueueUnavailableError("The worker is stuck.")


@pytest.fixture
def house() -> House:
    return House()


def test_all_is_well_and_so_many_wait(house: House) -> None:
    house.put(3)
    house.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)

    answer = house.ask()

    assert answer["status"] == "up"
    assert answer["queue"] == {"waiting": 2, "held": 1}


def break_queue(house: House) -> None:
    house.jobs.is_down = True


def break_bucket(house: House) -> None:
    house.results.is_down = True


def break_worker(house: House) -> None:
    house.is_stuck = True


@pytest.mark.parametrize(
    ("act", "queue"),
    [
        (break_queue, None),
        (break_bucket, {"waiting": 0, "held": 0}),
        (break_worker, {"waiting": 0, "held": 0}),
    ],
)
def test_whatever_does_not_answer_degrades_the_service(
    house: House, act: Callable[[House], None], queue: Any
) -> None:
    act(house)

    answer = house.ask()

    assert (answer["status"], answer["queue"]) == ("degraded", queue)


@pytest.mark.parametrize(("max_waiting", "status"), [(2, "degraded"), (3, "up"), (0, "up")])
def test_a_queue_that_is_full_degrades_it_too(max_waiting: int, status: str) -> None:
    house = House(max_waiting=max_waiting)
    house.put(3)

    assert house.ask()["status"] == status


def test_a_flood_of_questions_costs_one_call(house: House) -> None:
    for _ in range(1000):
        house.lookout.service()

    assert (house.jobs.asked, house.dead_letters.asked) == (1, 1)
    assert house.lookout.service() is house.lookout.service()  # nor is it put into words again


def test_without_a_thread_those_who_ask_look_every_twenty_seconds(house: House) -> None:
    for _ in range(40):
        house.ask()

    assert house.jobs.asked == 3


def test_while_one_looks_the_others_are_answered_at_once(house: House) -> None:
    house.jobs.may_answer.clear()
    slow = threading.Thread(target=house.ask)
    slow.start()
    wait_until(lambda: house.jobs.asked)

    assert house.ask()["status"] == "degraded"  # nothing is known yet

    house.jobs.may_answer.set()
    slow.join(10)
    assert house.ask()["status"] == "up"
    assert house.jobs.asked == 1


def test_what_was_seen_long_ago_is_not_said_any_more(house: House) -> None:
    house.ask()
    house.jobs.may_answer.clear()
    house.clock.advance(31)
    hangs = threading.Thread(target=house.lookout.look)
    hangs.start()
    wait_until(lambda: house.jobs.asked == 2)

    answer = house.ask()

    assert (answer["status"], answer["queue"]) == ("degraded", None)
    house.jobs.may_answer.set()
    hangs.join(10)


# --- readiness -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "code", "words"),
    [
        (break_queue, "queue-unavailable", "The queue does not answer."),
        (break_bucket, "storage-unavailable", "Storage does not answer."),
        (break_worker, "queue-unavailable", "The worker in this process does not work."),
    ],
)
def test_not_ready_says_a_code_and_names_nothing_but_in_the_log(
    house: House,
    act: Callable[[House], None],
    code: str,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    act(house)

    with pytest.raises(PipelineError) as caught:
        house.lookout.check_ready()

    assert (caught.value.code, str(caught.value)) == (code, words)
    assert [e["level"] for e in events(caplog) if e["event"] == "not well"] == ["warning"]


def test_readiness_is_at_most_two_seconds_old(house: House) -> None:
    assert house.is_ready()
    break_bucket(house)

    house.clock.advance(2.0)
    assert house.is_ready()
    house.clock.advance(0.1)
    assert not house.is_ready()


def test_a_flood_of_readiness_costs_one_look_in_two_seconds(house: House) -> None:
    for _ in range(1000):
        house.lookout.check_ready()

    assert house.calls == 4
    house.clock.advance(2.1)
    for _ in range(1000):
        house.lookout.check_ready()
    assert house.calls == 7  # the dead-letter queue needs no second look


def test_all_who_ask_after_an_idle_time_wait_for_the_same_look() -> None:
    house = House(clock=time.monotonic, is_resting=True)
    with house.lookout:
        wait_until(lambda: house.results.asked == 1)
        house.lookout._seen_at -= 60  # as after a minute
        house.lookout._began_at -= 60
        calls = house.calls
        house.jobs.may_answer.clear()
        with ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(house.is_ready) for _ in range(20)]
            wait_until(lambda: house.jobs.asked == 2)
            house.jobs.may_answer.set()

            assert [each.result(10) for each in asked] == [True] * 20
        assert house.calls == calls + 3


def test_who_asks_waits_a_second_at_most_while_aws_is_silent() -> None:
    house = House(clock=time.monotonic)
    house.jobs.may_answer.clear()
    with house.lookout:
        wait_until(lambda: house.jobs.asked == 1)
        began_at = time.monotonic()

        assert not house.is_ready()
        assert_within(time.monotonic() - began_at, 1.5)
        began_at = time.monotonic()
        assert not house.is_ready()  # the wait is the look's, not the asker's
        assert_within(time.monotonic() - began_at, 0.5)
        house.jobs.may_answer.set()
        wait_until(house.is_ready)


def test_the_thread_looks_ahead_while_somebody_asks() -> None:
    house = House(clock=time.monotonic, is_resting=True)
    with house.lookout:
        wait_until(house.is_ready)
        looks, longest_s = house.results.asked, 0.0
        while house.results.asked < looks + 2:
            began_at = time.monotonic()
            house.lookout.check_ready()
            longest_s = max(longest_s, time.monotonic() - began_at)

    assert_within(longest_s, 0.5)


def test_one_that_rests_looks_once_and_then_only_for_those_who_ask() -> None:
    house = House(is_resting=True)
    with house.lookout:
        wait_until(lambda: house.results.asked == 1 and not house.lookout._is_looking)
        house.clock.advance(3600)
        with house.lookout._changed:
            house.lookout._changed.notify_all()  # what wakes it, wakes it to rest again

        house.lookout.check_ready()

        assert house.results.asked == 2


def test_counting_for_uploads_asks_the_queue_and_nothing_else() -> None:
    house = House(max_waiting=2)
    house.put(3)
    for _ in range(100):
        house.lookout.keep_counting()

    assert refusal_of(house) == "queue-full"
    assert (house.jobs.asked, house.calls) == (1, 1)


def test_a_reason_is_logged_once_and_its_end_too(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    break_bucket(house)
    for _ in range(5):
        house.clock.advance(3)
        house.is_ready()
    house.results.is_down = False
    house.clock.advance(3)

    assert house.is_ready()
    said = [e["event"] for e in events(caplog)]
    assert said == ["not well", "well again"]


# --- whether uploads are refused -----------------------------------------------------------------


def refusal_of(house: House) -> str | None:
    try:
        house.lookout.check_room()
    except PipelineError as exc:
        return exc.code
    return None


@pytest.mark.parametrize(("waiting", "expected"), [(3, None), (4, "queue-full")])
def test_uploads_are_refused_while_more_than_so_many_wait(
    waiting: int, expected: str | None
) -> None:
    house = House(max_waiting=3)
    house.put(waiting)

    assert refusal_of(house) is None  # nothing is known yet
    house.lookout.keep_counting()

    assert refusal_of(house) == expected


def test_what_was_seen_long_ago_refuses_nobody() -> None:
    house = House(max_waiting=3)
    house.put(4)
    house.lookout.keep_counting()

    house.clock.advance(31)

    assert refusal_of(house) is None


def test_zero_means_any_number_and_counts_nothing() -> None:
    house = House(max_waiting=0)
    house.put(4)
    house.lookout.keep_counting()

    assert refusal_of(house) is None
    assert house.jobs.asked == 0


def test_a_queue_that_cannot_be_counted_refuses_nobody() -> None:
    house = House(max_waiting=3)
    house.put(4)
    house.jobs.is_down = True

    house.lookout.keep_counting()

    assert refusal_of(house) is None


def test_the_queue_is_asked_once_in_two_seconds_at_most_for_uploads() -> None:
    house = House(max_waiting=3)

    for _ in range(10):
        house.lookout.keep_counting()
        house.clock.advance(0.25)

    assert house.jobs.asked == 2


# --- the thread ----------------------------------------------------------------------------------


def test_the_thread_looks_at_once_and_ends_with_the_block(house: House) -> None:
    with house.lookout:
        wait_until(lambda: house.jobs.asked == 1)

    assert "lookout" not in [thread.name for thread in threading.enumerate()]


def test_the_end_of_the_block_does_not_wait_for_a_queue_that_is_silent(house: House) -> None:
    house.jobs.may_answer.clear()

    with house.lookout:
        wait_until(lambda: house.jobs.asked == 1)

    assert house.lookout._thread.is_alive()  # it is a daemon
    house.jobs.may_answer.set()
    house.lookout._thread.join(10)


def has_counted(house: House, times: int) -> bool:
    return house.jobs.asked == times


def test_uploads_that_keep_it_counting_do_not_keep_it_from_looking_at_all() -> None:
    house = House(max_waiting=3)
    with house.lookout:
        wait_until(lambda: house.results.asked == 1)
        for looks in range(2, 7):
            house.clock.advance(2)
            house.lookout.keep_counting()
            wait_until(partial(has_counted, house, looks))

        wait_until(lambda: house.results.asked == 2)  # ten seconds after the first


def test_depths_are_metrics_and_absent_while_sqs_is_silent(house: House) -> None:
    house.put(2)
    house.lookout.look()
    known = Counts.of(house.metrics).all("queue_messages")
    house.jobs.is_down = True

    house.lookout.look()

    counts = Counts.of(house.metrics)
    assert known == {("input", "waiting"): 2}
    assert counts.get("queue_messages", queue="input", state="waiting") is None
    assert counts.get("queue_messages", queue="dead-letter", state="waiting") == 0
    assert counts.all("queue_depth_errors_total") == {("input",): 1}


# --- over HTTP -----------------------------------------------------------------------------------


def test_the_answer_is_as_the_model_says_and_needs_no_token() -> None:
    site = Site(Settings(api_tokens=f"ana:{hash_token('one')}"))

    answer = site.client.get("/service")

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert Service.model_validate_json(answer.data).status == "up"
