"""Which pages are photographs, and which only look like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.auto import photograph
from app.binarize.auto.page_maps import cells_of, page_maps
from app.binarize.auto.reader import read
from app.binarize.dithering import floyd_steinberg
from testkit.images.pages import noise, printed, scanned, shadow, text

SHAPE = (500, 600)


def landscape() -> Any:
    """Sky, hills, a meadow and a dark figure: tones everywhere, and hardly an edge."""
    y, x = np.mgrid[0:500, 0:600].astype(float)
    hills = 250 + 60 * np.sin(x / 90) + 25 * np.sin(x / 37)
    tones = np.where(y < hills, 225 - y / 4, 140 - (y - hills) / 3)
    tones = tones + noise(SHAPE, 14, grain_px=4) * (y > hills) + noise(SHAPE, 10, grain_px=25)
    tones = np.where((x - 180) ** 2 / 2500 + (y - 330) ** 2 / 9000 < 1, 60 + x / 8, tones)
    return scanned(cv2.GaussianBlur(tones, (0, 0), 1.5) + noise(SHAPE, 2))


def test_a_landscape_is_a_photograph_and_is_dithered() -> None:
    photo = landscape()

    reading = read(photo)

    assert reading.kind == "photograph"
    assert (reading.white == floyd_steinberg(photo)).all()


@pytest.mark.parametrize("brightness", [0.35, 0.45, 0.5, 0.55, 0.7])
def test_a_photograph_is_recognized_and_not_turned_round_if_it_is_dark(brightness: float) -> None:
    photo = scanned(landscape() * brightness)

    reading = read(photo)

    assert (reading.kind, reading.inverted) == ("photograph", False)
    assert abs(reading.white.mean() - photo.mean()) < 3


def test_a_page_on_a_blotched_desk_in_dim_light_is_writing() -> None:
    scene, ink = 44 + noise((800, 800), 17, grain_px=36), text(323, 323, size_px=19)
    scene[150:473, 150:473] = printed(ink, paper=116, black=35)
    scene = cv2.GaussianBlur(scene, (0, 0), 1) + noise((800, 800), 0.5)

    assert read(scanned(scene)).kind == "writing"


def test_a_photograph_of_dark_trunks_against_the_sky_is_a_photograph() -> None:
    rng, tones = np.random.default_rng(1), landscape().astype(float)
    for _ in range(65):
        x, foot, wide, high = (
            int(rng.integers(*r)) for r in ((600,), (250, 500), (4, 16), (60, 300))
        )
        tones[max(0, foot - high) : foot, x : x + wide] = rng.uniform(10, 40)

    photo = scanned(cv2.GaussianBlur(tones, (0, 0), 0.8) + noise(SHAPE, 4, grain_px=1))

    assert read(photo).kind == "photograph"


def test_a_picture_amid_text_leaves_the_page_writing() -> None:
    page = scanned(printed(text(1000, 800)) + noise((1000, 800), 3))
    page[600:850, 100:400] = landscape()[100:350, 100:400]

    assert read(page).kind == "writing"


def framed(page: Any) -> Any:
    return np.pad(page, 50, constant_values=245)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda photo: photo + noise(SHAPE, 4),
        lambda photo: photo + noise(SHAPE, 8),
        lambda photo: 90 + photo * 0.55,
        framed,
    ],
    ids=["noisy", "very noisy", "faded", "framed"],
)
def test_a_photograph_is_recognized_if_it_is_noisy_faded_or_framed(
    spoil: Callable[[Any], Any],
) -> None:
    assert read(scanned(spoil(landscape().astype(float)))).kind == "photograph"


def test_a_figure_before_the_sky_and_a_meadow_becomes_areas() -> None:
    y, x = np.mgrid[0:500, 0:600]
    photo = np.where(y < 300, 210 - y / 10, 150 + noise(SHAPE, 12, grain_px=2))
    photo = np.where((x - 300) ** 2 + (y - 250) ** 2 < 120**2, 30, photo)
    photo = cv2.GaussianBlur(photo, (0, 0), 1) + noise(SHAPE, 3)

    reading = read(scanned(photo))

    assert reading.kind == "writing"
    figure = (x - 300) ** 2 + (y - 250) ** 2 < 115**2
    assert (reading.white[figure] == 0).mean() > 0.99
    assert (reading.white[:120] == 255).mean() > 0.99


@pytest.mark.parametrize("size_px", [16, 30])
@pytest.mark.parametrize("deviation", [1, 8])
def test_print_in_a_deep_shadow_is_writing(size_px: int, deviation: float) -> None:
    page = printed(text(size_px=size_px)) * shadow(SHAPE, 0.3) + noise(SHAPE, deviation)

    assert read(scanned(page)).kind == "writing"


def test_hatching_that_grows_darker_is_writing() -> None:
    y, x = np.mgrid[0:500, 0:600]
    strokes = (x + y // 3) % 12 < 6
    page = cv2.GaussianBlur(235 - (40 + 160 * x / 600) * strokes, (0, 0), 1.5)

    assert read(scanned(page + noise(SHAPE, 1))).kind == "writing"


def test_coarse_grain_on_blank_paper_is_no_photograph() -> None:
    assert read(scanned(130 + noise(SHAPE, 14, grain_px=4))).kind == "blank"


# --- the arithmetic, written down a second time -----------------------------------------


def test_strong_changes_are_counted_in_blocks() -> None:
    page = np.full((64, 64), 200, np.uint8)
    page[9:15, 16:24] = 20  # a strong change
    page[33:39, 32:40] = 186  # a slight one
    maps = page_maps(cells_of(page))

    assert photograph._strong(maps, noise=0) == pytest.approx(1 / 2)


def test_grays_are_counted_by_how_even_their_shares_are() -> None:
    counts = np.zeros(256)
    counts[[0, 8, 16, 24]] = 10
    counts[200] = 1e-9

    assert photograph._grays(counts) == pytest.approx(4)
