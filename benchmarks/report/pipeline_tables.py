"""The Markdown tables of docs/benchmarks.md, from the measurements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from benchmarks.report.rows import Figures, rows

#: Subjects of benchmarks.pipeline.subjects, which needs the application; the plots do without.
OURS, TUTORIAL = "ours-auto", "tutorial"
RIVALS = (TUTORIAL, "node", "node-1-bit")


def machine(measured: Figures, _: Figures) -> Iterator[str]:
    of = measured["machine"]
    yield (
        f"{measured['taken_at'][:10]}, {of['cpus']} CPUs ({of['cpu']}), {of['system']}, Python "
        f"{of['python']}, load average before it {of['load_before']:.1f}; {measured['rounds']} "
        f"rounds, {measured['step_s']:g} s a rung, {measured['took_s'] / 60:.0f} minutes. A page "
        f"has {measured['page_bytes']:,} bytes and its result {measured['result_bytes']:,}. "
        f"{disturbance(measured)}"
    )


def disturbance(measured: Figures) -> str:
    """A sentence with the CPUs that other work used during the run."""
    seen = [
        rung["foreign_cpus"]
        for one in measured["subjects"].values()
        for rung in one["rungs"]
        if "foreign_cpus" in rung
    ]
    if not seen:
        return "CPU use of other work was not measured."
    if max(seen) < 0.05:
        return "Other work used under 0.05 CPUs."
    return f"Other work used {min(seen):.1f} to {max(seen):.1f} CPUs during the run."


def pipelines(measured: Figures, _: Figures) -> Iterator[str]:
    head = ("", "images/s sustained", "in a burst", "at half: p50, ms", "p95", "p99", "CPU ms")
    names = (*head, "images per CPU-second", "memory, MB")
    yield from rows(
        names,
        (
            (
                one["title"],
                f"{one['sustained_per_s']:.1f} ({each(one['sustained_each'])})",
                f"{one['burst_per_s']:.1f}",
                *latencies(one["half"]["latency_ms"]),
                f"{one['own_cpu_ms']:.0f}",
                f"{one['images_per_cpu_s']:.1f}",
                f"{memory_mb(one):.0f}",
            )
            for one in measured["subjects"].values()
        ),
    )


def each(rounds: Iterable[float]) -> str:
    return ", ".join(f"{one:.1f}" for one in rounds)


def latencies(of: Mapping[str, float]) -> Iterator[str]:
    return (f"{of[name]:.0f}" for name in ("p50", "p95", "p99"))


def goals(measured: Figures, _: Figures) -> Iterator[str]:
    """The goals for the default method."""
    of = measured["subjects"]
    figure, default = "images_per_cpu_s", of[OURS]
    others = (
        ("Flask + thread with Otsu", TUTORIAL, 1.2),
        ("`sqs-consumer` + `sharp`, 8 bits", "node", 2.5),
        ("the same, 1 bit a pixel", "node-1-bit", 2.5),
    )
    yield from rows(
        ("`auto`: images per CPU-second, as a multiple of", "goal", "measured"),
        (
            (title, f"{least:g}", f"{default[figure] / of[name][figure]:.2f}")
            for title, name, least in others
        ),
    )
    p95_ms = default["half"]["latency_ms"]["p95"]
    yield ""
    yield f"The p95 at half the sustained rate is {p95_ms:.0f} ms; the goal is 250 ms."


def components(measured: Figures, _: Figures) -> Iterator[str]:
    """Of our own subjects, as the others' processes are not ours to explain."""
    yield from rows(
        ("", "CPU ms per image"),
        (
            (one["title"], ", ".join(f"{name} {ms:.0f}" for name, ms in one["cpu_ms"].items()))
            for name, one in measured["subjects"].items()
            if name not in RIVALS
        ),
    )


def memory_mb(one: Figures) -> float:
    """The peak of the subject's own processes."""
    return float(sum(mb for name, mb in one["peak_rss_mb"].items() if name != "localstack"))


def overload(measured: Figures, _: Figures) -> Iterator[str]:
    head = ("", "offered/s", "accepted", "429, 503", "lost", "refused in: p50, ms", "p99")
    yield from rows(
        (*head, "processed/s", "drained after, s"),
        (
            (
                settings(one),
                f"{one['rate_per_s']:.0f}",
                one["accepted"],
                one["refused"],
                one["lost"] + one["unanswered"],
                *refusals(one["refusal_ms"]),
                f"{one['images_per_s_meanwhile']:.1f}",
                f"{one['drain_s']:.0f}",
            )
            for one in measured["overload"]
        ),
    )


def overload_title(measured: Figures, one: Figures) -> str:
    return f"{measured['subjects'][one['subject']]['title']}; {settings(one)}"


def settings(one: Figures) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in one["settings"].items()) or "defaults"


def refusals(of: Mapping[str, float]) -> tuple[str, str]:
    return (f"{of['p50']:.0f}", f"{of['p99']:.0f}") if of else ("", "")
