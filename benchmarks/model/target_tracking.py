"""Model of Application Auto Scaling's policies for the workers, with CloudWatch's delays.

Target tracking only adds tasks: after three periods over the target, the capacity is multiplied by
metric / target, and the larger result of the two policies counts. AWS does not document the size of
a scale-in, so a step policy with its own alarm removes tasks, after fifteen minutes in which one
task fewer would be less busy than the threshold.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html

The three periods and the delays are those of the alarms that AWS creates, and can change.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.model.autoscaler import Sample

CPU, BACKLOG = "cpu", "backlog"


@dataclass(frozen=True)
class TrackingPolicy:
    """One policy and the metric that it follows."""

    metric: str
    target: float
    out_cooldown_s: float = 60.0
    period_s: float = 60.0
    #: Time from the end of a period until the policy sees its value.
    delay_s: float = 60.0
    periods: int = 3


@dataclass(frozen=True)
class ShrinkPolicy:
    """Steps down while one task fewer would be less busy than *threshold* percent."""

    threshold: float
    #: For each step: its distance below the threshold, and the share of the tasks that it removes.
    steps: tuple[tuple[float, float], ...]
    cooldown_s: float = 120.0
    periods: int = 15
    period_s: float = 60.0
    delay_s: float = 60.0

    def share(self, busy: float) -> float:
        """The share of the tasks to remove when one task fewer would be *busy* percent."""
        return max(share for under, share in self.steps if busy < self.threshold - under)


class _Metric:
    """Values of one metric by period, each seen when CloudWatch has it."""

    def __init__(self, period_s: float, delay_s: float, kept: int) -> None:
        self._period_s, self._delay_s = period_s, delay_s
        self._period: list[tuple[Sample, int]] = []
        self._on_the_way: deque[tuple[float, float | None]] = deque()
        self.seen: deque[float | None] = deque(maxlen=kept)
        self.is_new = False

    def add(self, sample: Sample, ordered: int, value: Callable[[_Period], float | None]) -> None:
        self._period.append((sample, ordered))
        if sample.at_s % self._period_s == 0:
            self._on_the_way.append((sample.at_s + self._delay_s, value(_Period(self._period))))
            self._period = []
        self.is_new = False
        while self._on_the_way and self._on_the_way[0][0] <= sample.at_s:
            self.seen.append(self._on_the_way.popleft()[1])
            self.is_new = True

    @property
    def is_full(self) -> bool:
        return len(self.seen) == self.seen.maxlen


class _Period:
    """The averages of one period's samples."""

    def __init__(self, samples: list[tuple[Sample, int]]) -> None:
        count = len(samples)
        self.busy = sum(one.busy_cpus for one, _ in samples)
        self.running = sum(max(1, one.running) for one, _ in samples)
        self.waiting = sum(one.waiting for one, _ in samples) / count
        self.groups = sum(one.groups for one, _ in samples) / count
        self.desired = sum(ordered for _, ordered in samples) / count

    def cpu_percent(self, cpus: float) -> float:
        return 100 * self.busy / (self.running * cpus)

    def percent_with_one_fewer(self, cpus: float) -> float | None:
        """None, as CloudWatch has no value, where that would be no task at all."""
        if self.desired <= 1:
            return None
        return self.cpu_percent(cpus) * self.desired / (self.desired - 1)

    def backlog(self, target: float) -> float:
        return min(self.waiting, self.groups * target) / max(1.0, self.desired)


class _Cooldown:
    """The cooldown of a policy, in which its earlier additions count towards its next request."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began_at, self._from = -math.inf, 0

    def counted(self, now: float, ordered: int) -> int:
        """The capacity that a metric over its target is multiplied with."""
        return self._from if self._is_on(now) else ordered

    def grew(self, now: float, ordered: int) -> None:
        """Begin or extend the cooldown; the capacity before its first growth still counts."""
        self._from, self._began_at = self.counted(now, ordered), now

    def _is_on(self, now: float) -> bool:
        return now - self._began_at < self._seconds


class Scaling:
    """All policies of the workers' service."""

    step_s = 5.0

    def __init__(
        self,
        policies: tuple[TrackingPolicy, ...],
        shrink: ShrinkPolicy | None,
        cpus: float,
        smallest: int,
        largest: int,
        *,
        is_cooldown_shared: bool = True,
    ) -> None:
        self._cpus, self._smallest, self._largest = cpus, smallest, largest
        self._growing = [
            (one, _Metric(one.period_s, one.delay_s, one.periods), _Cooldown(one.out_cooldown_s))
            for one in policies
        ]
        #: Whether an addition by one policy begins the cooldown of the others: AWS does not say.
        self._is_cooldown_shared = is_cooldown_shared
        self._shrink = shrink
        self._low = _Metric(shrink.period_s, shrink.delay_s, shrink.periods) if shrink else None
        self._shrank_at = -math.inf

    def decide(self, sample: Sample, ordered: int) -> int:
        """The desired number of workers; *ordered* are running or starting."""
        asked = [self._out(*each, sample, ordered) for each in self._growing]
        shrunk = self._in(sample, ordered)
        if max(asked) > ordered:
            self._cool(asked, sample.at_s, ordered)
            return max(asked)
        if shrunk < ordered:
            self._shrank_at = sample.at_s
        return shrunk

    def _cool(self, asked: list[int], now: float, ordered: int) -> None:
        for (_, _, cooldown), count in zip(self._growing, asked, strict=True):
            if self._is_cooldown_shared or count > ordered:
                cooldown.grew(now, ordered)

    def _out(
        self,
        policy: TrackingPolicy,
        metric: _Metric,
        cooldown: _Cooldown,
        sample: Sample,
        ordered: int,
    ) -> int:
        metric.add(sample, ordered, lambda of: self._value(policy, of))
        seen = [value or 0.0 for value in metric.seen]
        if not metric.is_new or not metric.is_full or min(seen) <= policy.target:
            return ordered
        capacity = cooldown.counted(sample.at_s, ordered)
        wanted = math.ceil(round(capacity * seen[-1] / policy.target, 6))
        return min(max(wanted, ordered), self._largest)

    def _value(self, policy: TrackingPolicy, of: _Period) -> float:
        is_cpu = policy.metric == CPU
        return of.cpu_percent(self._cpus) if is_cpu else of.backlog(policy.target)

    def _in(self, sample: Sample, ordered: int) -> int:
        policy, metric = self._shrink, self._low
        if policy is None or metric is None:
            return ordered
        metric.add(sample, ordered, lambda of: of.percent_with_one_fewer(self._cpus))
        # A missing value does not count as low.
        seen = [math.inf if value is None else value for value in metric.seen]
        if not metric.is_new or not metric.is_full or max(seen) >= policy.threshold:
            return ordered
        if sample.at_s - self._shrank_at < policy.cooldown_s:
            return ordered
        fewer = max(1, math.floor(ordered * policy.share(seen[-1])))
        return max(self._smallest, ordered - fewer)
