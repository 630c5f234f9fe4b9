"""The workers of the model of simulation.py, and those among them with free slots."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from benchmarks.model.cpus import Cpus


@dataclass(eq=False, slots=True)
class Worker:
    cpus: Cpus
    free: int
    #: Index in the list of workers with free slots, or -1.
    place: int = -1
    is_leaving: bool = False
    is_dead: bool = False


class Room:
    """The workers with free slots; each operation takes constant time."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def __bool__(self) -> bool:
        return bool(self._workers)

    def any(self, random: Random) -> Worker:
        return self._workers[random.randrange(len(self._workers))]

    def add(self, worker: Worker) -> None:
        if worker.place >= 0:
            return
        worker.place = len(self._workers)
        self._workers.append(worker)

    def remove(self, worker: Worker) -> None:
        if worker.place < 0:
            return
        last = self._workers.pop()
        if last is not worker:
            self._workers[worker.place] = last
            last.place = worker.place
        worker.place = -1
