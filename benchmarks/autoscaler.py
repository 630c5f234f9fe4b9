"""Model of an autoscaler that reads queue depth and CPU once a minute, with delay.

Models two target tracking policies of Application Auto Scaling; the larger result counts. One
tracks messages per task, with the acceptable delay as its target. The other tracks CPU utilization,
which keeps a busy fleet without a backlog from shrinking.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Scaling:
    """The autoscaler's targets and delays."""

    #: Messages, waiting or in flight, that one worker processes in the acceptable delay.
    target_per_worker: float
    #: Busy CPUs of one worker at the target utilization.
    busy_cpus_per_worker: float
    smallest: int
    largest: int = 100_000
    #: CloudWatch gets the metrics of SQS once a minute.
    period_s: float = 60.0
    #: Delay until the policy sees a metric.
    delay_s: float = 60.0
    #: Consecutive periods that must agree. Target tracking uses 3 to grow and 15 to shrink.
    periods_to_grow: int = 3
    periods_to_shrink: int = 15
    #: Time from a launch request to the first poll.
    start_s: tuple[float, float] = (30.0, 60.0)
    #: Fargate's launch burst, and launches per second after it.
    launch_burst: int = 100
    launches_per_s: float = 20.0


class Policy:
    """Keeps past periods; call `decide` once per period."""

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self._wanted: list[int] = []

    def decide(self, in_system: int, busy_cpus: float, ordered: int) -> int:
        """The desired number of workers; *ordered* are running or starting."""
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
    """Limits worker launches with a token bucket, stored as the time until which it is empty.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._apart_s = 1 / scaling.launches_per_s
        self._booked_until = 0.0

    def polls_at(self, now: float, random: Random) -> float:
        """The time of the first poll of a worker ordered *now*."""
        ahead_s = (self._scaling.launch_burst - 1) * self._apart_s
        launched_at = max(now, self._booked_until - ahead_s)
        self._booked_until = max(self._booked_until, launched_at) + self._apart_s
        return launched_at + random.uniform(*self._scaling.start_s)
