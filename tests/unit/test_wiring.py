"""Which parts each role has, and that each is made once."""

from __future__ import annotations

import threading

import pytest

from app.images.store import ImageStore
from app.settings import Settings
from app.wiring import Wiring
from testkit.in_memory.fakes import CountedQueue, MemoryBucket, MemoryQueue


def wiring_of(role: str, **settings: object) -> Wiring:
    wiring = Wiring(Settings(**settings), role)
    wiring.store = ImageStore(MemoryBucket(), MemoryBucket())
    wiring.jobs, wiring.announcements = CountedQueue(), MemoryQueue()
    wiring.dead_letters = CountedQueue()
    return wiring


@pytest.mark.parametrize(("role", "has_worker"), [("web", False), ("worker", True), ("all", True)])
def test_the_monitor_watches_the_worker_where_there_is_one(role: str, has_worker: bool) -> None:
    wiring = wiring_of(role)

    assert (wiring.worker is not None) == has_worker
    assert (wiring.watched.check_worker is not None) == has_worker


@pytest.mark.parametrize(("role", "counts"), [("web", True), ("worker", False), ("all", True)])
def test_the_depths_of_the_queues_are_metrics_of_the_web_side(role: str, counts: bool) -> None:
    """A sum over a fleet of workers would count each message as often as there are workers."""
    wiring = wiring_of(role)

    wiring.monitor.look()

    exposed = wiring.health.answer("/metrics").body.decode()
    assert ("image_pipeline_queue_messages{" in exposed) == counts


def test_the_gate_the_status_and_readiness_read_one_monitor() -> None:
    wiring = wiring_of("web", max_queue_depth=3)
    client = wiring.app.test_client()

    for path in ("/service", "/readyz", "/service"):
        assert client.get(path).status_code == 200
    client.post("/upload")

    assert isinstance(wiring.jobs, CountedQueue)
    assert wiring.jobs.asked == 1


def test_building_the_parts_starts_no_thread_and_makes_no_call() -> None:
    wiring = wiring_of("all")
    before = threading.active_count()

    assert wiring.app
    assert wiring.probes is None
    assert wiring.worker

    assert threading.active_count() == before
    assert isinstance(wiring.jobs, CountedQueue)
    assert wiring.jobs.asked == 0


def test_a_part_that_is_set_first_is_used_by_the_others() -> None:
    wiring = wiring_of("web")

    assert wiring.services.store is wiring.store
    assert wiring.watched.store is wiring.store
    assert wiring.services.jobs is wiring.jobs
    assert wiring.services.gate is wiring.gate
