"""Threads that share requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from app.consumer.batching import BatchedQueue, Batcher
from app.domain.ports import MAX_BATCH, Message, Results
from app.errors import LeaseLostError, PipelineError, QueueUnavailableError
from testkit.in_memory.fakes import MemoryQueue
from testkit.timing.waiting import wait_until

#: A batch that fills up does not wait for it.
LONG_S = 600.0
SHORT_S = 0.02


class Requests:
    """Remembers each request, and answers each entry as *answer* says."""

    def __init__(self, answer: Callable[[str], PipelineError | None] = lambda entry: None) -> None:
        self.seen: list[list[str]] = []
        self._answer = answer

    def __call__(self, entries: Sequence[str]) -> Results:
        self.seen.append(list(entries))
        return [self._answer(entry) for entry in entries]


def do_all(batcher: Batcher[str], entries: Sequence[str]) -> dict[str, Exception | None]:
    """What became of each entry, each done by a thread of its own."""
    results: dict[str, Exception | None] = {}

    def do(entry: str) -> None:
        try:
            batcher.do(entry)
            results[entry] = None
        except Exception as exc:
            results[entry] = exc

    threads = [threading.Thread(target=do, args=(entry,)) for entry in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return results


def names(count: int) -> list[str]:
    return [f"e{n}" for n in range(count)]


def test_ten_threads_share_one_request_that_waits_for_nobody_else() -> None:
    requests = Requests()

    results = do_all(Batcher(requests, linger_s=LONG_S), names(MAX_BATCH))

    assert [sorted(request) for request in requests.seen] == [names(MAX_BATCH)]
    assert set(results.values()) == {None}


def test_the_eleventh_thread_begins_another_request() -> None:
    requests = Requests()

    do_all(Batcher(requests, linger_s=0.3), names(MAX_BATCH + 1))

    assert sorted(len(request) for request in requests.seen) == [1, MAX_BATCH]
    assert sorted(e for request in requests.seen for e in request) == sorted(names(MAX_BATCH + 1))


def test_one_thread_alone_waits_as_long_as_it_lingers() -> None:
    requests = Requests()
    started_at = time.monotonic()

    Batcher(requests, linger_s=0.2).do("a")

    assert requests.seen == [["a"]]
    assert time.monotonic() - started_at >= 0.2


def test_a_batch_waits_for_no_more_entries_than_can_come() -> None:
    requests = Requests()
    alone = Batcher(requests, linger_s=LONG_S, most=lambda: 1)

    alone.do("a")
    do_all(Batcher(requests, linger_s=LONG_S, most=lambda: 3), names(3))

    assert [sorted(request) for request in requests.seen] == [["a"], names(3)]


def test_without_lingering_each_entry_goes_at_once() -> None:
    requests = Requests()
    batcher = Batcher(requests, linger_s=0)

    for entry in "abc":
        batcher.do(entry)

    assert requests.seen == [["a"], ["b"], ["c"]]


def test_the_order_of_one_thread_is_kept() -> None:
    requests = Requests()
    batcher = Batcher(requests, linger_s=SHORT_S)

    def send_in_order(name: str) -> None:
        for n in range(10):
            batcher.do(f"{name}{n}")

    threads = [threading.Thread(target=send_in_order, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    sent = [entry for request in requests.seen for entry in request]
    for name in "abcd":
        assert [e for e in sent if e[0] == name] == [f"{name}{n}" for n in range(10)]
    assert len(requests.seen) < 40


def test_each_thread_gets_its_own_answer() -> None:
    lost, away = LeaseLostError("expired"), QueueUnavailableError("away")
    answers = {"e0": None, "e1": lost, "e2": away}

    results = do_all(Batcher(Requests(answers.get), linger_s=0.2), names(3))

    assert results == answers


def test_an_entry_that_was_refused_is_tried_again_without_the_others() -> None:
    refusals = iter([QueueUnavailableError("busy"), QueueUnavailableError("busy")])
    requests = Requests(lambda entry: next(refusals, None) if entry == "e1" else None)

    results = do_all(Batcher(requests, linger_s=0.2), names(3))

    assert set(results.values()) == {None}
    assert sorted(requests.seen[0]) == names(3)
    assert requests.seen[1:] == [["e1"], ["e1"]]


def test_an_entry_is_given_up_after_the_third_refusal() -> None:
    requests = Requests(lambda entry: QueueUnavailableError("busy"))

    with pytest.raises(QueueUnavailableError, match="busy"):
        Batcher(requests, linger_s=0).do("a")

    assert requests.seen == [["a"]] * 3


def test_a_lost_lease_is_not_tried_again() -> None:
    requests = Requests(lambda entry: LeaseLostError("expired"))

    with pytest.raises(LeaseLostError):
        Batcher(requests, linger_s=0).do("a")

    assert requests.seen == [["a"]]


@pytest.mark.parametrize("error", [QueueUnavailableError("away"), ZeroDivisionError("a fault")])
def test_a_request_that_fails_whole_fails_for_everyone_and_is_not_tried_again(
    error: Exception,
) -> None:
    requests: list[int] = []

    def fail(entries: Sequence[str]) -> Results:
        requests.append(len(entries))
        raise error

    results = do_all(Batcher(fail, linger_s=LONG_S), names(MAX_BATCH))

    assert list(results.values()) == [error] * MAX_BATCH
    assert requests == [MAX_BATCH]


def test_after_a_failure_the_next_request_is_a_fresh_one() -> None:
    errors = iter([QueueUnavailableError("away")])
    requests = Requests()

    def fail_once(entries: Sequence[str]) -> Results:
        if error := next(errors, None):
            raise error
        return requests(entries)

    batcher = Batcher(fail_once, linger_s=0)
    with pytest.raises(QueueUnavailableError):
        batcher.do("a")
    batcher.do("b")

    assert requests.seen == [["b"]]


def test_a_slow_request_does_not_hold_up_the_next_one() -> None:
    slow = threading.Event()
    began: list[str] = []

    def act(entries: Sequence[str]) -> Results:
        began.extend(entries)
        if "slow" in entries:
            slow.wait(60)
        return [None] * len(entries)

    batcher = Batcher(act, linger_s=0)
    thread = threading.Thread(target=batcher.do, args=("slow",))
    thread.start()
    wait_until(lambda: began == ["slow"], within_s=60, every_s=0.01)

    batcher.do("quick")
    slow.set()
    thread.join(5)

    assert began == ["slow", "quick"]


def test_no_entry_is_left_when_no_thread_waits() -> None:
    before = threading.active_count()
    requests = Requests()
    batcher = Batcher(requests, linger_s=0.001)

    do_all(batcher, names(57))

    assert sorted(e for request in requests.seen for e in request) == sorted(names(57))
    assert max(len(request) for request in requests.seen) <= MAX_BATCH
    assert threading.active_count() == before


def test_a_batched_queue_sends_and_deletes_as_a_queue_does() -> None:
    queue = MemoryQueue()
    batched = BatchedQueue(queue, linger_s=0)
    batched.send(Message("one", "g", "d1"))
    batched.send(Message("two", "h", "d2"))
    first, second = queue.receive(max_messages=2, wait_time_s=0, visibility_timeout_s=60)

    batched.delete(first)

    assert queue.bodies == [second.body] == ["two"]


def test_deleting_a_message_of_another_worker_raises_lease_lost() -> None:
    now_s = 0.0
    queue = MemoryQueue(clock=lambda: now_s)
    queue.send(Message("one", "g", "d"))
    (delivery,) = queue.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)
    now_s = 61.0

    with pytest.raises(LeaseLostError):
        BatchedQueue(queue, linger_s=0).delete(delivery)


def test_a_batched_queue_is_checked_like_the_queue_below() -> None:
    queue = MemoryQueue()
    batched = BatchedQueue(queue, linger_s=0)
    batched.check()

    queue.is_down = True

    with pytest.raises(QueueUnavailableError):
        batched.check()
    with pytest.raises(QueueUnavailableError):
        batched.send(Message("one", "g", "d"))
