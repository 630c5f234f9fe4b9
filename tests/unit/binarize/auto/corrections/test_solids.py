"""Solid areas come out black, however wide and however outlined; shadows do not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.auto.corrections.solids import solid_areas
from app.binarize.auto.page_maps import cells_of, page_maps
from app.binarize.auto.reader import read
from testkit.images.pages import f_measure, noise, printed, scanned, text

SHAPE = (900, 1000)
AREA = (slice(250, 850), slice(100, 900))
#: The blocks of 8 x 8 pixels within it.
AREA_BLOCKS = (slice(32, 106), slice(13, 112))


def page_with(area: Any) -> Any:
    """Print above *area*, a share of the paper's brightness for each pixel."""
    page = printed(text(*SHAPE, size_px=20), paper=240)
    page[200:] = 240
    return page * area


def scan_of(page: Any) -> Any:
    return scanned(cv2.GaussianBlur(page, (0, 0), 0.7) + noise(SHAPE, 3))


def square(share: float) -> Any:
    area = np.ones(SHAPE)
    area[AREA] = share
    return area


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_a_wide_area_comes_out_black_and_nothing_beside_it(share: float) -> None:
    white = read(scan_of(page_with(square(share)))).white

    assert f_measure(white[210:], square(share)[210:] < 1) > 99


@pytest.mark.parametrize("deviation", [3, 14])
def test_an_area_is_found_under_noise(deviation: float) -> None:
    page = scanned(page_with(square(0.5)) + noise(SHAPE, deviation))

    assert (below(page)[AREA_BLOCKS] > 0).mean() > 0.95


def test_half_a_page_at_300_dpi_comes_out_black() -> None:
    page = np.full((3508, 2480), 240.0)
    page[:1750] = 120

    white = read(scanned(page + noise(page.shape, 3))).white

    assert (white[:1740] == 0).mean() > 0.999
    assert (white[1760:] == 255).mean() > 0.999


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_bars_in_a_darker_outline_come_out_black(share: float) -> None:
    area, bars = np.ones(SHAPE), np.zeros(SHAPE)
    for left in range(100, 900, 140):
        box = ((left, 300 + left // 4), (left + 90, 850))
        cv2.rectangle(area, *box, share, -1)
        cv2.rectangle(area, *box, 0.1, 3)
        for width_px in (-1, 3):
            cv2.rectangle(bars, *box, 1, width_px)

    white = read(scan_of(page_with(area))).white

    assert f_measure(white[210:], bars[210:]) > 98


def test_slices_of_several_grays_come_out_black() -> None:
    area, pie = np.ones(SHAPE), np.zeros(SHAPE)
    for n, share in enumerate((0.6, 0.3, 0.5, 0.2, 0.4)):
        angles = (72 * n, 72 * n + 72)
        cv2.ellipse(area, (500, 550), (260, 260), 0, *angles, share, -1)
        cv2.ellipse(pie, (500, 550), (260, 260), 0, *angles, 1, -1)

    white = read(scan_of(page_with(area))).white

    assert f_measure(white[210:], pie[210:]) > 98


def test_light_words_on_an_area_stay_white() -> None:
    area, words = square(0.35), text(200, 500, size_px=40)
    area[400:600, 200:700] += 0.65 * words

    white = read(scan_of(page_with(area))).white

    assert f_measure(255 - white[400:600, 200:700], words) > 90


@pytest.mark.parametrize("share", [0.45, 0.6])
def test_dark_words_on_an_area_show_that_it_lies_in_the_shade(share: float) -> None:
    area, words = square(share), text(150, 500, size_px=24)
    area[400:550, 200:700] *= 1 - 0.8 * words

    assert found(area) == 0


@pytest.mark.parametrize("mark", [[(480, 560), (495, 580), (530, 530)], [(500, 500), (505, 505)]])
def test_a_single_tick_or_dot_on_an_area_shows_that_it_lies_in_the_shade(mark: Any) -> None:
    area = square(0.5)
    cv2.polylines(area, [np.array(mark)], False, 0.15, 5)

    assert found(area) == 0


def test_areas_of_few_blocks_are_left_to_the_network() -> None:
    area = square(0.5)
    area[150:178, 502:530] = 0.5
    page = scan_of(np.full(SHAPE, 240) * area)

    assert (below(page)[AREA_BLOCKS] > 0).all()
    assert (below(page)[:28, 50:80] == 0).all()


def test_an_area_that_fades_on_one_side_is_none() -> None:
    area = square(0.5)
    area[AREA][:, 500:] = np.linspace(0.5, 1, 300)

    assert found(area) == 0


def first_line(ink: Any) -> Any:
    has_ink = ink.any(axis=1)
    top = int(has_ink.argmax())
    return ink[top : top + int(has_ink[top:].argmin())]


@pytest.mark.parametrize("high", [38, 62, 96])
def test_the_end_of_a_highlighted_line_is_no_area(high: int) -> None:
    area, words = np.ones(SHAPE), first_line(text(*SHAPE, size_px=high // 2)[:, :600])
    area[500 : 500 + high, 100:900] = 0.55
    top = 500 + (high - len(words)) // 2
    area[top : top + len(words), 100:700] *= 1 - 0.8 * words

    assert found(area) == 0


@pytest.mark.parametrize("softness_px", [8, 30])
def test_no_soft_shadow_is_an_area(softness_px: int) -> None:
    assert found(cv2.GaussianBlur(square(0.5), (0, 0), softness_px)) == 0


def test_light_that_falls_off_along_a_margin_is_no_area() -> None:
    light = np.clip(1 - np.arange(SHAPE[1]) / 120, 0, 1)

    assert found(np.tile(1 - 0.7 * light, (SHAPE[0], 1))) == 0


def found(area: Any) -> float:
    """The share of the page that is found to be solid."""
    return float((below(scan_of(page_with(area))) > 0).mean())


def below(page: Any) -> Any:
    return solid_areas(page_maps(cells_of(page)))
