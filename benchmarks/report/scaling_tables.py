"""The Markdown tables of docs/scaling.md, from the projections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.report.rows import Figures, rows

#: Above these rates, fleets are cells of the larger one: a cost or a latency is the same.
DIFFERENT = (10, 1_000)


def model(_: Figures, projected: Figures) -> Iterator[str]:
    of = projected["validation"]
    yield (
        f"Maximum of this machine in a burst: measured {of['measured_most_per_s']:.1f} images/s, "
        f"model {of['model_most_per_s']:.1f} images/s."
    )


def of_rates(of: Mapping[str, Mapping[str, float]], rows_of: Mapping[str, str]) -> Iterator[str]:
    yield from rows(
        ("images/s", *(f"{int(rate):,}" for rate in of)),
        (
            (title, *(count(one[key], is_share="quota" in key) for one in of.values()))
            for key, title in rows_of.items()
        ),
    )


def count(value: float, *, is_share: bool) -> str:
    if is_share:
        return f"{value:.0%}" if value >= 0.01 else f"{value:.2%}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


DEMAND_ROWS = {
    "s3 puts": "S3 PUT/s, both buckets",
    "s3 prefixes": "partitioned prefixes per bucket",
    "sqs calls": "SQS calls/s, both queues",
    "sqs quota": "busiest action, share of its quota",
    "in flight": "messages in flight",
    "gbit/s": "network, Gbit/s",
    "vcpus": "vCPU",
    "vcpus of otsu": "vCPU with `otsu`",
}


def demand(_: Figures, projected: Figures) -> Iterator[str]:
    by_method = projected["demand"]
    both = {
        rate: {**of, "vcpus of otsu": by_method["otsu"][rate]["vcpus"]}
        for rate, of in by_method["auto"].items()
    }
    yield from of_rates(both, DEMAND_ROWS)


def cost(_: Figures, projected: Figures) -> Iterator[str]:
    columns = {
        f"`{method}`, {int(rate):,}/s": parts
        for method, of in projected["cost"].items()
        for rate, parts in of.items()
        if int(rate) in DIFFERENT
    }
    names = list(next(iter(columns.values())))
    large = [name for name in names if any(parts[name] >= 1 for parts in columns.values())]
    body = [(name, *(f"{parts[name]:.2f}" for parts in columns.values())) for name in large]
    small = [name for name in names if name not in large]
    sums = (sum(parts[name] for name in small) for parts in columns.values())
    body.append((", ".join(small), *(f"{cost:.2f}" for cost in sums)))
    total = ("total", *(f"{sum(parts.values()):.2f}" for parts in columns.values()))
    yield from rows(("US dollars per million images", *columns), [*body, total])


def usage(_: Figures, projected: Figures) -> Iterator[str]:
    of = projected["usage"]
    yield from rows(
        ("per image", *(f"`{method}`" for method in of)),
        (
            ("CPU of `web`, ms", *(f"{1000 * one['web_cpu_s']:.1f}" for one in of.values())),
            ("CPU of `worker`, ms", *(f"{1000 * one['worker_cpu_s']:.1f}" for one in of.values())),
            ("held by a worker, ms", *(f"{1000 * one['held_s']:.0f}" for one in of.values())),
            ("SQS calls", *(f"{sum(one['sqs_calls'].values()):.2f}" for one in of.values())),
        ),
    )


def steady(_: Figures, projected: Figures) -> Iterator[str]:
    seen = [one["latency_ms"] for one in projected["steady"]]
    spans = [
        f"{name} {min(ms):.0f} to {max(ms):.0f} ms"
        for name, ms in zip(("p50", "p95", "p99"), zip(*seen, strict=True), strict=True)
    ]
    yield f"From upload to announcement it takes {', '.join(spans)}."


def constant(_: Figures, projected: Figures) -> Iterator[str]:
    yield from rows(
        (
            "images/s",
            "fleet",
            "tasks",
            "changes an hour",
            "wait p95, s",
            "from one task: maximum",
            "longest wait, s",
            "last change, min",
        ),
        (
            (
                f"{one['rate']:,}",
                "KEDA" if of == "keda" else f"ECS, {parameters(one['parameters'])}",
                one[of]["tasks"],
                one[of]["changes"],
                f"{one[of]['wait_p95_s']:.0f}",
                f"{one[of]['cold_most']:,}",
                f"{one[of]['cold_longest_wait_s']:.0f}",
                one[of]["cold_settled_min"],
            )
            for one in projected["constant"]
            for of in ("ecs", "keda")
        ),
    )


def parameters(of: int | None) -> str:
    return f"`rates/{of}.json`" if of else "defaults"


def burst_cells(one: Figures) -> tuple[str, ...]:
    return (
        f"{one['most_waiting']:,}",
        f"{one['most_tasks']:,}",
        f"{one['p95_wait_s']:.0f}",
        f"{one['longest_wait_s']:.0f}",
        f"{one['clear_after_s'] / 60:.0f}",
    )


BURST_HEAD = (
    "maximum waiting",
    "maximum tasks",
    "wait p95, s",
    "longest wait, s",
    "clear after, min",
)


def bursts(_: Figures, projected: Figures) -> Iterator[str]:
    deployed = [("ECS", one, f"{one['vcpus']:.0f}") for one in projected["bursts"]]
    keda = [("KEDA", one, "1") for one in projected["keda"]]
    yield from rows(
        ("", "images/s before", "tasks before", "vCPU each", *BURST_HEAD),
        (
            (where, f"{one['rate']:,}", f"{one['tasks_before']:,}", cpus, *burst_cells(one))
            for where, one, cpus in (*deployed, *keda)
        ),
    )


def sensitivity(_: Figures, projected: Figures) -> Iterator[str]:
    seen = [f"{one['change']} {one['longest_wait_s']:.0f}" for one in projected["sensitivity"]]
    yield f"The longest wait, in seconds: {'; '.join(seen)}."


def slots(_: Figures, projected: Figures) -> Iterator[str]:
    seen = [f"{one['most_per_s']:.0f} with {one['per_cpu']} per CPU" for one in projected["slots"]]
    yield f"Most images/s of a task of 2 vCPU, with `otsu`: {', '.join(seen)}."


def day(_: Figures, projected: Figures) -> Iterator[str]:
    of = projected["day"]
    yield (
        f"From {of['lowest_per_s']:.0f} to {of['highest_per_s']:.0f} images/s and back in six "
        f"hours the autoscaler takes {of['task_hours']:.0f} task-hours, a fleet for the "
        f"peak {of['task_hours_for_the_peak']:.0f}; the longest wait is {of['wait_s'][2]:.0f} s."
    )


def fairness(_: Figures, projected: Figures) -> Iterator[str]:
    yield from rows(
        (
            "the nine others",
            "p50, ms",
            "p95, ms",
            "refused",
            "maximum waiting",
            "maximum tasks",
            "a page waits, s",
        ),
        (
            (
                one["title"],
                *(f"{ms:.0f}" for ms in one["others_ms"]),
                f"{one['others_refused']:,}",
                f"{one['most_waiting']:,}",
                one["most_tasks"],
                f"{one['longest_wait_s']:.0f}",
            )
            for one in projected["fairness"]
        ),
    )


def nat(_: Figures, projected: Figures) -> Iterator[str]:
    yield (
        f"S3 through a NAT gateway instead of its endpoint would cost another "
        f"{projected['through_nat']:.2f} US dollars, uploads that all wait for their result "
        f"(`Prefer: wait`) {projected['waiting']:.2f}."
    )
