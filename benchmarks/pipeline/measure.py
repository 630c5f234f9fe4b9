"""Compare pipelines from upload to announcement: throughput, latency and CPU.

    ./.venv/bin/python -m benchmarks.pipeline [--rounds 2] [--step-s 4] [--only ours,node]
    ./.venv/bin/python -m benchmarks.model.projections
    ./.venv/bin/python -m benchmarks.report.plots

Needs what ./run_tests.sh installs, and Node with npm. Writes benchmarks/results/pipeline.json, from
which benchmarks/report/plots.py makes the tables of docs/benchmarks.md. Every start of a subject
gets a fresh LocalStack. open_loop.py uploads one clean A4 page (200 dpi, gray) repeatedly; a
latency runs from the upload's due time to its announcement.

A burst first finds each subject's maximum rate. Subjects then take turns in rounds, so that a slow
minute affects all of them, and climb the same ladder of shares of that rate. The sustained rate is
the rate at which the p95 is twice that of the lowest rung, interpolated; each figure is the median
of the rounds. Last come half of that rate, and three times that rate for a minute. This takes about
25 minutes on an idle machine; the CPU that other processes use is recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.image_processor import binarize_png
from app.png.limits import PngLimits
from app.settings import usable_cpus
from benchmarks.engine.text_pages import page
from benchmarks.pipeline.one_load import Figures, Seen, figures_of, percentiles_ms, put_under_load
from benchmarks.pipeline.subjects import Running, Subject, running, subjects
from benchmarks.report.pipeline_tables import OURS
from benchmarks.report.saved import RESULTS
from benchmarks.service.worker import A4_200_DPI_MEGAPIXELS

#: Shares of the burst's rate. The p95 of the lowest is the reference for the others.
LADDER = (0.2, 0.5, 0.75, 1.0, 1.2)
#: Uploads of a burst, and their rate, well over what two CPUs can process.
BURST, BURST_RATE = 60, 80.0
WARM_UP, WARM_UP_RATE = 20, 10.0
#: With fewer uploads the p95 would be the maximum.
MIN_UPLOADS = 20
#: The ladder ends at a rung whose p95 is this many times the lowest rung's.
HOPELESS = 6.0
DOUBLE = 2.0
OVERLOAD, OVERLOAD_S = 3.0, 60.0
COUNTS = ("offered", "accepted", "announced", "doubled", "statuses")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--step-s", type=float, default=4.0, help="seconds of a rung")
    parser.add_argument("--half-s", type=float, default=20.0, help="seconds at half the rate")
    parser.add_argument("--overload-s", type=float, default=OVERLOAD_S)
    parser.add_argument("--only", help="names of subjects, separated by commas")
    parser.add_argument("--out", type=Path, default=RESULTS / "pipeline.json")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    began_at = time.monotonic()
    with page_file() as png:
        results = measure_all(png, options)
    results["took_s"] = round(time.monotonic() - began_at)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{options.out} after {results['took_s']} s")


def measure_all(png: Path, options: argparse.Namespace) -> Figures:
    chosen = {
        name: subject
        for name, subject in subjects().items()
        if not options.only or name in options.only.split(",")
    }
    results: Figures = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "page_bytes": png.stat().st_size,
        "result_bytes": len(binarized(png)),
        "rounds": options.rounds,
        "step_s": options.step_s,
        "subjects": {name: {"title": one.title} for name, one in chosen.items()},
        "overload": [],
    }
    climb_in_rounds(chosen, png, options, results["subjects"])
    for name, subject in chosen.items():
        at_half(subject, png, results["subjects"][name], options.half_s)
    if OURS in chosen:
        sustained = results["subjects"][OURS]["sustained_per_s"]
        results["overload"] += overloads(OURS, chosen[OURS], png, sustained, options.overload_s)
    return results


def machine() -> Figures:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpus": usable_cpus(),
        "cpu": names[0] if names else platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def binarized(png: Path) -> bytes:
    data = png.read_bytes()
    return binarize_png(data, method="otsu", parameters={}, limits=PngLimits()).png


@contextmanager
def page_file() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(page(A4_200_DPI_MEGAPIXELS, is_noisy=False, is_rgb=False))
        file.flush()
        yield Path(file.name)


@contextmanager
def warm(subject: Subject, png: Path, **variables: str) -> Iterator[Running]:
    """*subject*, running and warmed up."""
    with running(subject, **variables) as one:
        put_under_load(one, png, WARM_UP_RATE, WARM_UP / WARM_UP_RATE)
        yield one


# --- the ladder ----------------------------------------------------------------------------------


def climb_in_rounds(
    chosen: Mapping[str, Subject], png: Path, options: argparse.Namespace, results: Figures
) -> None:
    rounds: dict[str, list[list[Figures]]] = {name: [] for name in chosen}
    for number in range(options.rounds):
        for name, subject in chosen.items():
            if number and subject.is_slow:
                continue
            with warm(subject, png) as one:
                if number == 0:
                    seen = put_under_load(one, png, BURST_RATE, BURST / BURST_RATE)
                    results[name]["burst_per_s"] = round(seen.images_per_s, 2)
                rungs = climb(one, png, results[name]["burst_per_s"], options.step_s)
                rounds[name].append(rungs)
                results[name]["peak_rss_mb"] = one.peak_rss_mb()
            print(f"round {number + 1}, {name}: {describe(rungs)}", flush=True)
    for name, ladders in rounds.items():
        results[name] |= summary(ladders)


def climb(subject: Running, png: Path, capacity: float, step_s: float) -> list[Figures]:
    """Measure rung by rung, until the p95 is too high."""
    rungs: list[Figures] = []
    for share in LADDER:
        rate = share * capacity
        seconds = max(step_s, MIN_UPLOADS / rate)
        rungs.append(figures_of(put_under_load(subject, png, rate, seconds), rate))
        if rungs[-1]["latency_ms"]["p95"] > HOPELESS * rungs[0]["latency_ms"]["p95"]:
            break
    return rungs


def describe(rungs: Sequence[Figures]) -> str:
    return ", ".join(f"{r['rate_per_s']:.1f}/s p95 {r['latency_ms']['p95']:.0f} ms" for r in rungs)


def summary(ladders: Sequence[Sequence[Figures]]) -> Figures:
    """The medians of the rounds per rung, and the figures derived from them."""
    # A round that ended earlier has no figures here; the rung counts as not sustained.
    most = max(map(len, ladders))
    reached = [[ladder[n] for ladder in ladders if len(ladder) > n] for n in range(most)]
    rungs = [median_of(rung) for rung in reached if len(rung) * 2 > len(ladders)]
    sustained = sustained_per_s(rungs)
    each = [round(sustained_per_s(ladder), 2) for ladder in ladders]
    return {"rungs": rungs, "sustained_per_s": round(sustained, 2), "sustained_each": each} | cost(
        rungs, sustained
    )


def median_of(same: Sequence[Any], name: str = "") -> Any:
    """The median of each figure; counts are summed."""
    if isinstance(same[0], dict):
        keys = {key: None for one in same for key in one}
        # Keys that are numbers are statuses, and their values are counts.
        return {
            key: median_of([one[key] for one in same if key in one], name if key.isdigit() else key)
            for key in keys
        }
    if name in COUNTS:
        return sum(same)
    return round(float(median(same)), 2)


def sustained_per_s(rungs: Sequence[Figures]) -> float:
    """The rate above which the p95 is over twice the lowest rung's, or the last rate tried."""
    # A rung over the limit, below a rung within it, shows a disturbance.
    limit_ms = DOUBLE * rungs[0]["latency_ms"]["p95"]
    for low, high in reversed([*pairwise(rungs)]):
        p95_low, p95_high = low["latency_ms"]["p95"], high["latency_ms"]["p95"]
        if p95_high <= limit_ms:
            return float(high["rate_per_s"])
        if p95_low <= limit_ms:
            share = (limit_ms - p95_low) / (p95_high - p95_low)
            return float(low["rate_per_s"] + share * (high["rate_per_s"] - low["rate_per_s"]))
    return float(rungs[0]["rate_per_s"])


def cost(rungs: Sequence[Figures], sustained: float) -> Figures:
    """CPU per image at the last sustained rung, and images per CPU-second of the subject."""
    held = [rung for rung in rungs if rung["rate_per_s"] <= sustained + 0.01]
    cpu_ms = held[-1]["cpu_ms"]
    own_ms = sum(ms for name, ms in cpu_ms.items() if name not in ("localstack", "clients"))
    return {
        "cpu_ms": cpu_ms,
        "aws_calls": held[-1]["aws_calls"],
        "own_cpu_ms": round(own_ms, 2),
        "images_per_cpu_s": round(1000 / own_ms, 2),
    }


# --- half, and three times -----------------------------------------------------------------------


def at_half(subject: Subject, png: Path, results: Figures, seconds: float) -> None:
    rate = results["sustained_per_s"] / 2
    with warm(subject, png) as one:
        seen = put_under_load(one, png, rate, max(seconds, MIN_UPLOADS / rate))
    results["half"] = figures_of(seen, rate)
    print(f"half, {subject.title}: {results['half']['latency_ms']}", flush=True)


def overloads(
    name: str, subject: Subject, png: Path, sustained: float, seconds: float
) -> Iterator[Figures]:
    """Three times *subject*'s sustained rate, with default settings and with limits."""
    two_seconds_of_work, rate = max(1, round(2 * sustained)), max(1, round(sustained))
    bounds: tuple[dict[str, str], ...] = (
        {},
        {"MAX_QUEUE_DEPTH": str(two_seconds_of_work)},
        {"RATE_LIMIT": f"{rate}/second"},
    )
    for variables in bounds:
        with warm(subject, png, **variables) as one:
            seen = put_under_load(one, png, OVERLOAD * sustained, seconds)
            memory = one.peak_rss_mb()
        figures = overload_figures(seen, OVERLOAD * sustained)
        print(f"overload, {name} {variables}: {figures['statuses']}", flush=True)
        yield {"subject": name, "settings": variables, "peak_rss_mb": memory} | figures


def overload_figures(seen: Seen, rate: float) -> Figures:
    answers = seen.load.answers
    began_at = answers[0].due_at
    ended_at = answers[-1].due_at
    refused = [a.answered_at - a.sent_at for a in answers if a.status in (429, 503)]
    last = max(seen.announced_at.values(), default=ended_at)
    during = [at for at in seen.announced_at.values() if at <= ended_at]
    return figures_of(seen, rate) | {
        "refused": len(refused),
        "refusal_ms": percentiles_ms(refused),
        "unanswered": sum(a.status == 0 for a in answers),
        "lost": len(seen.accepted) - len(seen.announced_at),
        "images_per_s_meanwhile": round(len(during) / (ended_at - began_at), 2),
        "drain_s": round(max(0.0, last - ended_at), 1),
        "by_second": by_second(seen, began_at, last),
    }


def by_second(seen: Seen, began_at: float, last: float) -> dict[str, list[int]]:
    """Uploads offered, accepted, refused and announced per second."""
    moments = {
        "offered": [a.due_at for a in seen.load.answers],
        "accepted": [a.answered_at for a in seen.accepted],
        "refused": [a.answered_at for a in seen.load.answers if a.status in (429, 503)],
        "announced": list(seen.announced_at.values()),
    }
    edges = np.arange(int(last - began_at) + 2)
    return {
        name: np.histogram(np.array(at) - began_at, edges)[0].tolist()
        for name, at in moments.items()
    }


if __name__ == "__main__":
    main()
