"""How the service says that it is, by a clock of our own, and who has to wait for that."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.domain import Depth, Message
from app.errors import QueueUnavailableError
from app.history import History, Service
from app.image_store import ImageStore
from app.lookout import Lookout, _seconds_to_the_middle
from app.metrics import Metrics
from app.settings import Settings
from app.tokens import hash_token
from tests.support.counts import Counts
from tests.support.fakes import MemoryBucket, MemoryQueue
from tests.support.house import Clock
from tests.support.site import Site
from tests.support.waiting import wait_until


class CountedQueue(MemoryQueue):
    """Counts who asks for its depth; cleared, *may_answer* holds the answer back."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def depth(self) -> Depth:
        self.asked += 1
        self.may_answer.wait(10)
        return super().depth()


class House:
    def __init__(self, **given: Any) -> None:
        self.clock = Clock()
        self.results = MemoryBucket()
        self.jobs = CountedQueue()
        self.dead_letters = CountedQueue()
        self.metrics = Metrics()
        self.is_stuck = False
        self.lookout = Lookout(
            store=ImageStore(MemoryBucket(), self.results),
            jobs=self.jobs,
            history=History(),
            dead_letters=self.dead_letters,
            check_worker=self._check_worker,
            metrics=self.metrics.queues,
            clock=self.clock,
            **given,
        )

    def put(self, count: int) -> None:
        for n in range(count):
            self.jobs.send(Message("{}", str(n), str(n)))

    def ask(self) -> dict[str, Any]:
        self.clock.advance(1.1)
        answer: dict[str, Any] = json.loads(self.lookout.service())
        return answer

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
    assert (answer["wait_s"], answer["interval_s"], answer["samples"]) == (None, 10, [])


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


@pytest.mark.parametrize(("at", "expected"), [(100.0, 5.0), (104.0, 1.0), (105.0, 10.0), (109, 6)])
def test_the_thread_looks_in_the_middle_of_each_interval(at: float, expected: float) -> None:
    assert _seconds_to_the_middle(at) == expected


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


def test_uploads_and_finished_images_reach_the_history_each_once() -> None:
    site = Site(Settings())
    history = site.app.extensions["image_pipeline"].lookout.history
    key = {"Idempotency-Key": "a key of sixteen"}
    first = site.upload(headers=key).headers["Location"]
    site.upload(headers=key)  # a replay is no upload
    site.work()
    for _ in range(3):
        site.client.get(first)

    interval = max(history._intervals)
    seen = [history._sample(number) for number in (interval - 1, interval)]
    assert sum(sample.uploads for sample in seen) == 1
    assert sum(sample.processed for sample in seen) == 1
    assert history.wait_s() is not None


def test_somebody_elses_image_tells_nothing() -> None:
    site = Site(Settings(api_tokens=f"ana:{hash_token('one')},bia:{hash_token('two')}"))
    ana, bia = ({"Authorization": f"Bearer {token}"} for token in ("one", "two"))
    place = site.upload(headers=ana).headers["Location"]
    site.work()

    site.client.get(place, headers=bia)

    assert site.app.extensions["image_pipeline"].lookout.history.wait_s() is None
