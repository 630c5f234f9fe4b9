"""How much the network's sharpness is lowered where print is in focus."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.auto.corrections.focus import soften_in_focus
from app.binarize.auto.page_maps import cells_of, page_maps
from app.binarize.methods import auto
from testkit.images.pages import jpeg, noise, printed, scanned, text

SHAPE = (500, 600)
ASKED = -30


def blurred(page: Any, deviation_px: float) -> Any:
    return cv2.GaussianBlur(page, (0, 0), deviation_px)


def limited(page: Any) -> Any:
    """What is left, at each pixel of *page*, of a sharpness of ASKED everywhere."""
    maps = page_maps(cells_of(scanned(page)))
    sharpness = np.full(maps.paper.shape, ASKED, np.float32)
    soften_in_focus(sharpness, maps)
    height, width = page.shape
    return np.kron(sharpness, np.ones((8, 8)))[:height, :width]


@pytest.mark.parametrize("deviation", [0, 4, 10])
def test_print_in_focus_is_sharpened_half_as_much(deviation: float) -> None:
    left = limited(printed(text()) + noise(SHAPE, deviation))

    assert np.median(left[text() > 0]) == ASKED / 2


@pytest.mark.parametrize("size_px", [14, 22, 40])
@pytest.mark.parametrize("blur_px", [0.8, 1.3, 2.5])
def test_print_out_of_focus_is_sharpened_as_the_network_says(blur_px: float, size_px: int) -> None:
    page = blurred(printed(text(size_px=size_px)), blur_px) + noise(SHAPE, 3)

    assert (limited(page) == ASKED).all()


@pytest.mark.parametrize("deviation", [6, 9])
def test_noise_on_pale_print_out_of_focus_is_no_sharp_edge(deviation: float) -> None:
    page = blurred(printed(text(), paper=200, black=130), 1.3) + noise(SHAPE, deviation)

    assert (limited(page) == ASKED).mean() > 0.9


def test_a_sharp_stamp_on_a_blurred_page_counts_only_near_it() -> None:
    page = blurred(printed(text()), 1.3)
    light = np.random.default_rng(1).random((30, 30)) > 0.3
    page[20:140, 20:140] = 255 * np.kron(light, np.ones((4, 4)))

    left = limited(page + noise(SHAPE, 2))

    assert np.median(left[20:140, 20:140]) == ASKED / 2
    assert (left[:, 300:] == ASKED).all()


def test_print_beside_a_dark_desk_is_sharpened_as_the_network_says() -> None:
    # The darkest spot nearby is the desk: the print counts as pale.
    page = printed(text(), paper=245, black=110)
    page[:, :60] = 15

    left = limited(page + noise(SHAPE, 3))

    assert (left[:, 60:100] == ASKED).all()
    assert np.median(left[:, 300:][text()[:, 300:] > 0]) == ASKED / 2


def test_light_words_on_a_dark_band_are_sharpened_as_the_network_says() -> None:
    ink = text()
    ink[:, :250] = 1 - ink[:, :250]

    left = limited(printed(ink) + noise(SHAPE, 2))

    assert (left[40:-40, 40:200] == ASKED).mean() > 0.95
    assert np.median(left[:, 300:][ink[:, 300:] > 0]) == ASKED / 2


def test_a_page_without_edges_and_smoothing_are_left_as_they_are() -> None:
    assert (limited(200 + noise(SHAPE, 3)) == ASKED).all()
    maps = page_maps(cells_of(scanned(printed(text()))))
    smoothing = np.full(maps.paper.shape, 5, np.float32)

    soften_in_focus(smoothing, maps)

    assert (smoothing == 5).all()


@pytest.mark.parametrize(("quality", "most"), [(15, 60), (30, 5)])
def test_the_rings_of_a_jpeg_do_not_come_out_beside_the_letters(quality: int, most: int) -> None:
    ink = text(size_px=18)
    away = cv2.dilate((ink > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0

    white = auto(jpeg(printed(ink), quality))

    assert (white[away] == 0).sum() <= most
