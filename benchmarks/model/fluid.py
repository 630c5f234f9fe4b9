"""A model of the fleet in steps of a second, for rates that take simulation.py too long.

The images of a second are one number: arriving, processed by the running workers, left over. Delays
under a second, and the wait for a CPU inside a worker, are only in simulation.py; a test compares
the two models at rates that both can run.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np

from benchmarks.model.autoscaler import Autoscaler, Launcher, Launches, Sample
from benchmarks.model.cost import Usage
from benchmarks.model.deployed import Sizes

#: Images a second at a time, in seconds.
RateAt = Callable[[float], float]
#: Standard deviation of an image's CPU, as a share of its mean.
SPREAD = 0.3


@dataclass
class FluidRun:
    """The observations of each second, and the times at which the fleet changed its size."""

    waiting: list[int] = field(default_factory=list)
    workers: list[int] = field(default_factory=list)
    #: The wait in seconds of the images taken in each second, and their number.
    waits: list[tuple[int, int, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def changes_after(self, from_s: float) -> int:
        return sum(at >= from_s for at, _ in self.changes)

    @property
    def settled_at_s(self) -> float:
        """The time at which the fleet last changed its size."""
        return self.changes[-1][0] if self.changes else 0.0

    def wait_s(self, percent: float, from_s: float = 0.0) -> float:
        """A percentile of the waits of the images that were taken after *from_s*."""
        of = np.array([(wait, count) for at, wait, count in self.waits if at >= from_s])
        order = np.argsort(of[:, 0])
        total = np.cumsum(of[order, 1])
        return float(of[order][np.searchsorted(total, percent / 100 * total[-1]), 0])

    def clear_after_s(self, from_s: float, few: int) -> int:
        """Seconds from *from_s* until at most *few* images wait, and never more again."""
        late = np.nonzero(np.array(self.waiting) > few)[0]
        return max(0, int(late[-1] - from_s)) if len(late) else 0

    @property
    def worker_hours(self) -> float:
        return sum(self.workers) / 3600


class Fluid:
    """One run of a fleet; call `run` once."""

    def __init__(
        self,
        usage: Usage,
        sizes: Sizes,
        autoscaler: Autoscaler,
        launches: Launches | None = None,
        *,
        seed: int = 1,
        is_even: bool = False,
    ) -> None:
        self._usage, self._sizes, self._autoscaler = usage, sizes, autoscaler
        self._launcher, self._random = Launcher(launches or Launches()), Random(seed)
        self._numbers = np.random.default_rng(seed)
        #: Whether images arrive evenly; otherwise they are Poisson arrivals.
        self._is_even, self._due = is_even, 0.0
        self._running = self._ordered = sizes.smallest
        self._starting: list[float] = []
        self._queue: deque[list[int]] = deque()
        self._waiting, self._spare, self._busy_s = 0, 0.0, 0.0
        self._in_flight = 0
        self.seen = FluidRun()

    def run(self, rate_at: RateAt, seconds: int) -> FluidRun:
        for second in range(seconds):
            self._start(second)
            self._arrive(second, rate_at)
            self._work(second)
            if second % self._autoscaler.step_s == 0:
                self._scale(float(second))
            self.seen.waiting.append(self._waiting)
            self.seen.workers.append(self._running)
        return self.seen

    def _start(self, second: int) -> None:
        while self._starting and self._starting[0] <= second:
            heapq.heappop(self._starting)
            self._running = min(self._running + 1, self._ordered)

    def _arrive(self, second: int, rate_at: RateAt) -> None:
        count = self._count(rate_at(float(second)))
        self._queue.append([second, count])
        self._waiting += count

    def _count(self, rate: float) -> int:
        if not self._is_even:
            return int(self._numbers.poisson(rate))
        self._due += rate
        count = int(self._due)
        self._due -= count
        return count

    def _work(self, second: int) -> None:
        """Take as many images as the workers' CPUs, or their slots, allow in a second."""
        cpu_s, slots = self._usage.worker_cpu_s, self._sizes.slots
        by_worker = min(self._sizes.cpus / cpu_s, slots / self._usage.held_s)
        self._spare = min(self._spare, by_worker * self._running) + by_worker * self._running
        taken = min(self._waiting, int(self._spare))
        self._spare -= taken
        self._waiting -= taken
        # While images wait, every slot is in use.
        held = self._running * slots if self._waiting else taken * self._usage.held_s
        self._in_flight = round(held)
        noise = 1 + SPREAD * self._random.gauss(0, 1) / max(1, taken) ** 0.5
        self._busy_s += min(taken * cpu_s * noise, self._running * self._sizes.cpus)
        self._hand_out(second, taken)

    def _hand_out(self, second: int, taken: int) -> None:
        while taken:
            came, count = self._queue[0]
            some = min(count, taken)
            taken -= some
            if some:
                self.seen.waits.append((second, second - came, some))
            if some == count:
                self._queue.popleft()
            else:
                self._queue[0][1] -= some

    def _scale(self, now: float) -> None:
        busy_cpus, self._busy_s = self._busy_s / self._autoscaler.step_s, 0.0
        sample = Sample(
            at_s=now,
            waiting=self._waiting,
            in_flight=self._in_flight,
            busy_cpus=busy_cpus,
            running=self._running,
            groups=self._in_flight,
        )
        wanted = self._autoscaler.decide(sample, self._ordered)
        if wanted != self._ordered:
            self.seen.changes.append((now, wanted))
        for _ in range(wanted - self._ordered):
            heapq.heappush(self._starting, self._launcher.polls_at(now, self._random))
        self._ordered = wanted
        self._running = min(self._running, wanted)
