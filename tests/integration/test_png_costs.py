"""The CPU time and memory that a PNG may cost, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from app.errors import PipelineError
from app.png.check import inspect
from app.png.limits import PngLimits
from testkit.corpora import hostile_pngs, odd_pngs
from testkit.images.exifs import exif, oriented
from testkit.in_memory.costs import assert_cpu_within, cpu_s
from testkit.png.pngs import GRAY, IEND, RGB, SIGNATURE, Picture, chunk, gray_png, ihdr
from testkit.root import ROOT

LIMITS = PngLimits()
MOST_S = 0.05


@pytest.fixture(scope="module")
def largest_files() -> list[bytes]:
    """Files that are expensive for other decoders, and harmless ones of 32 MiB."""
    head, pixels = SIGNATURE + ihdr(1, 1, 8, GRAY), chunk(b"IDAT", zlib.compress(bytes(2)))
    honest = chunk(b"IDAT", zlib.compress(bytes(2)) + bytes(2048 - 23))
    lots = head + honest * (LIMITS.max_chunks - 3) + IEND
    text = head + chunk(b"iTXt", bytes(LIMITS.max_bytes - 100), crc=0) + pixels + IEND
    files = [*hostile_pngs.cases(big=True), *odd_pngs.cases()]
    return [case.data for case in files] + [lots, text]


def test_the_check_takes_at_most_50_ms_and_16_mb_whatever_the_file(largest_files) -> None:
    for data in largest_files:
        check = partial(end_of_the_check, data)
        assert_cpu_within(cpu_s(check, goal_s=MOST_S), MOST_S)
        tracemalloc.start()
        check()
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak_bytes < 16_000_000


def end_of_the_check(data: bytes) -> None:
    with suppress(PipelineError):
        inspect(data, LIMITS)


PEAK = """
import re, sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from app.image_processor import binarize_png
from app.png.limits import PngLimits

def peak_kib():
    # ru_maxrss would start with the peak of the process that started this one.
    return int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])

data = sys.stdin.buffer.read()
binarize_png({small!r}, method="otsu", parameters={{}}, limits=PngLimits())
before_kib = peak_kib()
try:
    binarize_png(data, method="otsu", parameters={{}}, limits=PngLimits())
except Exception as error:
    print(type(error).__name__, end=" ")
print(peak_kib() - before_kib)
"""


def peak_bytes(data: bytes) -> tuple[int, str]:
    """How much a job on *data* raises the peak memory of a fresh process, and the job's output."""
    code = PEAK.format(small=gray_png([[0, 200]]))
    run = subprocess.run(
        [sys.executable, "-c", code], input=data, cwd=ROOT, capture_output=True, check=True
    )
    *said, kib = run.stdout.decode().split()
    return int(kib) * 1024, " ".join(said)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("metadata", [b"", exif(oriented(7))], ids=["upright", "turned"])
@pytest.mark.parametrize(
    ("bit_depth", "color_type", "is_interlaced"),
    [(8, 0, False), (16, 6, False), (8, RGB, True), (1, 0, False)],
    ids=["gray", "16-bit RGBA", "interlaced RGB", "1-bit"],
)
def test_a_job_takes_at_most_6_bytes_a_pixel_and_30_mb(
    bit_depth, color_type, is_interlaced, metadata
) -> None:
    data = blank_page(3000, 4000, bit_depth, color_type, is_interlaced, metadata)

    peak, said = peak_bytes(data)

    assert said == ""
    assert peak <= 6 * 12_000_000 + len(data) + 30_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_bomb_takes_no_more_memory_than_its_declared_image() -> None:
    stream = zlib.compress(bytes(60_000_000), 9)
    bomb = Picture(np.zeros((8, 8, 1))).wrap(stream)

    peak, said = peak_bytes(bomb)

    assert said == "UnsupportedPngError"
    assert peak < 5_000_000


def blank_page(width, height, bit_depth, color_type, is_interlaced, metadata) -> bytes:
    pixels = np.zeros((height, width, 1), np.uint8)
    page = Picture(pixels, bit_depth, color_type, is_interlaced, metadata=metadata)
    info = inspect(page.wrap(zlib.compress(bytes(99_000_000), 9)), LIMITS)
    return page.wrap(zlib.compress(bytes(info.inflated_bytes)))
