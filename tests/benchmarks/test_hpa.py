"""The model of KEDA's triggers scales as Kubernetes says that its autoscaler does."""

from __future__ import annotations

from benchmarks.model.autoscaler import Sample
from benchmarks.model.hpa import Hpa, HpaPolicy

POLICY = HpaPolicy(
    cpu_target=70,
    queue_target=100,
    up_window_s=0,
    up_percent=100,
    up_period_s=15,
    down_window_s=60,
    down_percent=50,
    down_period_s=60,
)


class Pods:
    def __init__(self, policy: HpaPolicy = POLICY, *, size: int) -> None:
        self.hpa, self.size, self.at_s = Hpa(policy, 1.0, 1, 100), size, 0.0

    def looks(self, count: int, *, busy: float = 0.0, waiting: int = 0) -> list[int]:
        return [self._look(busy, waiting) for _ in range(count)]

    def _look(self, busy: float, waiting: int) -> int:
        self.at_s += self.hpa.step_s
        self.size = self.hpa.decide(
            Sample(self.at_s, waiting, 0, busy, self.size, waiting), self.size
        )
        return self.size


def test_a_queue_is_followed_at_once_by_at_most_twice_as_many_pods() -> None:
    assert Pods(size=10).looks(3, waiting=3500) == [20, 35, 35]


def test_growth_counts_from_the_fewest_pods_of_its_period() -> None:
    slow = HpaPolicy(**{**vars(POLICY), "up_percent": 300, "up_period_s": 30})

    assert Pods(slow, size=1).looks(4, waiting=10_000) == [4, 4, 16, 16]


def test_busy_cpus_keep_pods_that_have_no_queue() -> None:
    assert Pods(size=6).looks(40, busy=4.2) == [6] * 40


def test_a_tenth_more_or_less_changes_nothing() -> None:
    assert Pods(size=10).looks(20, busy=7.6) == [10] * 20
    assert Pods(size=10).looks(20, busy=6.4) == [10] * 20


def test_the_autoscaler_shrinks_to_the_maximum_of_its_window_and_by_half_a_minute() -> None:
    pods = Pods(size=40)
    pods.looks(1, waiting=4000)

    sizes = pods.looks(12, waiting=300)

    assert sizes[:4] == [40] * 4
    assert sizes[4] == 20
    assert sizes[-1] == 10


def test_growth_that_is_to_be_stable_waits_for_it() -> None:
    careful = HpaPolicy(**{**vars(POLICY), "up_window_s": 60})
    pods = Pods(careful, size=10)
    pods.looks(5, busy=7)

    assert pods.looks(4, busy=7, waiting=3500) == [10] * 4
    assert pods.looks(1, busy=7, waiting=3500) == [20]
