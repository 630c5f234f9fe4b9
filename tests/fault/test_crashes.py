"""Workers killed with SIGKILL, at every step and at random: no image is lost or announced twice."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import Settings
from testkit.aws.fault_proxy import Call, FaultProxy, Rule
from testkit.png.scans import page_png
from testkit.processes.fleet import Announcements, Role, preload, record_of, role, wait_until_empty
from testkit.processes.scripted_worker import DEADLY_WIDTH
from testkit.timing.waiting import assert_within, wait_until

IS_SOAK = "SOAK" in os.environ
VISIBILITY_TIMEOUT_S = 3
IMAGES = 10
#: Delay of a redelivery after the visibility timeout: LocalStack looks for expired messages once a
#: second, and holds one back while an earlier message of any group is in flight.
REDELIVERY_S = 2.0
#: A redelivered image waits for a child process that loads OpenCV and numba, on cores that two
#: workers and LocalStack share.
CHILD_START_S = 6.0

OPERATIONS = (
    "ReceiveMessage",
    "GetObject",
    "PutObject",
    "SendMessageBatch",
    "DeleteMessageBatch",
)


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"visibility_timeout_s": VISIBILITY_TIMEOUT_S})


class Killer:
    """Kills a worker, and records the time."""

    def __init__(self) -> None:
        self.victim: Role | None = None
        self.killed_at: float | None = None

    def __call__(self) -> None:
        if self.victim and not self.killed_at:
            self.killed_at = time.monotonic()
            os.kill(self.victim.process.pid, signal.SIGKILL)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_worker_killed_at_a_call_loses_and_doubles_nothing(
    settings: Settings, proxy: FaultProxy, operation: str, when: str
) -> None:
    killer = Killer()
    proxy.rules = [Rule(Call(**{when: killer}), frozenset({operation}))]
    behind = settings.model_copy(update={"aws_endpoint_url": proxy.url})
    ids = preload(settings, IMAGES)
    with Announcements(settings) as announcements, role("worker", behind) as killer.victim:
        wait_until(lambda: killer.killed_at)
        with role("worker", settings) as second, role("worker", settings) as third:
            wait_until(lambda: all("worker polls" in w.output for w in (second, third)))
            # Count the time from here: the start of a process is not what the test measures.
            polls_at = time.monotonic()
            wait_until(lambda: announcements.have(ids), within_s=60)
            wait_until_empty(settings)

    assert killer.killed_at
    record = record_of(settings, ids, announcements, sent_at=polls_at, recovered=1)
    print(f"\nkilled {when} {operation}: {record}")
    assert record.holds, record
    assert_within(record.max_latency_s, VISIBILITY_TIMEOUT_S + REDELIVERY_S + CHILD_START_S)


def test_an_image_that_kills_its_worker_fails_and_the_others_are_processed(
    settings: Settings, tmp_path: Path
) -> None:

    variables = {"NOTES": str(tmp_path / "notes"), "SLOW_S": "0"}
    scripted = "testkit.processes.scripted_worker"
    with (
        Announcements(settings) as announcements,
        role("worker", settings, module=scripted, **variables),
        role("worker", settings, module=scripted, **variables),
    ):
        sent_at = time.monotonic()
        ids = preload(settings, 1, png=page_png(width=DEADLY_WIDTH)) + preload(settings, IMAGES - 1)
        wait_until(lambda: announcements.have(ids), within_s=60)
        wait_until_empty(settings)

    record = record_of(settings, ids, announcements, sent_at=sent_at, recovered=1)
    print(f"\nkilled by the image: {record}")
    assert record.holds, record
    assert record.failed == 1


def test_workers_killed_at_random_lose_and_double_nothing(settings: Settings) -> None:
    images, kills, seed = (1000, 25, 7) if IS_SOAK else (150, 6, 7)
    chance = random.Random(seed)
    with Announcements(settings) as announcements, Fleet(settings, size=2) as fleet:
        sent_at = time.monotonic()
        ids = preload(settings, images)
        for n in range(kills):
            wait_for_images(announcements, (n + chance.random()) * images / (kills + 1))
            fleet.replace_one(chance)
        wait_until(lambda: announcements.have(ids), within_s=240)
        wait_until_empty(settings, within_s=60)

    record = record_of(settings, ids, announcements, sent_at=sent_at, recovered=kills)
    print(f"\n{kills} kills at random, seed {seed}: {record}")
    assert record.holds, record


def wait_for_images(announcements: Announcements, count: float) -> None:
    wait_until(lambda: len(announcements.first_at) >= count, within_s=120)


class Fleet:
    """Workers, each replaced by a new one when it is killed."""

    def __init__(self, settings: Settings, *, size: int) -> None:
        self._settings, self._size = settings, size
        self._stack = ExitStack()
        self._workers: list[Role] = []

    def __enter__(self) -> Fleet:
        for _ in range(self._size):
            self._add()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def replace_one(self, chance: random.Random) -> None:
        self._workers.pop(chance.randrange(len(self._workers))).kill()
        self._add()

    def _add(self) -> None:
        self._workers.append(self._stack.enter_context(role("worker", self._settings)))
