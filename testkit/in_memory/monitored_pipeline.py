"""A monitor on storage and queues in memory."""

from __future__ import annotations

import json
from typing import Any

from app.domain.ports import Message
from app.errors import PipelineError, QueueUnavailableError
from app.health.checks import Watched
from app.health.monitor import Monitor
from app.images.store import ImageStore
from app.observability.metrics import Metrics
from testkit.in_memory.fakes import CountedBucket, CountedQueue
from testkit.timing.clocks import Clock


class MonitoredPipeline:
    """A monitor, the parts that it watches, and its clock; *given* replaces settings of these."""

    def __init__(self, **given: Any) -> None:
        self.clock = Clock()
        self.originals, self.results = CountedBucket(), CountedBucket()
        self.jobs = CountedQueue()
        self.dead_letters = CountedQueue()
        self.metrics = Metrics()
        self.is_stuck = False
        store = ImageStore(self.originals, self.results)
        self.monitor = Monitor(
            Watched(store, self.jobs, self._check_worker, self.dead_letters),
            metrics=self.metrics.queues,
            **{"clock": self.clock} | given,
        )

    def put(self, count: int) -> None:
        for n in range(count):
            self.jobs.send(Message("{}", str(n), str(n)))

    def ask(self) -> dict[str, Any]:
        self.clock.advance(1.1)
        answer: dict[str, Any] = json.loads(self.monitor.service())
        return answer

    @property
    def calls(self) -> int:
        """The calls that would have gone to AWS."""
        queues = self.jobs.asked + self.dead_letters.asked
        return queues + self.originals.asked + self.results.asked

    def is_ready(self) -> bool:
        try:
            self.monitor.check_ready()
        except PipelineError:
            return False
        return True

    def _check_worker(self) -> None:
        if self.is_stuck:
            raise QueueUnavailableError("The worker is stuck.")
