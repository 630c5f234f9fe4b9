"""The worker protocol with storage and queues in memory, and a hook for each of its steps."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.consumer.batching import BatchedQueue
from app.consumer.leases import Lease, Leases
from app.consumer.outcome import Ending
from app.domain.messages import Job
from app.domain.ports import Admit, Binarized, Delivery, Message, Results, StoredObject
from app.errors import CorruptPngError, ProcessingCrashedError, QueueUnavailableError
from app.images.store import ImageStore
from app.observability.metrics import Metrics
from app.observability.worker_metrics import WorkerMetrics
from app.worker import Worker
from testkit.in_memory.fakes import MemoryBucket, MemoryQueue
from testkit.timing.clocks import Clock

VISIBILITY_TIMEOUT_S = 60


class Killed(BaseException):
    """Simulates a killed process: a BaseException that no code catches."""


#: Called with the name of a step, before it takes effect and after.
StepHook = Callable[[str, bool], None]


class WatchedBucket(MemoryBucket):
    """A bucket whose calls are steps of the protocol."""

    def __init__(self, name: str, what: str, on_step: StepHook) -> None:
        super().__init__(name)
        self._what = what
        self._on_step = on_step

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        step = "put failure" if key.startswith("failures/") else f"put {self._what}"
        self._on_step(step, False)
        stored = super().put(key, data, content_type=content_type, metadata=metadata)
        self._on_step(step, True)
        return stored

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        self.check()
        if key not in self.objects:
            return self.put(key, data, content_type=content_type, metadata=metadata)
        self._on_step(f"put {self._what}", False)
        self._on_step(f"put {self._what}", True)
        return None

    def get(self, key: str, *, admit: Admit | None = None) -> StoredObject:
        step = "get failure" if key.startswith("failures/") else f"get {self._what}"
        self._on_step(step, False)
        stored = super().get(key, admit=admit)
        self._on_step(step, True)
        return stored

    def head(self, key: str) -> StoredObject:
        self._on_step(f"head {self._what}", False)
        stored = super().get(key)
        self._on_step(f"head {self._what}", True)
        return replace(stored, data=b"")


class WatchedQueue(MemoryQueue):
    """A queue whose calls are steps of the protocol."""

    def __init__(
        self,
        name: str,
        what: str,
        on_step: StepHook,
        clock: Clock,
        *,
        dead_letters: MemoryQueue | None = None,
        max_receives: int = 0,
    ) -> None:
        super().__init__(name, clock=clock, dead_letters=dead_letters, max_receives=max_receives)
        self._what = what
        self._on_step = on_step

    def send_batch(self, messages: Sequence[Message]) -> Results:
        self._on_step(f"send {self._what}", False)
        results = super().send_batch(messages)
        self._on_step(f"send {self._what}", True)
        return results

    def delete_batch(self, deliveries: Sequence[Delivery]) -> Results:
        self._on_step(f"delete {self._what}", False)
        results = super().delete_batch(deliveries)
        self._on_step(f"delete {self._what}", True)
        return results


def to_page(data: bytes, job: Job) -> Binarized:
    """A processor whose result is its input in upper case."""
    if data == b"bad":
        raise CorruptPngError("It breaks off.")
    if data == b"bug":
        raise ZeroDivisionError("a secret of ours")
    return Binarized(data.upper(), 4, 3, 300, job.method or "otsu", job.parameters, 99, 0.5, 1)


def to_page_apart(data: bytes, job: Job) -> Binarized:
    if data == b"deadly":
        raise ProcessingCrashedError("The image crashed the process that worked on it.")
    return to_page(data, job)


class MemoryPipeline:
    """A worker, its buckets and its queues; `on` hooks one step, `on_step` all."""

    def __init__(
        self,
        *,
        max_receives: int = 3,
        worker: type[Worker] = Worker,
        metrics: Metrics | None = None,
    ) -> None:
        self.clock = Clock()
        self.journal: list[str] = []
        self.processed_apart: list[bool] = []
        self._after: dict[str, Callable[[], object]] = {}
        self.on_step: StepHook = lambda _step, _is_done: None
        self.originals = WatchedBucket("image-input", "original", self._step)
        self.results = WatchedBucket("image-processed", "result", self._step)
        self.dead_letters = MemoryQueue("dead.fifo", clock=self.clock)
        self.jobs = WatchedQueue(
            "jobs.fifo",
            "job",
            self._step,
            self.clock,
            dead_letters=self.dead_letters,
            max_receives=max_receives,
        )
        self.announced = WatchedQueue("announcements.fifo", "announcement", self._step, self.clock)
        self.store = ImageStore(self.originals, self.results)
        self.leases = Leases(
            self.jobs,
            visibility_timeout_s=VISIBILITY_TIMEOUT_S,
            metrics=WorkerMetrics(),
            clock=self.clock,
        )
        self.worker = worker(
            jobs=BatchedQueue(self.jobs, linger_s=0),
            store=self.store,
            announcements=BatchedQueue(self.announced, linger_s=0),
            process=self._process,
            process_apart=self._process_apart,
            max_receives=max_receives,
            metrics=metrics.worker if metrics else WorkerMetrics(),
        )

    # --- actions of a test ---

    def upload(self, data: bytes = b"page", **fields: Any) -> uuid.UUID:
        image_id = uuid.uuid4()
        self.originals.put(f"{image_id}.png", data, content_type="image/png", metadata={})
        self.send(self.job(image_id, **fields), group=fields.get("group") or str(image_id))
        self.journal.clear()
        return image_id

    def job(self, image_id: uuid.UUID, **fields: Any) -> str:
        known = {"image_id": str(image_id), "bucket": "image-input", "key": f"{image_id}.png"}
        return json.dumps(known | fields)

    def send(self, body: str, group: str = "g") -> None:
        self.jobs.send(Message(body, group, uuid.uuid4().hex))

    def receive(self) -> Lease:
        deliveries = self.jobs.receive(
            max_messages=1, wait_time_s=0, visibility_timeout_s=VISIBILITY_TIMEOUT_S
        )
        (lease,) = self.leases.hold(deliveries, asked_at=self.clock())
        return lease

    def handle_next(self) -> Ending:
        return self.worker.handle(self.receive())

    def handle_after(self, seconds: float) -> Ending:
        self.clock.advance(seconds)
        return self.handle_next()

    def on(self, step: str, act: Callable[[], object]) -> None:
        """Call *act* each time *step* has taken effect."""
        self._after[step] = act

    def kill_after(self, step: str) -> None:
        """Handle the next message until *step* has taken effect, then raise Killed."""
        self.on(step, self._die)
        try:
            self.handle_next()
        except Killed:
            pass
        else:
            raise AssertionError(f"{step} never came")
        self._after.clear()

    @staticmethod
    def fail(what: str) -> None:
        raise QueueUnavailableError(f"{what} is away")

    # --- results for a test ---

    @property
    def announcements(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.announced.bodies]

    @property
    def codes(self) -> list[str]:
        return [announcement["error"]["code"] for announcement in self.announcements]

    # --- internals ---

    def _step(self, name: str, is_done: bool) -> None:
        if not is_done:
            self.journal.append(name)
        elif name in self._after:
            self._after[name]()
        self.on_step(name, is_done)

    @staticmethod
    def _die() -> None:
        raise Killed

    def _process(self, data: bytes, job: Job) -> Binarized:
        self.processed_apart.append(False)
        return to_page(data, job)

    def _process_apart(self, data: bytes, job: Job) -> Binarized:
        self.processed_apart.append(True)
        return to_page_apart(data, job)
