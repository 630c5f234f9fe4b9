"""Tables of the scaling policies that were tried, from benchmarks/results/projections.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.report.rows import Figures, rows

#: The rates of the grid's bursts.
GRID_RATES = (10, 100)
CLEAR_AFTER = "clear after, s"


def grid(_: Figures, projected: Figures) -> Iterator[str]:
    yield from rows(
        (
            "CPU: every, cooldown, s",
            "backlog",
            "cooldown, s",
            *(f"{rate}/s: {what}" for rate in GRID_RATES for what in (CLEAR_AFTER, "task-hours")),
        ),
        (
            (
                f"{one['cpu_period_s']:.0f}, {one['cpu_cooldown_s']:.0f}"
                f"{' (deployed)' if one['is_deployed'] else ''}",
                f"{one['backlog']:.0f}",
                f"{one['backlog_cooldown_s']:.0f}",
                *grid_cells(one),
            )
            for one in by_time(projected["grid"])
        ),
    )


def keda_grid(_: Figures, projected: Figures) -> Iterator[str]:
    yield from rows(
        (
            "pods grow in 15 s, times",
            "`queueLength`",
            "1,000/s meet one pod: maximum",
            "longest wait, s",
            *(f"{rate}/s: {CLEAR_AFTER}" for rate in GRID_RATES),
        ),
        (
            (
                f"{one['times']:.0f}{' (deployed)' if one['is_deployed'] else ''}",
                f"{one['queue']:.0f}",
                one["cold_most"],
                f"{one['cold_longest_wait_s']:.0f}",
                *(f"{of['clear_after_s']:.0f}" for of in one["bursts"]),
            )
            for one in by_time(projected["keda_grid"])
        ),
    )


def by_time(tried: Sequence[Figures]) -> list[Figures]:
    """The policies that were *tried*, the fastest first."""
    return sorted(tried, key=lambda one: sum(of["clear_after_s"] for of in one["bursts"]))


def grid_cells(one: Figures) -> Iterator[str]:
    for of in one["bursts"]:
        yield f"{of['clear_after_s']:.0f}"
        yield f"{of['task_hours']:.0f}"
