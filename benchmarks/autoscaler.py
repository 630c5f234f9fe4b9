"""How many workers an autoscaler orders that looks at queue and CPUs, late and once a minute.

Two target tracking policies of Application Auto Scaling, of which the larger wish counts: the
messages for each task, with the delay that is acceptable as its target, and CPU utilization, which
alone can hold a fleet that has no backlog.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Scaling:
    """What the autoscaler aims at, and how late it is."""

    #: Messages in the system, waiting or held: what a worker does in the delay that is acceptable.
    target_per_worker: float
    #: CPUs of one worker that are busy when it is as busy as it should be.
    busy_cpus_per_worker: float
    smallest: int
    largest: int = 100_000
    #: CloudWatch gets the metrics of SQS once a minute.
    period_s: float = 60.0
    #: From the moment that a metric is of to the moment that the policy has it.
    delay_s: float = 60.0
    #: Periods in a row that have to agree: 3 to grow and 15 to shrink are target tracking's.
    periods_to_grow: int = 3
    periods_to_shrink: int = 15
    #: From the order to the first poll.
    start_s: tuple[float, float] = (30.0, 60.0)
    #: Fargate starts so many at once, and so many a second after that.
    launch_burst: int = 100
    launches_per_s: float = 20.0


class Policy:
    """Remembers what it has seen; `decide` once for each period."""

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self._wanted: list[int] = []

    def decide(self, in_system: int, busy_cpus: float, ordered: int) -> int:
        """How many workers there should be, of which *ordered* are there or on their way."""
        scaling = self.scaling
        wanted = max(
            math.ceil(in_system / scaling.target_per_worker),
            math.ceil(busy_cpus / scaling.busy_cpus_per_worker),
        )
        self._wanted.append(min(max(wanted, scaling.smallest), scaling.largest))
        recent = self._wanted[-scaling.periods_to_grow :]
        if len(recent) == scaling.periods_to_grow and min(recent) > ordered:
            return recent[-1]
        recent = self._wanted[-scaling.periods_to_shrink :]
        if len(recent) == scaling.periods_to_shrink and max(recent) < ordered:
            return max(recent)
        return ordered


class Launcher:
    """Starts workers no faster than allowed: a bucket of tokens, as a time until which it is empty.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._apart_s = 1 / scaling.launches_per_s
        self._booked_until = 0.0

    def polls_at(self, now: float, random: Random) -> float:
        """When a worker that is ordered *now* polls for the first time."""
        ahead_s = (self._scaling.launch_burst - 1) * self._apart_s
        launched_at = max(now, self._booked_until - ahead_s)
        self._booked_until = max(self._booked_until, launched_at) + self._apart_s
        return launched_at + random.uniform(*self._scaling.start_s)
