"""What a page is taken for: writing, nothing, or a photograph; dark on light or light on dark."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.binarize.auto.page_kind import is_inverted
from app.binarize.auto.page_maps import cells_of
from app.binarize.auto.reader import read
from app.binarize.dithering import floyd_steinberg
from testkit.images.pages import jpeg, noise, printed, scanned, shadow, text

SHAPE = (500, 600)


def landscape() -> Any:
    """Sky, hills, a meadow and a dark figure: tones everywhere, and hardly an edge."""
    y, x = np.mgrid[0:500, 0:600].astype(float)
    hills = 250 + 60 * np.sin(x / 90) + 25 * np.sin(x / 37)
    tones = np.where(y < hills, 225 - y / 4, 140 - (y - hills) / 3)
    tones = tones + noise(SHAPE, 14, grain_px=4) * (y > hills) + noise(SHAPE, 10, grain_px=25)
    tones = np.where((x - 180) ** 2 / 2500 + (y - 330) ** 2 / 9000 < 1, 60 + x / 8, tones)
    return scanned(cv2.GaussianBlur(tones, (0, 0), 1.5) + noise(SHAPE, 2))


def test_print_is_writing_and_is_not_turned_round() -> None:
    reading = read(scanned(printed(text()) + noise(SHAPE, 4)))

    assert (reading.kind, reading.inverted) == ("writing", False)


def test_light_print_on_dark_ground_is_writing_turned_round() -> None:
    reading = read(scanned(255 - printed(text()) + noise(SHAPE, 4)))

    assert (reading.kind, reading.inverted) == ("writing", True)


@pytest.mark.parametrize("quality", [40, 90])
def test_paper_alone_is_blank(quality: int) -> None:
    reading = read(jpeg(230 * shadow(SHAPE) + noise(SHAPE, 3), quality))

    assert reading.kind == "blank"
    assert (reading.white == 255).all()


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


@given(
    top=st.integers(0, 180), left=st.integers(0, 280), side=st.integers(4, 60),
    paper=st.integers(120, 255), depth=st.integers(90, 120), deviation=st.integers(0, 4),
)  # fmt: skip
def test_a_page_with_strong_edges_is_never_blank(
    top: int, left: int, side: int, paper: int, depth: int, deviation: int
) -> None:
    page = np.full((240, 340), float(paper))
    page[top : top + side, left : left + side] -= depth

    assert read(scanned(page + noise(page.shape, deviation or 1e-9))).kind != "blank"


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("size_px", [13, 22, 60])
def test_polarity_is_seen_at_every_size(size_px: int, scale: int) -> None:
    page = np.tile(scanned(printed(text(size_px=size_px), paper=220, black=80)), (scale, scale))

    assert not is_inverted(cells_of(page))
    assert is_inverted(cells_of(255 - page))
