"""The wait of a readiness request for the monitor, in wall time."""

from __future__ import annotations

import time

from testkit.in_memory.monitored_pipeline import MonitoredPipeline
from testkit.timing.waiting import assert_within, wait_until


def test_a_readiness_request_waits_at_most_a_second_while_aws_is_silent() -> None:
    pipeline = MonitoredPipeline(clock=time.monotonic)
    pipeline.jobs.may_answer.clear()
    with pipeline.monitor:
        wait_until(lambda: pipeline.jobs.asked == 1)
        began_at = time.monotonic()

        assert not pipeline.is_ready()
        assert_within(time.monotonic() - began_at, 1.5)
        began_at = time.monotonic()
        assert not pipeline.is_ready()  # the second counts from the start of the check
        assert_within(time.monotonic() - began_at, 0.5)
        pipeline.jobs.may_answer.set()
        wait_until(pipeline.is_ready)


def test_the_thread_checks_in_advance_while_requests_arrive() -> None:
    pipeline = MonitoredPipeline(clock=time.monotonic, is_resting=True)
    with pipeline.monitor:
        wait_until(pipeline.is_ready)
        looks, longest_s = pipeline.results.asked, 0.0
        while pipeline.results.asked < looks + 2:
            began_at = time.monotonic()
            pipeline.monitor.check_ready()
            longest_s = max(longest_s, time.monotonic() - began_at)

    assert_within(longest_s, 0.5)
