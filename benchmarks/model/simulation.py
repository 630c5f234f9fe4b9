"""A queueing model of the pipeline, for rates beyond this machine.

Images arrive, pass the web servers, wait in a FIFO queue with a quota per partition, are processed
by workers with limited slots and CPUs, and are announced. An image in a worker's hands also waits
for a CPU, which is counted apart. The number of workers changes: an autoscaler decides, starts take
time, and a dead worker's images stay hidden until their visibility timeout.

The model is one heap of events in plain Python, about ten events per image. A stage is CPU time,
first come first served, then a delay that occupies no CPU (a request to S3 or SQS, the linger of a
batch). docs/decisions/0021-open-loop-and-model.md lists what the model leaves out. The same seed
gives the same run.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from benchmarks.model.arrivals import Draw
from benchmarks.model.autoscaler import Autoscaler, Launcher, Launches, Sample
from benchmarks.model.cpus import Cpus
from benchmarks.model.design import Design, Stage
from benchmarks.model.room import Room, Worker

# --- the parts -----------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Picture:
    due_at: float
    queued_at: float = 0.0
    taken_at: float = 0.0
    announced_at: float = 0.0
    #: Time in a worker's hands without a CPU.
    cpu_wait_s: float = 0.0
    worker: Worker | None = None


@dataclass
class Run:
    """The observations of one run."""

    offered: int = 0
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

    def latencies_s(self, from_s: float = 0.0) -> np.ndarray:
        """Seconds from due time to announcement, for images due after *from_s*."""
        return np.array([p.announced_at - p.due_at for p in self.announced if p.due_at >= from_s])

    def waits_s(self, from_s: float = 0.0) -> np.ndarray:
        """Seconds that images waited in the queue."""
        return np.array([p.taken_at - p.queued_at for p in self.announced if p.due_at >= from_s])

    def cpu_waits_s(self, from_s: float = 0.0) -> np.ndarray:
        """Seconds that images waited for a CPU, in the hands of a worker."""
        return np.array([p.cpu_wait_s for p in self.announced if p.due_at >= from_s])


class Simulation:
    """One simulation; call `run` once."""

    def __init__(
        self,
        design: Design,
        workers: int,
        *,
        draw: Draw,
        seed: int,
        autoscaler: Autoscaler | None = None,
        launches: Launches | None = None,
    ) -> None:
        self._design, self._draw, self._random = design, draw, Random(seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._count, self._now = 0, 0.0
        self._web = Cpus(design.web_cpus)
        self._partitions = [Cpus(1) for _ in range(design.partitions)]
        self._queue: deque[Picture] = deque()
        self._with_room = Room()
        self._workers: list[Worker] = []
        self._held: dict[Picture, None] = {}
        self._autoscaler, self._ordered = autoscaler, workers
        self._launcher = Launcher(launches or Launches())
        self._worked_s = self._serial_until = 0.0
        self.seen = Run()
        for _ in range(workers):
            self._join()

    def run(self, arrivals: Iterator[float], until_s: float, deaths: Sequence[float] = ()) -> Run:
        """Simulate up to *until_s*; at each of *deaths* a worker dies."""
        self._arrivals = arrivals
        self._next_arrival()
        self._at(0.0, self._look)
        for at in deaths:
            self._at(at, self._die)
        if autoscaler := self._autoscaler:
            self._at(autoscaler.step_s, self._scale, autoscaler, 0.0)
        while self._events and self._events[0][0] <= until_s:
            self._now, _, action, arguments = heapq.heappop(self._events)
            action(*arguments)
        self.seen.waiting, self.seen.held = len(self._queue), len(self._held)
        return self.seen

    def _at(self, at: float, action: Callable[..., None], *arguments: object) -> None:
        self._count += 1  # events at the same time run in the order of scheduling
        heapq.heappush(self._events, (at, self._count, action, arguments))

    def _look(self) -> None:
        self.seen.timeline.append(
            (self._now, len(self._queue), len(self._held), len(self._workers))
        )
        self.seen.worker_s += len(self._workers)
        self._at(self._now + 1.0, self._look)

    # --- an image --------------------------------------------------------------------------------

    def _next_arrival(self) -> None:
        due_at = next(self._arrivals, None)
        if due_at is not None:
            self._at(due_at, self._arrive)

    def _arrive(self) -> None:
        self.seen.offered += 1
        self.seen.uploading += 1
        self._upload(Picture(self._now), 0)
        self._next_arrival()

    def _upload(self, picture: Picture, number: int) -> None:
        if number == len(self._design.upload):
            return self._send(picture)
        done_at, _ = self._pass(self._web, self._design.upload[number])
        self._at(done_at, self._upload, picture, number + 1)
        return None

    def _pass(self, cpus: Cpus, stage: Stage) -> tuple[float, float]:
        """When the stage will be done, and how long it will have waited for a CPU."""
        work_s = self._draw(self._random, stage.cpu_s)
        if cpus is not self._web:
            self._worked_s += work_s
        done_at = cpus.take(self._now, work_s, self._serial_until if stage.is_serial else 0.0)
        if stage.is_serial:
            self._serial_until = done_at
        return done_at + stage.delay_s, done_at - work_s - self._now

    def _send(self, picture: Picture) -> None:
        # SQS hashes the group, here the image, so all partitions are equally likely.
        partition = self._partitions[self._random.randrange(len(self._partitions))]
        sent_at = partition.take(self._now, 1 / self._design.calls_per_partition_s)
        self._at(sent_at, self._enqueue, picture)

    def _enqueue(self, picture: Picture, *, is_again: bool = False) -> None:
        picture.queued_at = picture.queued_at or self._now
        if is_again:
            self._queue.appendleft(picture)
        else:
            self.seen.uploading -= 1
            self._queue.append(picture)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._queue and self._with_room:
            worker = self._with_room.any(self._random)
            picture = self._queue.popleft()
            picture.taken_at, picture.worker = self._now, worker
            self._held[picture] = None
            worker.free -= 1
            if not worker.free:
                self._with_room.remove(worker)
            self._work(picture, worker, 0)

    def _work(self, picture: Picture, worker: Worker, number: int) -> None:
        if worker.is_dead:
            return None
        if number == len(self._design.work):
            picture.announced_at = picture.announced_at or self._now
        stages = (*self._design.work, *self._design.after)
        if number == len(stages):
            return self._finish(picture, worker)
        cpus = self._web if self._design.is_one_machine else worker.cpus
        done_at, cpu_wait_s = self._pass(cpus, stages[number])
        picture.cpu_wait_s += cpu_wait_s
        self._at(done_at, self._work, picture, worker, number + 1)
        return None

    def _finish(self, picture: Picture, worker: Worker) -> None:
        del self._held[picture]
        self.seen.announced.append(picture)
        worker.free += 1
        if worker.is_leaving:
            if worker.free == self._design.slots:
                self._workers.remove(worker)
        elif worker.place < 0:
            self._with_room.add(worker)
        self._hand_out()

    # --- the workers -----------------------------------------------------------------------------

    def _join(self) -> None:
        worker = Worker(Cpus(self._design.worker_cpus), self._design.slots)
        self._workers.append(worker)
        self._with_room.add(worker)
        self._hand_out()

    def _die(self) -> None:
        """Crash a worker: its images reappear when their leases, renewed at half time, expire."""
        worker = self._random.choice(self._staying())
        worker.is_dead = True
        self._with_room.remove(worker)
        self._workers.remove(worker)
        timeout_s = self._design.visibility_timeout_s
        for picture in [one for one in self._held if one.worker is worker]:
            del self._held[picture]
            self.seen.again += 1
            self.seen.hidden += 1
            after_s = timeout_s * (1 + self._random.random()) / 2
            self._at(self._now + after_s, self._come_back, picture)
        self._at(self._now, self._join)  # a replacement starts

    def _come_back(self, picture: Picture) -> None:
        self.seen.hidden -= 1
        self._enqueue(picture, is_again=True)

    # --- the autoscaler --------------------------------------------------------------------------

    def _scale(self, autoscaler: Autoscaler, worked_s: float) -> None:
        wanted = autoscaler.decide(self._sample(autoscaler.step_s, worked_s), self._ordered)
        self._at(self._now + autoscaler.step_s, self._scale, autoscaler, self._worked_s)
        missing, self._ordered = wanted - self._ordered, wanted
        for _ in range(missing):
            self._at(self._launcher.polls_at(self._now, self._random), self._start)
        if missing < 0:
            self._let_go()

    def _sample(self, step_s: float, worked_s: float) -> Sample:
        return Sample(
            at_s=self._now,
            waiting=len(self._queue),
            in_flight=len(self._held),
            busy_cpus=(self._worked_s - worked_s) / step_s,
            running=len(self._workers),
            groups=len(self._held),
        )

    def _staying(self) -> list[Worker]:
        return [one for one in self._workers if not one.is_leaving]

    def _start(self) -> None:
        if len(self._staying()) < self._ordered:  # otherwise the launch was cancelled meanwhile
            self._join()

    def _let_go(self) -> None:
        """Stop surplus workers: they receive nothing more and end when their slots are empty."""
        for worker in self._staying()[self._ordered :]:
            worker.is_leaving = True
            self._with_room.remove(worker)
            if worker.free == self._design.slots:
                self._workers.remove(worker)
