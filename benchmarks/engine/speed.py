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
import importlib.util
import io
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testkit.root import ROOT

os.environ["VIPS_CONCURRENCY"] = "1"

import cv2
import numpy as np

from app.image_processor import binarize_png
from app.png import zlibs
from app.png.limits import PngLimits
from benchmarks.engine import steps

cv2.setNumThreads(1)
#: A noisy RGB page of 35 megapixels takes 64 MB.
LIMITS = PngLimits(max_bytes=100_000_000)
A4_RATIO = 2**0.5
#: A4 at 200 dpi is 1654 pixels wide.
A4_200_DPI_WIDTH_PX = 1654
PAPER, INK = 255, 30
NOISE_DEVIATION = 4
SENTENCE = "the quick brown fox jumps over the lazy dog 0123456789 and then goes home"
#: bytes of a PNG -> bytes of a PNG
Job = Callable[[bytes], bytes]


# --- pages -----------------------------------------------------------------------


def page(megapixels: float, *, is_noisy: bool, is_rgb: bool) -> bytes:
    """An A4 page of text as a PNG with Pillow's defaults, which are libpng's."""
    from PIL import Image

    height = round((megapixels * 1e6 * A4_RATIO) ** 0.5)
    pixels = drawn_text(round(height / A4_RATIO), height)
    if is_rgb:  # slightly warm paper, as in scans
        pixels = np.clip(pixels[..., np.newaxis] - np.array([0, 3, 9]), 0, 255)
    if is_noisy:
        noise = np.random.default_rng(1).normal(0, NOISE_DEVIATION, pixels.shape)
        pixels = np.clip(pixels * (238 / PAPER) + noise, 0, 255)
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG", dpi=(200, 200))
    return out.getvalue()


def drawn_text(width: int, height: int) -> Any:
    """Lines of text with margins and paragraphs; the letters grow with the page."""
    scale = width / A4_200_DPI_WIDTH_PX
    words = np.random.default_rng(1).permutation(SENTENCE.split() * 200).tolist()
    pixels = np.full((height, width), PAPER, np.uint8)
    margin, line_height = round(120 * scale), round(36 * scale)
    for number, y in enumerate(range(2 * margin, height - margin, line_height)):
        if number % 9 == 8:
            continue
        line = " ".join(words.pop() for _ in range(11))
        place, thickness = (margin, y), max(1, round(2 * scale))
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(pixels, line, place, font, 0.75 * scale, INK, thickness, cv2.LINE_AA)
    return pixels


# --- contenders ------------------------------------------------------------------


def ours(data: bytes) -> bytes:
    return binarize_png(data, method="otsu", parameters={}, limits=LIMITS).png


def ours_auto(data: bytes) -> bytes:
    return binarize_png(data, method="auto", parameters={}, limits=LIMITS).png


def ours_alone(data: bytes) -> bytes:
    """The engine's result without isal and zlib-ng."""
    with without_libraries():
        return ours(data)


def plain_opencv(data: bytes, flags: int = cv2.THRESH_BINARY) -> bytes:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    _, white = cv2.threshold(gray, 127, 255, flags)
    return cv2.imencode(".png", white)[1].tobytes()


def plain_opencv_otsu(data: bytes) -> bytes:
    return plain_opencv(data, cv2.THRESH_BINARY | cv2.THRESH_OTSU)


def pillow(data: bytes, mode: str = "L") -> bytes:
    from PIL import Image

    white = Image.open(io.BytesIO(data)).convert("L").point(_WHITE_OVER_127, mode)
    out = io.BytesIO()
    white.save(out, "PNG")
    return out.getvalue()


_WHITE_OVER_127 = [255 * (value > 127) for value in range(256)]


def pillow_1_bit(data: bytes) -> bytes:
    return pillow(data, "1")


def pyvips(data: bytes, **options: int) -> bytes:
    import pyvips

    image = pyvips.Image.new_from_buffer(data, "", access="sequential").colourspace("b-w")
    written: bytes = (image > 127).pngsave_buffer(**options)
    return written


def pyvips_1_bit(data: bytes) -> bytes:
    return pyvips(data, bitdepth=1)


class Sharp:
    """sharp in a Node process that times itself; call it with a path."""

    SCRIPT = """
    const sharp = require('sharp'), fs = require('fs');
    sharp.concurrency(1); sharp.cache(false);
    require('readline').createInterface({input: process.stdin}).on('line', async (path) => {
      const data = fs.readFileSync(path), start = process.cpuUsage();
      const white = sharp(data).grayscale().threshold(128).toColourspace('b-w');
      const out = await white.png().toBuffer(), spent = process.cpuUsage(start);
      console.log(JSON.stringify([(spent.user + spent.system) / 1000, out.length]));
    });"""

    def __init__(self, node: str, modules: Path) -> None:
        environment = {**os.environ, "NODE_PATH": str(modules / "node_modules")}
        self._process = subprocess.Popen(
            [node, "-e", self.SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, path: Path) -> tuple[float, int]:
        """(CPU milliseconds, bytes of the result)."""
        print(path, file=self._process.stdin, flush=True)
        time_ms, size_bytes = json.loads(next(iter(self._process.stdout or ())))
        return time_ms, size_bytes


@contextmanager
def without_libraries() -> Iterator[None]:
    """The engine with the standard library's zlib only."""
    import zlib

    saved = zlibs._isal, zlibs._zlib_ng
    zlibs._isal = zlibs._zlib_ng = zlib  # type: ignore[misc]
    try:
        yield
    finally:
        zlibs._isal, zlibs._zlib_ng = saved  # type: ignore[misc]


def contenders() -> dict[str, Job]:
    jobs: dict[str, Job] = {
        "otsu": ours,
        "auto": ours_auto,
        "without libraries": ours_alone,
        "OpenCV, 127": plain_opencv,
        "OpenCV, Otsu": plain_opencv_otsu,
        "Pillow": pillow,
        "Pillow, 1 bit": pillow_1_bit,
    }
    if importlib.util.find_spec("pyvips"):
        jobs |= {"pyvips": pyvips, "pyvips, 1 bit": pyvips_1_bit}
    return jobs


# --- measuring -------------------------------------------------------------------


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
