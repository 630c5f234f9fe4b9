"""How the service says that it is, by a clock of our own, and who has to wait for that."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from app.access.tokens import hash_token
from app.errors import PipelineError
from app.health.monitor import Service
from app.settings import Settings
from testkit.in_memory.monitored_pipeline import MonitoredPipeline
from testkit.in_memory.site import Site
from testkit.observability.counts import Counts
from testkit.observability.logged import events
from testkit.timing.waiting import wait_until


@pytest.fixture
def pipeline() -> MonitoredPipeline:
    return MonitoredPipeline()


def test_a_healthy_service_reports_the_waiting_images(pipeline: MonitoredPipeline) -> None:
    pipeline.put(3)
    pipeline.jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)

    answer = pipeline.ask()

    assert answer["status"] == "up"
    assert answer["queue"] == {"waiting": 2, "held": 1}


def break_queue(pipeline: MonitoredPipeline) -> None:
    pipeline.jobs.is_down = True


def break_bucket(pipeline: MonitoredPipeline) -> None:
    pipeline.results.is_down = True


def break_worker(pipeline: MonitoredPipeline) -> None:
    pipeline.is_stuck = True


@pytest.mark.parametrize(
    ("act", "queue"),
    [
        (break_queue, None),
        (break_bucket, {"waiting": 0, "held": 0}),
        (break_worker, {"waiting": 0, "held": 0}),
    ],
)
def test_any_part_that_does_not_answer_degrades_the_service(
    pipeline: MonitoredPipeline, act: Callable[[MonitoredPipeline], None], queue: Any
) -> None:
    act(pipeline)

    answer = pipeline.ask()

    assert (answer["status"], answer["queue"]) == ("degraded", queue)


def test_each_process_of_a_fleet_answers_for_itself_and_for_the_queue_of_all() -> None:
    one, other = MonitoredPipeline(), MonitoredPipeline()
    for process in (one, other):
        process.put(2)
    break_worker(one)

    answers = [process.ask() for process in (one, other)]

    assert [each["status"] for each in answers] == ["degraded", "up"]
    assert answers[0]["queue"] == answers[1]["queue"]


@pytest.mark.parametrize(("max_waiting", "status"), [(2, "degraded"), (3, "up"), (0, "up")])
def test_a_full_queue_degrades_the_service(max_waiting: int, status: str) -> None:
    pipeline = MonitoredPipeline(max_waiting=max_waiting)
    pipeline.put(3)

    assert pipeline.ask()["status"] == status


def test_a_flood_of_status_requests_costs_one_call(pipeline: MonitoredPipeline) -> None:
    for _ in range(1000):
        pipeline.monitor.service()

    assert (pipeline.jobs.asked, pipeline.dead_letters.asked) == (1, 1)
    assert (
        pipeline.monitor.service() is pipeline.monitor.service()
    )  # nor is it put into words again


def test_without_a_thread_a_status_request_checks_at_most_every_twenty_seconds(
    pipeline: MonitoredPipeline,
) -> None:
    for _ in range(40):
        pipeline.ask()

    assert pipeline.jobs.asked == 3


def test_status_requests_during_a_check_are_answered_at_once(pipeline: MonitoredPipeline) -> None:
    pipeline.jobs.may_answer.clear()
    slow = threading.Thread(target=pipeline.ask)
    slow.start()
    wait_until(lambda: pipeline.jobs.asked)

    assert pipeline.ask()["status"] == "degraded"  # nothing is known yet

    pipeline.jobs.may_answer.set()
    slow.join(10)
    assert pipeline.ask()["status"] == "up"
    assert pipeline.jobs.asked == 1


def test_outdated_results_count_as_unknown(pipeline: MonitoredPipeline) -> None:
    pipeline.ask()
    pipeline.jobs.may_answer.clear()
    pipeline.clock.advance(31)
    hangs = threading.Thread(target=pipeline.monitor.look)
    hangs.start()
    wait_until(lambda: pipeline.jobs.asked == 2)

    answer = pipeline.ask()

    assert (answer["status"], answer["queue"]) == ("degraded", None)
    pipeline.jobs.may_answer.set()
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
def test_an_unready_process_returns_a_code_and_only_logs_the_names(
    pipeline: MonitoredPipeline,
    act: Callable[[MonitoredPipeline], None],
    code: str,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    act(pipeline)

    with pytest.raises(PipelineError) as caught:
        pipeline.monitor.check_ready()

    assert (caught.value.code, str(caught.value)) == (code, words)
    assert [e["level"] for e in events(caplog) if e["event"] == "unhealthy"] == ["warning"]


def test_readiness_is_at_most_two_seconds_old(pipeline: MonitoredPipeline) -> None:
    assert pipeline.is_ready()
    break_bucket(pipeline)

    pipeline.clock.advance(2.0)
    assert pipeline.is_ready()
    pipeline.clock.advance(0.1)
    assert not pipeline.is_ready()


def test_a_flood_of_readiness_requests_costs_one_check_in_two_seconds(
    pipeline: MonitoredPipeline,
) -> None:
    for _ in range(1000):
        pipeline.monitor.check_ready()

    assert pipeline.calls == 4
    pipeline.clock.advance(2.1)
    for _ in range(1000):
        pipeline.monitor.check_ready()
    assert pipeline.calls == 7  # the dead-letter queue needs no second look


def test_readiness_requests_after_an_idle_time_share_one_check() -> None:
    pipeline = MonitoredPipeline(clock=time.monotonic, is_resting=True)
    with pipeline.monitor:
        wait_until(lambda: pipeline.results.asked == 1)
        pipeline.monitor._seen_at -= 60  # as after a minute
        pipeline.monitor._began_at -= 60
        calls = pipeline.calls
        pipeline.jobs.may_answer.clear()
        with ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(pipeline.is_ready) for _ in range(20)]
            wait_until(lambda: pipeline.jobs.asked == 2)
            pipeline.jobs.may_answer.set()

            assert [each.result(10) for each in asked] == [True] * 20
        assert pipeline.calls == calls + 3


def test_a_resting_monitor_checks_once_and_then_only_on_request() -> None:
    pipeline = MonitoredPipeline(is_resting=True)
    with pipeline.monitor:
        wait_until(lambda: pipeline.results.asked == 1 and not pipeline.monitor._is_looking)
        pipeline.clock.advance(3600)
        with pipeline.monitor._changed:
            pipeline.monitor._changed.notify_all()  # what wakes it, wakes it to rest again

        pipeline.monitor.check_ready()

        assert pipeline.results.asked == 2


def test_counting_for_uploads_calls_only_the_queue() -> None:
    pipeline = MonitoredPipeline(max_waiting=2)
    pipeline.put(3)
    for _ in range(100):
        pipeline.monitor.keep_counting()

    assert refusal_of(pipeline) == "queue-full"
    assert (pipeline.jobs.asked, pipeline.calls) == (1, 1)


def test_a_reason_is_logged_once_and_its_end_too(
    pipeline: MonitoredPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    break_bucket(pipeline)
    for _ in range(5):
        pipeline.clock.advance(3)
        pipeline.is_ready()
    pipeline.results.is_down = False
    pipeline.clock.advance(3)

    assert pipeline.is_ready()
    said = [e["event"] for e in events(caplog)]
    assert said == ["unhealthy", "healthy again"]


# --- whether uploads are refused -----------------------------------------------------------------


def refusal_of(pipeline: MonitoredPipeline) -> str | None:
    try:
        pipeline.monitor.check_queue_depth()
    except PipelineError as exc:
        return exc.code
    return None


@pytest.mark.parametrize(("waiting", "expected"), [(3, None), (4, "queue-full")])
def test_uploads_are_refused_while_more_images_wait_than_allowed(
    waiting: int, expected: str | None
) -> None:
    pipeline = MonitoredPipeline(max_waiting=3)
    pipeline.put(waiting)

    assert refusal_of(pipeline) is None  # nothing is known yet
    pipeline.monitor.keep_counting()

    assert refusal_of(pipeline) == expected


def test_an_outdated_count_refuses_no_upload() -> None:
    pipeline = MonitoredPipeline(max_waiting=3)
    pipeline.put(4)
    pipeline.monitor.keep_counting()

    pipeline.clock.advance(31)

    assert refusal_of(pipeline) is None


def test_a_limit_of_zero_allows_any_number_and_counts_nothing() -> None:
    pipeline = MonitoredPipeline(max_waiting=0)
    pipeline.put(4)
    pipeline.monitor.keep_counting()

    assert refusal_of(pipeline) is None
    assert pipeline.jobs.asked == 0


def test_an_unknown_queue_depth_refuses_no_upload() -> None:
    pipeline = MonitoredPipeline(max_waiting=3)
    pipeline.put(4)
    pipeline.jobs.is_down = True

    pipeline.monitor.keep_counting()

    assert refusal_of(pipeline) is None


def test_uploads_cost_at_most_one_count_in_two_seconds() -> None:
    pipeline = MonitoredPipeline(max_waiting=3)

    for _ in range(10):
        pipeline.monitor.keep_counting()
        pipeline.clock.advance(0.25)

    assert pipeline.jobs.asked == 2


# --- the thread ----------------------------------------------------------------------------------


def test_the_thread_looks_at_once_and_ends_with_the_block(pipeline: MonitoredPipeline) -> None:
    with pipeline.monitor:
        wait_until(lambda: pipeline.jobs.asked == 1)

    assert "monitor" not in [thread.name for thread in threading.enumerate()]


def test_the_end_of_the_block_does_not_wait_for_a_queue_that_is_silent(
    pipeline: MonitoredPipeline,
) -> None:
    pipeline.jobs.may_answer.clear()

    with pipeline.monitor:
        wait_until(lambda: pipeline.jobs.asked == 1)

    assert pipeline.monitor._thread.is_alive()  # it is a daemon
    pipeline.jobs.may_answer.set()
    pipeline.monitor._thread.join(10)


def has_counted(pipeline: MonitoredPipeline, times: int) -> bool:
    return pipeline.jobs.asked == times


def test_frequent_counts_for_uploads_do_not_delay_full_checks() -> None:
    pipeline = MonitoredPipeline(max_waiting=3)
    with pipeline.monitor:
        wait_until(lambda: pipeline.results.asked == 1)
        for looks in range(2, 7):
            pipeline.clock.advance(2)
            pipeline.monitor.keep_counting()
            wait_until(partial(has_counted, pipeline, looks))

        wait_until(lambda: pipeline.results.asked == 2)  # ten seconds after the first


def test_depths_are_metrics_and_absent_while_sqs_is_silent(pipeline: MonitoredPipeline) -> None:
    pipeline.put(2)
    pipeline.monitor.look()
    known = Counts.of(pipeline.metrics).all("queue_messages")
    pipeline.jobs.is_down = True

    pipeline.monitor.look()

    counts = Counts.of(pipeline.metrics)
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
