"""What a page is taken for: writing, nothing, or a photograph; dark on light or light on dark."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.binarize.auto.page_kind import INVERTED, polarity
from app.binarize.auto.page_maps import cells_of
from app.binarize.auto.reader import read
from testkit.images.pages import f_measure, jpeg, noise, printed, scanned, shadow, text

SHAPE = (500, 600)


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


@pytest.mark.parametrize("size_px", [44, 60])
def test_faint_writing_on_a_noisy_page_with_a_stain_is_not_blank(size_px: int) -> None:
    y, x = np.mgrid[0:500, 0:600].astype(np.float32)
    stain = np.sqrt(np.clip(1.4 - np.hypot((x - 330) / 260, (y - 60) / 110), 0, 1))
    ink = text(size_px=size_px)
    page = cv2.GaussianBlur(90 * (1 - 0.18 * ink) * (1 - 0.6 * stain), (0, 0), 1.2)

    reading = read(scanned(page + 0.7 * noise(SHAPE, 8)))

    assert reading.kind == "writing"
    assert f_measure(reading.white, ink) > 50


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

    assert polarity(cells_of(page)) >= INVERTED
    assert polarity(cells_of(255 - page)) < INVERTED
