"""The interface of the autoscaler models, and the speed at which Fargate launches tasks."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

#: Fargate's launch limit of one account.
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
LAUNCH_BURST, LAUNCHES_PER_S = 100, 20.0


@dataclass(frozen=True)
class Sample:
    """The state of the fleet at *at_s*; CPUs are the average since the last sample."""

    at_s: float
    waiting: int
    in_flight: int
    busy_cpus: float
    running: int
    #: Groups in progress; each image is a group of its own unless clients name groups.
    groups: int


class Autoscaler(Protocol):
    """Decides the number of workers."""

    #: Seconds between two samples.
    step_s: float

    def decide(self, sample: Sample, ordered: int) -> int:
        """The desired number of workers; *ordered* are running or starting."""
        ...


@dataclass(frozen=True)
class Launches:
    """Time from a launch to the first poll, and the account's limit, or a share of it."""

    start_s: tuple[float, float] = (30.0, 60.0)
    burst: int = LAUNCH_BURST
    per_s: float = LAUNCHES_PER_S


class Launcher:
    """Limits worker launches with a token bucket, stored as the time until which it is empty."""

    def __init__(self, launches: Launches) -> None:
        self._launches = launches
        self._apart_s = 1 / launches.per_s
        self._booked_until = 0.0

    def polls_at(self, now: float, random: Random) -> float:
        """The time of the first poll of a worker ordered *now*."""
        ahead_s = (self._launches.burst - 1) * self._apart_s
        launched_at = max(now, self._booked_until - ahead_s)
        self._booked_until = max(self._booked_until, launched_at) + self._apart_s
        return launched_at + random.uniform(*self._launches.start_s)
