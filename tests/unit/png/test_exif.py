"""Orientation: a page stands as viewers show it, and damage means that it is not turned."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from app.domain.methods import METHODS
from app.image_processor import binarize_png
from app.png.check import PhysicalSize, inspect
from app.png.exif import orientation_of
from app.png.limits import PngLimits
from testkit.images.exifs import CONTENTS, ORIENTATION, PLACES, SIX, exif, oriented, tiff
from testkit.png.pngs import IEND, Picture, chunk
from testkit.timing.waiting import assert_within

LIMITS = PngLimits()
PAGE = np.random.default_rng(5).integers(0, 256, (37, 53))
DENSITY = chunk(b"pHYs", struct.pack(">IIB", 11811, 7874, 1))


def page_png(before: bytes = b"", after: bytes = b"") -> bytes:
    png = Picture(PAGE[..., np.newaxis], metadata=before).encode()
    return png.removesuffix(IEND) + after + IEND


def pixels_of(png: bytes, *, turn: bool = False) -> list[list[int]]:
    with Image.open(io.BytesIO(png)) as image:
        shown = ImageOps.exif_transpose(image) if turn else image
        return np.asarray(shown.convert("L")).tolist()


@pytest.mark.parametrize("case", CONTENTS)
def test_the_orientation_is_the_one_that_chromium_finds(case: str) -> None:
    data, expected = CONTENTS[case]

    assert orientation_of(data) == expected


@pytest.mark.parametrize("case", PLACES)
def test_the_first_valid_exif_before_the_pixels_is_used(case: str) -> None:
    before, after, expected = PLACES[case]

    assert inspect(page_png(before, after), LIMITS).orientation == expected


@given(st.binary(max_size=80))
def test_any_bytes_give_an_orientation(data: bytes) -> None:
    assert orientation_of(b"II*\0\x08\0\0\0" + data) in range(1, 9)
    assert orientation_of(data) == 1


def test_a_directory_of_any_length_is_read_in_little_time() -> None:
    data = tiff([(ORIENTATION, 3, 1, 9)] * 65_535)

    started = time.process_time()
    assert orientation_of(data) == 1
    assert_within(time.process_time() - started, 1)  # a second pass for each entry takes minutes


def test_an_orientation_behind_the_pixels_is_named_as_ignored() -> None:
    assert inspect(page_png(after=exif(SIX)), LIMITS).ignored == ("eXIf: after IDAT",)
    assert inspect(page_png(after=exif(oriented(1))), LIMITS).ignored == ()


@pytest.mark.parametrize("value", range(1, 9))
def test_the_result_is_turned_as_pillow_turns_it(value: int) -> None:
    data = page_png(exif(oriented(value)))

    result = binarize_png(data, method="simple", parameters={"threshold": 127}, limits=LIMITS)

    gray = np.array(pixels_of(data, turn=True))
    assert pixels_of(result.png) == np.where(gray > 127, 255, 0).tolist()
    assert (result.height, result.width) == gray.shape


@pytest.mark.parametrize("method", METHODS)
def test_every_method_sees_the_page_upright(method: str) -> None:
    lying = binarize_png(page_png(exif(SIX)), method=method, parameters={}, limits=LIMITS)

    turned = np.rot90(PAGE, -1)[..., np.newaxis]
    upright = binarize_png(Picture(turned).encode(), method=method, parameters={}, limits=LIMITS)
    assert lying.png == upright.png


@pytest.mark.parametrize(("value", "is_swapped"), [(1, False), (3, False), (6, True), (8, True)])
def test_the_physical_size_is_turned_with_the_page(value: int, is_swapped: bool) -> None:
    data = page_png(DENSITY + exif(oriented(value)))

    result = binarize_png(data, method="otsu", parameters={}, limits=LIMITS)

    x, y = (7874, 11811) if is_swapped else (11811, 7874)
    assert inspect(result.png, LIMITS).physical_size == PhysicalSize(x, y, 1)
    assert result.dpi == (200 if is_swapped else 300)
