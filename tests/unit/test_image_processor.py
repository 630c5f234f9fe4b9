"""Bytes in, bytes out: the format of the result, its determinism, the memory of a job."""

from __future__ import annotations

import io
import struct
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
from testkit.png.pngs import Picture, chunk, gray_png

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


def test_every_refusal_is_a_pipeline_error() -> None:
    for damaged in (b"", b"\x89PNG\r\n\x1a\n", gray_png([[1]])[:-1]):
        with pytest.raises(PipelineError):
            simple(damaged)
