"""Bytes in, bytes out: the format of the result, its determinism, the memory of a job."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from app.domain.ports import Binarized
from app.errors import InvalidParameterError, PipelineError
from app.image_processor import binarize_png
from app.png.check import PhysicalSize, inspect
from app.png.limits import PngLimits
from testkit.exifs import exif, oriented
from testkit.pngs import RGB, Picture, chunk, gray_png
from testkit.root import ROOT

LIMITS = PngLimits()
DENSITY = chunk(b"pHYs", struct.pack(">IIB", 7874, 7900, 1))
TEXT = chunk(b"tEXt", b"Comment\0secret") + chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0")


def simple(data: bytes, threshold: int = 127) -> Binarized:
    return binarize_png(data, method="simple", parameters={"threshold": threshold}, limits=LIMITS)


def pixels(png: bytes) -> list[list[int]]:
    with Image.open(io.BytesIO(png)) as image:
        return (np.asarray(image) * 255).tolist()


def test_pixels_over_the_threshold_are_white_and_all_others_black() -> None:
    data = gray_png([[0, 127, 128], [255, 126, 129]])

    result = simple(data)

    assert pixels(result.png) == [[0, 0, 255], [255, 0, 255]]
    assert (result.threshold, result.black_ratio) == (127, 0.5)
    assert (result.method, result.parameters) == ("simple", {"threshold": 127})


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 17])
def test_the_result_has_the_size_of_the_input_whatever_the_width(width) -> None:
    samples = (np.arange(3 * width).reshape(3, width) * 91 % 256).tolist()

    result = simple(gray_png(samples))

    assert pixels(result.png) == [[255 * (v > 127) for v in row] for row in samples]


def test_the_result_is_1_bit_gray_and_keeps_nothing_but_the_physical_size() -> None:
    data = gray_png([[0, 200]], metadata=DENSITY + TEXT)

    result = simple(data)

    info = inspect(result.png, LIMITS)
    assert (info.bit_depth, info.color_type, info.is_interlaced) == (1, 0, False)
    assert info.physical_size == PhysicalSize(7874, 7900, 1)
    assert chunk_types(result.png) == [b"IHDR", b"pHYs", b"IDAT", b"IEND"]


def test_without_a_physical_size_the_result_has_none() -> None:
    assert chunk_types(simple(gray_png([[0, 200]])).png) == [b"IHDR", b"IDAT", b"IEND"]


def chunk_types(png: bytes) -> list[bytes]:
    types, offset = [], 8
    while offset < len(png):
        (length,) = struct.unpack_from(">I", png, offset)
        types.append(png[offset + 4 : offset + 8])
        offset += 12 + length
    return types


def test_the_same_input_gives_the_same_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64)).tolist()
    data = gray_png(noise)

    assert len({simple(data).png for _ in range(3)}) == 1


def test_a_result_binarized_again_stays_as_it_is() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64)).tolist()

    once = simple(gray_png(noise)).png

    assert simple(once).png == once


def test_a_page_is_smaller_than_8_bit_output_by_half() -> None:
    page = np.full((600, 400, 1), 255)
    for y in range(40, 560, 20):
        for x in range(30, 370, 11):
            page[y : y + 9, x : x + 2 + x % 7] = 30

    result = simple(Picture(page).encode())

    eight_bits = io.BytesIO()
    Image.fromarray(page[..., 0].astype(np.uint8)).save(eight_bits, "PNG")
    assert len(result.png) < len(eight_bits.getvalue()) / 2


def test_an_unknown_method_is_refused_before_the_image_is_looked_at() -> None:
    with pytest.raises(InvalidParameterError):
        binarize_png(b"", method="magic", parameters={}, limits=LIMITS)


def test_each_step_runs_in_a_block_of_its_name() -> None:
    seen: list[str] = []

    @contextmanager
    def step(name: str) -> Iterator[None]:
        seen.append(f"{name} begins")
        yield
        seen.append(f"{name} ends")

    page = gray_png([[0, 200]])
    watched = binarize_png(page, method="otsu", parameters={}, limits=LIMITS, step=step)

    names = ("inspect", "decode", "binarize", "encode")
    assert seen == [f"{name} {verb}" for name in names for verb in ("begins", "ends")]
    assert watched.png == binarize_png(page, method="otsu", parameters={}, limits=LIMITS).png


PEAK = """
import re, sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from app.image_processor import binarize_png
from app.png.check import PngLimits

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
    """By how much a job on *data* raises the peak of a fresh process, and what it said."""
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
def test_a_bomb_takes_no_more_than_the_image_it_promises() -> None:
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


def test_every_refusal_is_one_of_ours() -> None:
    for damaged in (b"", b"\x89PNG\r\n\x1a\n", gray_png([[1]])[:-1]):
        with pytest.raises(PipelineError):
            simple(damaged)
