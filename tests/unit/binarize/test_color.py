"""Colour: thin strokes count as ink by their chroma; wide colours and gray pages stay the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.binarize import color
from app.binarize.color import darken_thin_color
from app.domain.methods import METHODS
from app.image_processor import binarize_png
from app.png.check import inspect
from app.png.chroma import LEAST_CHROMA, chroma_of
from app.png.decode import decode
from app.png.limits import PngLimits
from testkit.png.pngs import PALETTE, RGB, RGBA, Picture

LIMITS = PngLimits()
HEIGHT, WIDTH = 160, 240
PAPER, BLACK = (245, 245, 245), (25, 25, 25)
Samples = NDArray[np.int64]
PENS = {
    "gel blue": (90, 150, 225),
    "sky": (120, 180, 240),
    "turquoise": (60, 190, 190),
    "light green": (130, 210, 120),
    "ochre": (215, 170, 60),
    "orange": (250, 150, 40),
    "pink": (240, 110, 150),
    "yellow": (255, 235, 0),
}


def sheet(paper: tuple[int, int, int] = PAPER) -> Samples:
    """Black print above, room below."""
    page = np.full((HEIGHT, WIDTH, 3), paper)
    for y in range(12, 80, 12):
        page[y : y + 3, 10:230] = BLACK
    return page


def signed(pen: tuple[int, int, int]) -> Samples:
    page = sheet()
    page[100:150:14, 20:200] = page[101:151:14, 20:200] = page[102:152:14, 20:200] = pen
    return page


def read(page: Samples) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Gray by luma, and with thin colours darkened."""
    data = Picture(page, 8, RGB).encode()
    found = decode(data, inspect(data, LIMITS), with_chroma=True)
    luma = found.gray.copy()
    if found.chroma is not None:
        darken_thin_color(found.gray, found.chroma)
    return luma, found.gray


def result(data: bytes, method: str = "auto") -> bytes:
    return binarize_png(data, method=method, parameters={}, limits=LIMITS).png


@pytest.mark.parametrize("pen", PENS)
def test_a_pen_is_darker_by_three_quarters_of_its_chroma(pen: str) -> None:
    rgb = PENS[pen]

    luma, gray = read(signed(rgb))

    thin = max(rgb) - min(rgb) - 24
    darker = thin - thin // 4
    before = int(luma[101, 100])
    assert gray[101, 100] == max(before - darker, min(before, color.DARKEST))
    assert (gray[:90] == luma[:90]).all()


@pytest.mark.parametrize("pen", sorted(PENS.keys() - {"light green"}))  # half as deep as print
def test_auto_keeps_pens_beside_black_print(pen: str) -> None:
    page = signed(PENS[pen])

    binary = result(Picture(page, 8, RGB).encode())

    info = inspect(binary, LIMITS)
    black = decode(binary, info).gray == 0
    assert black[101, 20:200].mean() > 0.95
    assert black[90:98].sum() == 0


@pytest.mark.parametrize("ink", [(150, 20, 30), (20, 60, 160), (90, 30, 140), (0, 110, 60)])
def test_auto_keeps_the_wide_parts_of_a_coloured_code_and_gray_print_beside_it(ink) -> None:
    page = np.full((320, 480, 3), PAPER)
    modules = np.random.default_rng(5).random((26, 26)) < 0.5
    modules[9:15, 9:15] = modules[2:8, 2:8] = True
    code = np.kron(modules, np.ones((8, 8))) == 1
    page[40:248, 40:248][code] = ink
    page[60:240:20, 270:450] = page[61:240:20, 270:450] = (150, 150, 150)
    page[46:250:20, 270:450] = page[47:250:20, 270:450] = page[48:250:20, 270:450] = ink

    binary = result(Picture(page, 8, RGB).encode())

    black = decode(binary, inspect(binary, LIMITS)).gray == 0
    assert (black[40:248, 40:248] == code).mean() > 0.95
    assert black[60:240:20, 272:448].mean() > 0.95


@pytest.mark.parametrize("tint", [(255, 240, 60), (130, 240, 110), (255, 130, 190)])
def test_a_highlighter_and_the_words_on_it_stay_as_they_are(tint) -> None:
    page = sheet()
    page[30:70, 16:208] = tint
    page[42:45, 30:190] = page[54:57, 30:190] = BLACK

    luma, gray = read(page)

    assert (gray == luma).all()


@pytest.mark.parametrize("paper", [(250, 235, 150), (250, 205, 215), (200, 165, 120)])
def test_coloured_paper_stays_as_it_is(paper) -> None:
    luma, gray = read(sheet(paper))

    assert (gray == luma).all()


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_gray_page_gives_the_same_in_rgb_for_every_method(method: str) -> None:
    gray = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 1))

    in_color = Picture(np.repeat(gray, 3, axis=2), 8, RGB).encode()

    assert result(in_color, method) == result(Picture(gray).encode(), method)


def test_the_tint_of_a_scanner_is_no_colour() -> None:
    page = sheet()
    page[::2, :, 0] -= 11
    page[:, ::3, 2] -= 10

    luma, gray = read(page)

    assert (gray == luma).all()


def test_other_methods_see_luma_only() -> None:
    page = signed(PENS["yellow"])
    luma = decode(data := Picture(page, 8, RGB).encode(), inspect(data, LIMITS)).gray

    for method in METHODS.keys() - {"auto"}:
        plain = Picture(luma.astype(np.int64)[..., np.newaxis]).encode()
        assert result(data, method) == result(plain, method)


def in_a_palette(page: Samples) -> Picture:
    colors, index = np.unique(page.reshape(-1, 3), axis=0, return_inverse=True)
    palette = colors.astype(np.uint8).tobytes()
    return Picture(index.reshape(HEIGHT, WIDTH, 1), 8, PALETTE, palette=palette)


def in_rgba(page: Samples) -> Picture:
    return Picture(np.dstack([page, np.full((HEIGHT, WIDTH), 255)]), 8, RGBA)


def in_16_bits(page: Samples) -> Picture:
    return Picture(page * 257, 16, RGB)


def interlaced(page: Samples) -> Picture:
    return Picture(page, 8, RGB, is_interlaced=True)


@pytest.mark.parametrize("form", [in_a_palette, in_rgba, in_16_bits, interlaced])
def test_colour_is_used_in_every_form_of_png(form) -> None:
    page = signed(PENS["sky"])

    assert result(form(page).encode()) == result(Picture(page, 8, RGB).encode())


def test_a_transparent_colour_counts_as_it_looks_on_white() -> None:
    page = np.dstack([signed(PENS["yellow"]), np.full((HEIGHT, WIDTH), 255)])
    page[90:, :, 3] = 128
    data = Picture(page, 8, RGBA).encode()

    chroma = decode(data, inspect(data, LIMITS), with_chroma=True).chroma

    assert chroma is not None
    assert chroma[101, 100] == 128


@pytest.mark.parametrize("shape", [(1, 1), (3, 300), (300, 3), (8, 8), (9, 17), (41, 67)])
def test_at_any_size_three_quarters_of_a_thin_colour_are_taken_from_the_gray(shape) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    gray = np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)
    chroma, page = np.ptp(colors, axis=2), gray.copy()

    darken_thin_color(page, chroma_of(colors))

    cells = [np.arange(side) // color._CELL_PX for side in shape]
    wide = color._wide_color(chroma, color._CELL_PX)[np.ix_(*cells)].astype(int)
    thin = np.maximum(chroma - np.minimum(wide + LEAST_CHROMA, 255), 0)
    assert (chroma_of(colors) == chroma).all()
    least = np.minimum(gray, color.DARKEST)
    assert (page == np.maximum(gray.astype(int) - (thin - thin // 4), least)).all()


def test_on_large_pages_strokes_twice_as_wide_are_thin() -> None:
    chroma = np.zeros((4001, 4000), np.uint8)
    chroma[1000:1024, 100:3900] = 150
    large, small = np.full_like(chroma, 200), np.full_like(chroma[:2000], 200)

    darken_thin_color(large, chroma)
    darken_thin_color(small, chroma[:2000])

    assert large[1012, 2000] == 200 - 95
    assert small[1012, 2000] == 200
