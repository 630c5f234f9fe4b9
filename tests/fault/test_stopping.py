"""SIGTERM: the worker finishes its images and returns its other messages at once."""

from __future__ import annotations

import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.settings import Settings
from app.sqs_service import SqsQueue, make_queue
from testkit.png.scans import page_png
from testkit.processes.fleet import Announcements, Role, preload, role
from testkit.processes.scripted_worker import SLOW_WIDTH
from testkit.timing.waiting import assert_within, wait_until

#: No test may wait for its end.
VISIBILITY_TIMEOUT_S = 60
SLOW_S = 3.0
LEEWAY_S = 2.0


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"visibility_timeout_s": VISIBILITY_TIMEOUT_S})


@pytest.fixture
def jobs(settings: Settings) -> SqsQueue:
    return make_queue(settings, settings.input_queue)


def stop(worker: Role) -> float:
    """Send SIGTERM; returns the seconds until the process has ended with exit code 0."""
    began_at = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    return time.monotonic() - began_at


def wait_until_it_polls(worker: Role) -> None:
    wait_until(lambda: "worker polls" in worker.output)


def test_an_idle_worker_stops_within_two_seconds(settings: Settings) -> None:
    with role("worker", settings) as worker:
        wait_until_it_polls(worker)

        took_s = stop(worker)

    print(f"idle stop after {took_s:.2f} s")
    assert_within(took_s, LEEWAY_S)


def test_a_busy_worker_finishes_its_image_first(
    settings: Settings, jobs: SqsQueue, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with Announcements(settings) as announcements, slow_worker(settings, notes) as worker:
        (image_id,) = preload(settings, 1, png=page_png(width=SLOW_WIDTH))
        wait_until(lambda: notes.exists() and notes.read_text())

        took_s = stop(worker)

        print(f"busy stop after {took_s:.2f} s of a job of {SLOW_S} s")
        assert_within(took_s, SLOW_S + LEEWAY_S)
        wait_until(lambda: announcements.seen[image_id, "processed"] == 1)
        assert (jobs.depth().waiting, jobs.depth().held) == (0, 0)


def test_a_worker_that_is_still_starting_finishes_its_first_image(
    settings: Settings, jobs: SqsQueue, tmp_path: Path
) -> None:
    notes, started = tmp_path / "notes", tmp_path / "started"
    with (
        Announcements(settings) as announcements,
        slow_worker(settings, notes, slow_s=0.5, START_UNTIL=str(started)) as worker,
    ):
        (image_id,) = preload(settings, 1, png=page_png(width=SLOW_WIDTH))
        wait_until(lambda: notes.exists() and notes.read_text())
        worker.process.send_signal(signal.SIGTERM)
        started.touch()

        assert worker.process.wait(60) == 0
        wait_until(lambda: announcements.seen[image_id, "processed"] == 1, within_s=120)
    assert (jobs.depth().waiting, jobs.depth().held) == (0, 0)


def test_a_stopped_worker_leaves_no_message_hidden(settings: Settings, jobs: SqsQueue) -> None:
    ids = preload(settings, 200)
    with Announcements(settings) as announcements:
        with role("worker", settings) as worker:
            wait_until(lambda: len(announcements.seen) >= 20)
            stop(worker)
        left = jobs.depth()

        with role("worker", settings):
            wait_until(lambda: len(announcements.seen) == len(ids), within_s=120)

    print(f"stopped with {left.waiting} waiting and {left.held} hidden")
    assert left.waiting > 0
    assert left.held == 0
    assert announcements.seen == dict.fromkeys(((i, "processed") for i in ids), 1)


def test_messages_of_the_pending_poll_are_returned(settings: Settings, jobs: SqsQueue) -> None:
    patient = settings.model_copy(update={"poll_wait_s": 10})
    with role("worker", patient) as worker:
        wait_until_it_polls(worker)
        worker.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in worker.output)

        preload(settings, 1)

        assert worker.process.wait(20) == 0
    assert (jobs.depth().waiting, jobs.depth().held) == (1, 0)


def test_a_second_signal_stops_at_once_and_returns_the_held_messages(
    settings: Settings, jobs: SqsQueue, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with Announcements(settings) as announcements:
        with slow_worker(settings, notes, slow_s=20) as worker:
            (image_id,) = preload(settings, 1, png=page_png(width=SLOW_WIDTH))
            wait_until(lambda: notes.exists() and notes.read_text())
            worker.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping" in worker.output)

            took_s = stop(worker)

        left = jobs.depth()
        with role("worker", settings):
            wait_until(lambda: announcements.seen[image_id, "processed"] == 1)

    print(f"second signal: ended after {took_s:.2f} s")
    assert_within(took_s, LEEWAY_S)
    assert (left.waiting, left.held) == (1, 0)


def slow_worker(
    settings: Settings, notes: Path, *, slow_s: float = SLOW_S, **variables: str
) -> AbstractContextManager[Role]:
    return role(
        "worker",
        settings,
        module="testkit.processes.scripted_worker",
        NOTES=str(notes),
        SLOW_S=str(slow_s),
        **variables,
    )
