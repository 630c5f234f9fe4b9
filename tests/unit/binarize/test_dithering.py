"""Error diffusion: the tones stay, and no error is lost."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.dithering import floyd_steinberg
from app.binarize.methods import binarize
from app.domain.methods import METHODS


def slowly(gray: Any) -> Any:
    """The same, pixel by pixel, with all errors in one table."""
    height, width = gray.shape
    values = np.zeros((height + 1, width + 2), int)
    values[:height, 1:-1] = gray
    white = np.zeros_like(gray)
    for y in range(height):
        for x in range(1, width + 1):
            white[y, x - 1] = 255 * (values[y, x] > 127)
            error = int(values[y, x]) - int(white[y, x - 1])
            right, left, under = error * 7 // 16, error * 3 // 16, error * 5 // 16
            values[y, x + 1] += right
            values[y + 1, x - 1] += left
            values[y + 1, x] += under
            values[y + 1, x + 1] += error - right - left - under
    return white


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (23, 40)])
def test_errors_go_where_floyd_and_steinberg_send_them(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(4).integers(0, 256, shape, np.uint8)

    assert (floyd_steinberg(gray) == slowly(gray)).all()


@pytest.mark.parametrize("gray", [0, 20, 64, 128, 200, 255])
def test_the_share_of_white_is_the_gray(gray: int) -> None:
    white = floyd_steinberg(np.full((200, 200), gray, np.uint8))

    assert abs(white.mean() - gray) < 2


def test_a_slope_keeps_its_tones_everywhere() -> None:
    slope = np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1))

    seen = cv2.blur(floyd_steinberg(slope).astype(np.float32), (41, 41))

    assert np.abs(seen - slope)[30:-30, 30:-30].max() < 6


def test_dithering_is_available_as_a_method() -> None:
    gray = np.random.default_rng(5).integers(0, 256, (30, 40), np.uint8)

    white, threshold = binarize(gray, "floyd-steinberg", METHODS["floyd-steinberg"].parse({}))

    assert threshold is None
    assert (white == slowly(gray)).all()
