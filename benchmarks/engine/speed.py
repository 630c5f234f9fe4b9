"""Time the engine from PNG bytes to PNG bytes, and other libraries at the same job.

    python -m benchmarks.engine.speed [--sizes 1,3.87,12,34.8] [--rounds 9] [--node-modules DIR]

Pages are drawn deterministically: clean (flat paper) and noisy (camera noise), gray and RGB. Every
round runs every contender once, so that other load affects all alike. Figures are medians of CPU
time on one thread. Also prints the CPU time of each step of `auto`, and what colour adds to it.
Pillow, pyvips and sharp take part if installed:

    pip install pillow 'pyvips[binary]'        npm install --prefix DIR sharp
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import steps
from benchmarks.engine.contenders import LIMITS, Job, Sharp, contenders, ours, ours_auto
from benchmarks.engine.text_pages import page
from testkit.root import ROOT


@dataclass(frozen=True)
class Score:
    time_ms: float
    size_bytes: int


def compare(data: bytes, sharp: Sharp | None, rounds: int) -> dict[str, Score]:
    """The median time and the size of the result of each contender."""
    path = Path(f"/tmp/engine-benchmark-{os.getpid()}.png")  # noqa: S108
    path.write_bytes(data)
    times: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for _ in range(rounds + 1):
        for name, job in contenders().items():
            started = time.process_time()
            sizes[name] = len(job(data))
            times.setdefault(name, []).append((time.process_time() - started) * 1000)
        if sharp:
            time_ms, sizes["sharp"] = sharp.run(path)
            times.setdefault("sharp", []).append(time_ms)
    path.unlink()
    # The first round warms up.
    return {name: Score(statistics.median(each[1:]), sizes[name]) for name, each in times.items()}


OURS = ("auto", "otsu", "without libraries")
PLAIN = ("OpenCV, Otsu", "OpenCV, 127")


def row(title: str, scores: dict[str, Score]) -> str:
    """A line of the table in docs/engine.md; the sizes are those of `otsu`."""
    others = {name: score for name, score in scores.items() if name not in OURS + PLAIN}
    fastest = min(others, key=lambda name: others[name].time_ms)
    eight_bits = min(s.size_bytes for n, s in others.items() if "1 bit" not in n)
    auto, otsu, plain = (scores[name] for name in ("auto", "otsu", "OpenCV, Otsu"))
    cells = [
        title,
        *(f"{scores[name].time_ms:.1f}" for name in OURS + PLAIN),
        f"{others[fastest].time_ms:.1f} ({fastest})",
        *(f"{plain.time_ms / each.time_ms:.1f}" for each in (auto, otsu)),
        f"{others[fastest].time_ms / otsu.time_ms:.1f}",
        f"{otsu.size_bytes / plain.size_bytes:.2f}",
        f"{otsu.size_bytes / eight_bits:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "page", *OURS, *PLAIN, "fastest other", "auto, times OpenCV", "otsu, times OpenCV",
    "otsu, times other", "size / OpenCV", "size / smallest 8-bit",
)  # fmt: skip


def report_threads(title: str, job: Job, data: bytes, jobs_each: int) -> None:
    """Compare two threads with one thread, and with two processes, which share no GIL.

    The first comparison needs two idle cores; the second is also valid on a busy machine.
    """
    seconds: dict[str, list[float]] = {"one": [], "two": [], "processes": []}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as crew:
        for _ in range(6):
            seconds["one"].append(_seconds_of_threads(job, data, 1, jobs_each))
            seconds["two"].append(_seconds_of_threads(job, data, 2, jobs_each))
            started = time.perf_counter()
            list(crew.map(_repeat, [job] * 2, [data] * 2, [jobs_each] * 2))
            seconds["processes"].append(time.perf_counter() - started)
    # The first round warms up.
    one, two, processes = (statistics.median(each[1:]) for each in seconds.values())
    print(f"| {title} | {2 * one / two:.2f} | {processes / two:.2f} |")


def _seconds_of_threads(job: Job, data: bytes, threads: int, jobs_each: int) -> float:
    crew = [threading.Thread(target=_repeat, args=(job, data, jobs_each)) for _ in range(threads)]
    started = time.perf_counter()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return time.perf_counter() - started


def _repeat(job: Job, data: bytes, times: int) -> None:
    for _ in range(times):
        job(data)


PEAK_MEMORY = """
import re, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from app.image_processor import binarize_png
from app.png.limits import PngLimits
from benchmarks.engine import steps

def peak_mb():
    # ru_maxrss would start with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+([0-9]+) kB", status)[1]) / 1000

data = sys.stdin.buffer.read()
before_mb = peak_mb()
binarize_png(data, method="auto", parameters={{}}, limits=PngLimits(max_bytes=100_000_000))
print(before_mb, peak_mb())
"""


def report_memory(title: str, data: bytes, pixels: int) -> None:
    """Print the peak memory of a fresh process before and after one job (Linux)."""
    code = PEAK_MEMORY.format(root=str(ROOT))
    run = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    before_mb, peak_mb = map(float, run.stdout.split())
    bytes_per_pixel = (peak_mb - before_mb) * 1e6 / pixels
    print(
        f"| {title} | {before_mb:.0f} | {peak_mb:.0f} | {peak_mb - before_mb:.0f} "
        f"| {bytes_per_pixel:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", default="1,3.87,12,34.8", help="megapixels, separated by commas")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--node-modules", type=Path, help="a folder with sharp in it")
    arguments = parser.parse_args()
    node = shutil.which("node")
    sharp = Sharp(node, arguments.node_modules) if node and arguments.node_modules else None
    if sharp is None:
        print("sharp is not measured: no node, or no --node-modules.")
    pages = {}
    for megapixels in map(float, arguments.sizes.split(",")):
        for is_noisy in (False, True):
            for is_rgb in (False, True):
                kind = f"{'noisy' if is_noisy else 'clean'} {'RGB' if is_rgb else 'gray'}"
                data = page(megapixels, is_noisy=is_noisy, is_rgb=is_rgb)
                pages[f"{megapixels:g} MP, {kind}"] = (megapixels, data)
    print(f"\n### CPU ms\n\n| {' | '.join(HEAD)} |\n|---{'|---:' * (len(HEAD) - 1)}|")
    for title, (_, data) in pages.items():
        print(row(title, compare(data, sharp, arguments.rounds)), flush=True)
    steps.report({title: data for title, (_, data) in pages.items()}, LIMITS)
    print("\n### Two threads do as many jobs as ...\n")
    print("| | one thread, times | two processes, times |\n|---|---:|---:|")
    for title, (megapixels, data) in pages.items():
        for job in (ours, ours_auto):
            report_threads(f"{title}, {job.__name__}", job, data, max(2, round(48 / megapixels)))
    print(
        "\n### Memory\n\n| | MB before | MB peak | MB a job | bytes a pixel |"
        "\n|---|---:|---:|---:|---:|"
    )
    for title, (megapixels, data) in pages.items():
        report_memory(title, data, round(megapixels * 1e6))


if __name__ == "__main__":
    main()
