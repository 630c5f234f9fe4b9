"""Lost responses, refusals, outages and duplicates: no image is lost or announced twice."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.aws import clients as aws
from app.domain.ports import Message
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from testkit.aws.fault_proxy import (
    BlackHole,
    Fault,
    FaultProxy,
    Latency,
    LoseAnswer,
    Rule,
    Status,
    Truncate,
)
from testkit.processes.fleet import (
    Announcements,
    Record,
    frozen,
    own_localstack,
    preload,
    record_of,
    role,
    wait_until_empty,
)
from testkit.timing.waiting import assert_within, wait_until
from tests.conftest import provisioned

IS_SOAK = "SOAK" in os.environ
VISIBILITY_TIMEOUT_S = 3
OUTAGE_S = 30.0 if IS_SOAK else 6.0
#: How long the requests before the outage are counted: the time of 15 images.
USUAL_S = OUTAGE_S / 2
RECOVERY_S = 10.0
IMAGES_PER_S = 5.0
#: Requests during an outage, relative to before: each call is tried at most three times.
MAX_AMPLIFICATION = 3.0

S3 = frozenset({"GetObject", "PutObject", "HeadObject", "HeadBucket"})


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"visibility_timeout_s": VISIBILITY_TIMEOUT_S})


@dataclass(frozen=True)
class Site:
    """A worker behind a proxy, shared by the tests of this module."""

    settings: Settings
    proxy: FaultProxy


@pytest.fixture(scope="module")
def running(endpoint: str) -> Iterator[Site]:
    settings = provisioned(endpoint, visibility_timeout_s=VISIBILITY_TIMEOUT_S)
    with FaultProxy(endpoint) as proxy, role("worker", through(proxy, settings)) as worker:
        # The worker may have to compile the engine first.
        wait_until(lambda: "worker polls" in worker.output, within_s=120)
        yield Site(settings, proxy)
        assert worker.process.poll() is None


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    yield running
    running.proxy.rules = []


def through(proxy: FaultProxy, settings: Settings) -> Settings:
    return settings.model_copy(update={"aws_endpoint_url": proxy.url})


def finish(
    what: str,
    settings: Settings,
    ids: list[str],
    announcements: Announcements,
    sent_at: float,
    *,
    within_s: float = 60,
) -> Record:
    wait_until(lambda: announcements.have(ids), within_s=within_s)
    wait_until_empty(settings, within_s=within_s)
    record = record_of(settings, ids, announcements, sent_at=sent_at)
    print(f"\n{what}: {record}")
    assert record.holds, record
    return record


@pytest.mark.parametrize(
    "operation",
    ["ReceiveMessage", "GetObject", "PutObject", "SendMessageBatch", "DeleteMessageBatch"],
)
def test_a_call_whose_response_is_lost_is_repeated(site: Site, operation: str) -> None:
    site.proxy.rules = [rule := Rule(LoseAnswer(), frozenset({operation}), last=2)]
    sent_at = time.monotonic()
    ids = preload(site.settings, 10)

    with Announcements(site.settings) as announcements:
        finish(f"response to {operation} lost twice", site.settings, ids, announcements, sent_at)

    # One that waited before the rule may have brought all images; the worker goes on asking.
    wait_until(lambda: rule.matched >= 2)


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        ("10 % refused", Rule(Status(503, "ServiceUnavailable"), probability=0.1)),
        ("every fourth page cut", Rule(Truncate(200), frozenset({"GetObject"}), probability=0.25)),
        ("each S3 call a second late", Rule(Latency(1.0), S3)),
        ("a tenth of the responses lost", Rule(LoseAnswer(), probability=0.1)),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_partial_faults_lose_and_double_nothing(site: Site, what: str, rule: Rule) -> None:
    site.proxy.rules = [rule]
    sent_at = time.monotonic()
    ids = preload(site.settings, 200 if IS_SOAK else 24)

    with Announcements(site.settings) as announcements:
        finish(what, site.settings, ids, announcements, sent_at, within_s=200)


@pytest.mark.parametrize(
    ("what", "fault"),
    [("all refused", Status(503, "ServiceUnavailable")), ("silence", BlackHole(60))],
    ids=["refused", "silent"],
)
def test_a_worker_survives_an_outage_without_a_storm_of_requests(
    settings: Settings, proxy: FaultProxy, what: str, fault: Fault
) -> None:
    with (
        Announcements(settings) as announcements,
        role("worker", through(proxy, settings)) as worker,
        Trickle(settings) as trickle,
    ):
        wait_until(lambda: len(announcements.first_at) >= 5)
        usual = requests_per_s(proxy, USUAL_S)
        proxy.rules = [Rule(fault)]
        during = requests_per_s(proxy, OUTAGE_S)
        proxy.rules = []
        back_after_s = first_after(announcements, time.monotonic())
        sent_at, ids = trickle.stop()

        what = f"{what} for {OUTAGE_S:.0f} s, back after {back_after_s:.1f} s"
        what += f", requests {during:.0f} for {usual:.0f} a second"
        finish(what, settings, ids, announcements, sent_at)

        assert worker.process.poll() is None
    assert_within(back_after_s, RECOVERY_S)
    assert during <= MAX_AMPLIFICATION * usual
    assert dead_letters(settings) == 0


def test_a_worker_survives_a_frozen_localstack(settings: Settings) -> None:
    with own_localstack() as localstack:
        elsewhere = settings.model_copy(update={"aws_endpoint_url": localstack.endpoint})
        ensure_resources(elsewhere, s3=aws.s3_client(elsewhere), sqs=aws.sqs_client(elsewhere))
        sent_at = time.monotonic()
        ids = preload(elsewhere, 60)
        with role("worker", elsewhere) as worker:
            with Announcements(elsewhere) as announcements:
                wait_until(lambda: len(announcements.first_at) >= 5)
            # The reader of announcements is stopped: LocalStack would not respond to it either.
            with frozen(localstack.pid):
                wait_for(OUTAGE_S)
            with announcements:
                thawed_at = time.monotonic()
                ids += (fresh := preload(elsewhere, 1))
                wait_until(lambda: announcements.have(fresh))
                back_after_s = time.monotonic() - thawed_at
                finish(
                    f"LocalStack frozen for {OUTAGE_S:.0f} s, back after {back_after_s:.1f} s",
                    elsewhere,
                    ids,
                    announcements,
                    sent_at,
                )
            assert worker.process.poll() is None
    assert_within(back_after_s, RECOVERY_S)


def test_jobs_sent_twice_and_in_any_order_are_announced_once(settings: Settings) -> None:
    """As an at-least-once producer sends them: with a new deduplication id each time."""
    sent_at = time.monotonic()
    ids = preload(settings, 20)
    jobs = make_queue(settings, settings.input_queue)
    for image_id in random.Random(3).sample(ids, len(ids)):
        again = {"image_id": image_id, "bucket": settings.input_bucket, "key": f"{image_id}.png"}
        jobs.send(Message(json.dumps(again), group=uuid.uuid4().hex, deduplication_id="again"))

    with (
        Announcements(settings) as announcements,
        role("worker", settings),
        role("worker", settings),
    ):
        finish("sent twice, in any order", settings, ids, announcements, sent_at)


class Trickle:
    """Images at a steady rate, for as long as a `with` block or until `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ids: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._sent_at = time.monotonic()

    def __enter__(self) -> Trickle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def stop(self) -> tuple[float, list[str]]:
        """The time at which the first image was sent, and all ids."""
        self.__exit__()
        return self._sent_at, self._ids

    def _send(self) -> None:
        while not self._stopping.wait(1 / IMAGES_PER_S):
            self._ids += preload(self._settings, 1)


def requests_per_s(proxy: FaultProxy, during_s: float) -> float:
    before, began_at = proxy.seen.total(), time.monotonic()
    wait_for(during_s)
    return (proxy.seen.total() - before) / (time.monotonic() - began_at)


def wait_for(seconds: float) -> None:
    """Wait while an outage lasts; there is no condition to wait for."""
    ends_at = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > ends_at, within_s=seconds + 5)


def first_after(announcements: Announcements, at: float) -> float:
    """Seconds from *at* to the next image announced for the first time."""
    return wait_until(
        lambda: min((t - at for t in list(announcements.first_at.values()) if t > at), default=0.0),
        within_s=60,
    )


def dead_letters(settings: Settings) -> int:
    return make_queue(settings, settings.input_dead_letter_queue).depth().waiting
