"""The model scales as Application Auto Scaling is documented to, and as the step policy says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.model.autoscaler import Sample
from benchmarks.model.target_tracking import BACKLOG, CPU, Scaling, ShrinkPolicy, TrackingPolicy

BY_CPU = TrackingPolicy(metric=CPU, target=70)
BY_BACKLOG = TrackingPolicy(metric=BACKLOG, target=100)
SHRINK = ShrinkPolicy(threshold=63, steps=((33, 0.5), (0, 0.1)), cooldown_s=120)
SMALLEST, LARGEST = 2, 50


class Fleet:
    """A fleet of which somebody says what it sees, minute by minute."""

    def __init__(self, scaling: Scaling, size: int) -> None:
        self.scaling, self.size, self.at_s = scaling, size, 0.0

    def minutes(
        self, count: int, *, busy: float = 0.0, waiting: int = 0, groups: int = 1000
    ) -> list[int]:
        """The size at the end of each of *count* minutes; *busy* are CPUs."""
        return [self._minute(busy, waiting, groups) for _ in range(count)]

    def _minute(self, busy: float, waiting: int, groups: int) -> int:
        for _ in range(12):
            self.at_s += 5
            sample = Sample(self.at_s, waiting, 0, busy, self.size, groups)
            self.size = self.scaling.decide(sample, self.size)
        return self.size


def fleet(*policies: TrackingPolicy, size: int) -> Fleet:
    return Fleet(Scaling(policies, SHRINK, 1.0, SMALLEST, LARGEST), size)


def test_it_grows_in_proportion_when_three_periods_that_it_has_seen_are_over_the_target() -> None:
    """Three minutes, and one until the last of them is seen."""
    assert fleet(BY_CPU, size=4).minutes(4, busy=4.0) == [4, 4, 4, 6]  # 4 * 100 / 70


def test_one_quiet_period_puts_the_growth_off() -> None:
    one = fleet(BY_CPU, size=4)

    one.minutes(2, busy=4.0)
    one.minutes(1, busy=1.0)
    assert one.minutes(3, busy=4.0) == [4, 4, 4]


def test_what_is_seen_every_twenty_seconds_is_answered_within_a_minute_and_a_half() -> None:
    quick = replace(BY_CPU, period_s=20.0, delay_s=20.0)

    assert fleet(quick, size=4).minutes(2, busy=4.0)[1] > 4


def test_it_shrinks_after_fifteen_idle_minutes_by_halves_and_not_below_the_smallest() -> None:
    sizes = fleet(BY_CPU, size=40).minutes(30, busy=0.1)

    assert sizes[:15] == [40] * 15
    assert sizes[15:] == [20, 20, 10, 10, 5, 5, 3, 3, 2, 2, 2, 2, 2, 2, 2]


def test_the_fleet_shrinks_by_a_tenth_if_half_would_be_too_much() -> None:
    """20 tasks, 11 of them busy: 58 % with one fewer."""
    sizes = fleet(BY_CPU, size=20).minutes(17, busy=11.0)

    assert sizes[15:] == [18, 18]


def test_a_fleet_that_one_fewer_would_make_busy_stays_as_it_is() -> None:
    """6 tasks at 61 %: five would be at 73 % and grow again."""
    assert fleet(BY_CPU, size=6).minutes(60, busy=3.64) == [6] * 60


def test_the_fleet_does_not_grow_again_after_shrinking() -> None:
    for busy in (1.3, 2.0, 3.1, 5.5, 9.9, 20.0):
        sizes = fleet(BY_CPU, size=40).minutes(120, busy=busy)

        assert sizes == sorted(sizes, reverse=True), busy
        assert busy / sizes[-1] <= 0.70


def test_two_tasks_do_not_become_one_that_is_too_busy() -> None:
    free = Fleet(Scaling((BY_CPU,), SHRINK, 1.0, 1, LARGEST), 2)

    assert free.minutes(60, busy=0.9) == [2] * 60
    assert free.minutes(60, busy=0.5)[-1] == 1
    assert free.minutes(60, busy=0.5)[-1] == 1


def test_busy_cpus_keep_tasks_that_have_no_backlog() -> None:
    assert fleet(BY_CPU, BY_BACKLOG, size=6).minutes(40, busy=4.1) == [6] * 40


def test_a_backlog_adds_what_it_needs_at_once() -> None:
    assert fleet(BY_CPU, BY_BACKLOG, size=2).minutes(4, busy=1.0, waiting=3000)[-1] == 30


def test_a_cooldown_counts_what_it_has_added_already() -> None:
    patient = replace(BY_BACKLOG, out_cooldown_s=600.0)
    one = fleet(patient, size=2)

    assert one.minutes(4, waiting=1000)[-1] == 10
    assert one.minutes(4, waiting=1000) == [10] * 4
    assert one.minutes(4, waiting=9000)[-1] > 10


def test_tasks_added_in_a_cooldown_do_not_count_twice() -> None:
    """Busy CPUs ask for 10 / 7 of what was there before the first growth, not of each later one."""
    quick = replace(BY_CPU, period_s=20.0, delay_s=20.0, out_cooldown_s=300.0)
    one = fleet(quick, BY_BACKLOG, size=7)

    assert one.minutes(3, busy=7.0, waiting=100)[-1] == 10
    assert one.minutes(4, busy=14.0, waiting=1400)[-1] == 14  # by the backlog
    assert one.minutes(1, busy=14.0, waiting=1400)[-1] == 14


@pytest.mark.parametrize(("is_shared", "size"), [(True, 14), (False, 20)])
def test_what_the_backlog_adds_may_or_may_not_begin_the_cooldown_of_the_cpu_policy(
    is_shared: bool, size: int
) -> None:
    """AWS does not say which; the backlog adds seven, and all CPUs are busy."""
    by_cpu = replace(BY_CPU, out_cooldown_s=900.0, delay_s=120.0)
    policies = by_cpu, replace(BY_BACKLOG, out_cooldown_s=900.0)
    one = Fleet(Scaling(policies, SHRINK, 1.0, 2, 50, is_cooldown_shared=is_shared), 7)

    assert one.minutes(4, busy=7.0, waiting=1400)[-1] == 14
    assert one.minutes(1, busy=14.0, waiting=1400)[-1] == size


def test_a_group_that_blocks_orders_no_workers_who_could_not_help() -> None:
    """50,000 pages of one document are one worker's work, and three others' are three's."""
    patient = replace(BY_BACKLOG, out_cooldown_s=180.0)
    sizes = fleet(BY_CPU, patient, size=2).minutes(60, busy=0.5, waiting=50_000, groups=4)

    assert max(sizes) == 4
    free = fleet(BY_CPU, patient, size=2).minutes(60, busy=0.5, waiting=50_000)
    assert max(free) == LARGEST


def test_the_fleet_stays_within_its_limits() -> None:
    one = fleet(BY_CPU, BY_BACKLOG, size=2)

    assert max(one.minutes(30, busy=50.0, waiting=10**9)) == LARGEST
    assert min(one.minutes(90)) == SMALLEST
