"""Boxes and bars in a tint come out white, and what is on them black; solid areas stay."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.auto.reader import read
from testkit.images.pages import f_measure, noise, printed, scanned, text

SHAPE = (700, 1000)
BOX = (slice(150, 450), slice(40, 960))


def form(share: float) -> Any:
    """Print above a wide box with *share* of the paper's brightness."""
    page = printed(text(*SHAPE, size_px=20), paper=240)
    page[130:] = 240
    page[BOX] = 240 * share
    return page


def scan_of(page: Any) -> Any:
    return scanned(cv2.GaussianBlur(page, (0, 0), 0.6) + noise(SHAPE, 2))


@pytest.mark.parametrize("share", [0.72, 0.78, 0.84, 0.9])
def test_an_empty_box_in_a_tint_comes_out_white(share: float) -> None:
    white = read(scan_of(form(share))).white

    assert (white[140:460] == 0).mean() < 0.005


def test_words_and_the_outline_of_a_box_in_a_tint_stay() -> None:
    page, ink = form(0.78), np.zeros(SHAPE)
    ink[BOX][20:120, :400] = text(100, 400, size_px=20)
    cv2.rectangle(ink, (40, 150), (959, 449), 1, 2)

    white = read(scan_of(page * (1 - 0.85 * ink))).white

    assert f_measure(white[140:460], ink[140:460]) > 90


@pytest.mark.parametrize("share", [0.2, 0.4, 0.5])
def test_a_solid_area_stays_black(share: float) -> None:
    white = read(scan_of(form(share))).white

    assert (white[BOX] == 0).mean() > 0.98


def test_a_broad_stroke_as_pale_as_a_tint_stays() -> None:
    page, stroke = form(1), np.zeros(SHAPE, np.uint8)
    loops = [(200 + 4 * t, 420 + 90 * np.sin(t / 9)) for t in range(150)]
    cv2.polylines(stroke, [np.rint(loops).astype(np.int32)], False, 1, 30)
    page[stroke > 0] = 240 * 0.72

    white = read(scan_of(page)).white

    assert f_measure(white[140:], stroke[140:]) > 97


def test_a_pale_area_is_ink_where_no_ink_is_darker() -> None:
    page = np.full(SHAPE, 240.0)
    page[300:330, 100:900] = 240 * 0.75

    white = read(scan_of(page)).white

    assert (white[300:330, 100:900] == 0).mean() > 0.9
