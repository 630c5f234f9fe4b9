"""Draw A4 pages of text of any size, clean or noisy, gray or RGB, always the same."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np

A4_RATIO = 2**0.5
#: A4 at 200 dpi is 1654 pixels wide.
A4_200_DPI_WIDTH_PX = 1654
PAPER, INK = 255, 30
NOISE_DEVIATION = 4
SENTENCE = "the quick brown fox jumps over the lazy dog 0123456789 and then goes home"


def page(megapixels: float, *, is_noisy: bool, is_rgb: bool) -> bytes:
    """An A4 page of text as a PNG with Pillow's defaults, which are libpng's."""
    from PIL import Image

    height = round((megapixels * 1e6 * A4_RATIO) ** 0.5)
    pixels = drawn_text(round(height / A4_RATIO), height)
    if is_rgb:  # slightly warm paper, as in scans
        pixels = np.clip(pixels[..., np.newaxis] - np.array([0, 3, 9]), 0, 255)
    if is_noisy:
        noise = np.random.default_rng(1).normal(0, NOISE_DEVIATION, pixels.shape)
        pixels = np.clip(pixels * (238 / PAPER) + noise, 0, 255)
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG", dpi=(200, 200))
    return out.getvalue()


def drawn_text(width: int, height: int) -> Any:
    """Lines of text with margins and paragraphs; the letters grow with the page."""
    scale = width / A4_200_DPI_WIDTH_PX
    words = np.random.default_rng(1).permutation(SENTENCE.split() * 200).tolist()
    pixels = np.full((height, width), PAPER, np.uint8)
    margin, line_height = round(120 * scale), round(36 * scale)
    for number, y in enumerate(range(2 * margin, height - margin, line_height)):
        if number % 9 == 8:
            continue
        line = " ".join(words.pop() for _ in range(11))
        place, thickness = (margin, y), max(1, round(2 * scale))
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(pixels, line, place, font, 0.75 * scale, INK, thickness, cv2.LINE_AA)
    return pixels
