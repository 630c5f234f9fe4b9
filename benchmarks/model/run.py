"""The observations of a run of simulation.py."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.model.room import Worker


@dataclass(eq=False, slots=True)
class Picture:
    due_at: float
    #: Empty for an image that is its own group.
    group: str = ""
    queued_at: float = 0.0
    taken_at: float = 0.0
    announced_at: float = 0.0
    #: Time in which a worker held the image without a CPU.
    cpu_wait_s: float = 0.0
    worker: Worker | None = None


@dataclass
class Run:
    """The observations of one run."""

    offered: int = 0
    #: Uploads that were refused for a full group or queue, by group.
    refused: Counter[str] = field(default_factory=Counter)
    announced: list[Picture] = field(default_factory=list)
    again: int = 0
    #: Per second: time, waiting, in flight, workers.
    timeline: list[tuple[float, int, int, int]] = field(default_factory=list)
    worker_s: float = 0.0
    waiting: int = 0
    held: int = 0
    uploading: int = 0
    #: Images hidden until a visibility timeout ends.
    hidden: int = 0

    def look(self, now: float, waiting: int, in_flight: int, workers: int) -> None:
        """Record the state in this second."""
        self.timeline.append((now, waiting, in_flight, workers))
        self.worker_s += workers

    def of(self, group: str) -> Run:
        """This run with the announced images of *group* only."""
        return replace(self, announced=[one for one in self.announced if one.group == group])

    def latencies_s(self, from_s: float = 0.0) -> np.ndarray:
        """Seconds from due time to announcement, for images due after *from_s*."""
        return np.array([p.announced_at - p.due_at for p in self.announced if p.due_at >= from_s])

    def waits_s(self, from_s: float = 0.0) -> np.ndarray:
        """Seconds that images waited in the queue."""
        return np.array([p.taken_at - p.queued_at for p in self.announced if p.due_at >= from_s])

    def cpu_waits_s(self, from_s: float = 0.0) -> np.ndarray:
        """Seconds that images waited for a CPU after a worker had received them."""
        return np.array([p.cpu_wait_s for p in self.announced if p.due_at >= from_s])
