"""Model of KEDA's two triggers: the algorithm of Kubernetes' horizontal autoscaler.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
The metrics server's CPU is that of the last half minute; the queue is asked at every look.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from benchmarks.model.autoscaler import Sample

#: Kubernetes' defaults: seconds between two looks, and the share by which a metric may be off.
SYNC_S, TOLERANCE = 15.0, 0.1
#: Looks over which the CPU is averaged.
_CPU_LOOKS = 2


@dataclass(frozen=True)
class HpaPolicy:
    """The fields of deploy/kubernetes/base/scaling.yaml."""

    cpu_target: float
    queue_target: float
    up_window_s: float
    up_percent: float
    up_period_s: float
    down_window_s: float
    down_percent: float
    down_period_s: float


class Hpa:
    """One horizontal autoscaler with the triggers `cpu` and `aws-sqs-queue`."""

    step_s = SYNC_S

    def __init__(self, policy: HpaPolicy, cpus: float, smallest: int, largest: int) -> None:
        self._policy, self._cpus = policy, cpus
        self._smallest, self._largest = smallest, largest
        self._busy: deque[float] = deque(maxlen=_CPU_LOOKS)
        self._asked: deque[tuple[float, int]] = deque()
        self._were: deque[tuple[float, int]] = deque()

    def decide(self, sample: Sample, ordered: int) -> int:
        """The desired number of workers; *ordered* are running or starting."""
        asked = max(self._by_cpu(sample, ordered), self._by_queue(sample, ordered))
        asked = min(max(asked, self._smallest), self._largest)
        self._remember(sample.at_s, asked, ordered)
        now, policy = sample.at_s, self._policy
        up = min(n for at, n in self._asked if at > now - policy.up_window_s - SYNC_S)
        down = max(n for at, n in self._asked if at > now - policy.down_window_s - SYNC_S)
        if up > ordered:
            return max(ordered, min(up, self._most(now)))
        return max(down, self._least(now, ordered)) if down < ordered else ordered

    def _remember(self, now: float, asked: int, ordered: int) -> None:
        self._asked.append((now, asked))
        self._were.append((now, ordered))
        policy = self._policy
        longest_s = max(policy.down_window_s, policy.down_period_s, policy.up_period_s) + 2 * SYNC_S
        while self._asked[0][0] < now - longest_s:
            self._asked.popleft()
            self._were.popleft()

    def _most(self, now: float) -> int:
        before = min(n for at, n in self._were if at > now - self._policy.up_period_s)
        return math.ceil(before * (1 + self._policy.up_percent / 100))

    def _least(self, now: float, ordered: int) -> int:
        before = max(n for at, n in self._were if at >= now - self._policy.down_period_s)
        return min(ordered, math.ceil(before * (1 - self._policy.down_percent / 100)))

    def _by_cpu(self, sample: Sample, ordered: int) -> int:
        self._busy.append(sample.busy_cpus)
        # A pod that is starting counts as idle, so that it is not ordered again.
        ratio = sum(self._busy) / len(self._busy) / (ordered * self._cpus)
        return self._wanted(ratio / (self._policy.cpu_target / 100), ordered)

    def _by_queue(self, sample: Sample, ordered: int) -> int:
        total = sample.waiting + sample.in_flight
        return self._wanted(total / self._policy.queue_target / ordered, ordered)

    @staticmethod
    def _wanted(ratio: float, ordered: int) -> int:
        if abs(ratio - 1) <= TOLERANCE:
            return ordered
        return math.ceil(round(ratio * ordered, 6))
