"""The parts of the role `web`, with storage and queues in memory; loads no engine."""

from __future__ import annotations

from app.domain.ports import Queue
from app.images.store import ImageStore
from app.settings import Settings
from app.wiring import Wiring
from testkit.in_memory.fakes import MemoryQueue


def wired(settings: Settings, store: ImageStore, jobs: Queue) -> Wiring:
    wiring = Wiring(settings, "web")
    wiring.store, wiring.jobs, wiring.dead_letters = store, jobs, MemoryQueue("dead.fifo")
    return wiring
