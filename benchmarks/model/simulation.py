"""A queueing model of the pipeline, for rates beyond this machine.

Images arrive, pass the web servers, wait in a FIFO queue with a quota per partition, are processed
by workers with limited slots and CPUs, and are announced. An image that a worker holds also waits
for a CPU; this wait is counted separately. Images of one group are delivered one by one. The number
of workers changes: an autoscaler decides, starts take time, and a dead worker's images stay hidden
until their visibility timeout.

The model is one heap of events in plain Python, about ten events per image. A stage is CPU time,
first come first served, then a delay that occupies no CPU (a request to S3 or SQS, the linger of a
batch). docs/decisions/0021-open-loop-and-model.md lists what the model leaves out. The same seed
gives the same run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from benchmarks.model.arrivals import Draw
from benchmarks.model.autoscaler import Autoscaler, Launcher, Launches, Sample
from benchmarks.model.cpus import Cpus
from benchmarks.model.design import Design, Stage
from benchmarks.model.fifo import Fifo
from benchmarks.model.room import Room, Worker
from benchmarks.model.run import Picture, Run


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
        self._count, self._now, self._web = 0, 0.0, Cpus(design.web_cpus)
        self._partitions = [Cpus(1) for _ in range(design.partitions)]
        self._queue = Fifo(design)
        self._with_room, self._workers = Room(), list[Worker]()
        self._held: dict[Picture, None] = {}
        self._autoscaler, self._ordered = autoscaler, workers
        self._launcher = Launcher(launches or Launches())
        self._worked_s = self._serial_until = 0.0
        self.seen = Run()
        for _ in range(workers):
            self._join()

    def run(
        self,
        arrivals: Iterator[float],
        until_s: float,
        deaths: Sequence[float] = (),
        groups: Mapping[str, Iterator[float]] | None = None,
    ) -> Run:
        """Simulate up to *until_s*; at each of *deaths* a worker dies; *groups* arrive besides."""
        # An image of the group "" is its own.
        for group, times in {"": arrivals, **(groups or {})}.items():
            self._next_arrival(times, group)
        self._at(0.0, self._look)
        for at in deaths:
            self._at(at, self._die)
        if scaler := self._autoscaler:
            self._at(scaler.step_s, self._scale, scaler, 0.0)
        while self._events and self._events[0][0] <= until_s:
            self._now, _, action, arguments = heapq.heappop(self._events)
            action(*arguments)
        self.seen.waiting, self.seen.held = len(self._queue), len(self._held)
        return self.seen

    def _at(self, at: float, action: Callable[..., None], *arguments: object) -> None:
        self._count += 1  # events at the same time run in the order of scheduling
        heapq.heappush(self._events, (at, self._count, action, arguments))

    def _look(self) -> None:
        self.seen.look(self._now, len(self._queue), len(self._held), len(self._workers))
        self._at(self._now + 1.0, self._look)

    # --- an image --------------------------------------------------------------------------------

    def _next_arrival(self, times: Iterator[float], group: str) -> None:
        due_at = next(times, None)
        if due_at is not None:
            self._at(due_at, self._arrive, times, group)

    def _arrive(self, times: Iterator[float], group: str) -> None:
        self._next_arrival(times, group)
        if self._queue.is_full(group):
            self.seen.refused[group] += 1
            return
        self.seen.offered += 1
        self.seen.uploading += 1
        self._upload(Picture(self._now, group), 0)

    def _upload(self, picture: Picture, number: int) -> None:
        if number == len(self._design.upload):
            self._send(picture)
        else:
            done_at, _ = self._pass(self._web, self._design.upload[number])
            self._at(done_at, self._upload, picture, number + 1)

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

    def _enqueue(self, picture: Picture) -> None:
        picture.queued_at = self._now
        self.seen.uploading -= 1
        self._queue.add(picture)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._with_room and (picture := self._queue.take()):
            worker = self._with_room.any(self._random)
            picture.taken_at, picture.worker = self._now, worker
            self._held[picture] = None
            worker.free -= 1
            if not worker.free:
                self._with_room.remove(worker)
            self._work(picture, worker, 0)

    def _work(self, picture: Picture, worker: Worker, number: int) -> None:
        if worker.is_dead:
            return
        if number == len(self._design.work):
            picture.announced_at = picture.announced_at or self._now
        stages = (*self._design.work, *self._design.after)
        if number == len(stages):
            self._finish(picture, worker)
            return
        cpus = self._web if self._design.is_one_machine else worker.cpus
        done_at, cpu_wait_s = self._pass(cpus, stages[number])
        picture.cpu_wait_s += cpu_wait_s
        self._at(done_at, self._work, picture, worker, number + 1)

    def _finish(self, picture: Picture, worker: Worker) -> None:
        del self._held[picture]
        self.seen.announced.append(picture)
        self._queue.delete(picture)
        worker.free += 1
        if not worker.is_leaving:
            self._with_room.add(worker)
        elif worker.free == self._design.slots:
            self._workers.remove(worker)
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
        self._queue.add_again(picture)
        self._hand_out()

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
            groups=len(self._held),  # of each group one
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
