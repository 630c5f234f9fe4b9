"""Draw pages with known ink, and degrade them as scanners and cameras do."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "1,250.00", "EUR"]


def text(height: int = 500, width: int = 600, *, size_px: int = 22, seed: int = 1) -> Any:
    """The share of ink in each pixel, 0 to 1: lines of words, drawn large and averaged."""
    rng, scale = np.random.default_rng(seed), 4
    canvas = Image.new("L", (width * scale, height * scale))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size_px * scale)
    for top in range(30, height - 2 * size_px, round(size_px * 1.5)):
        line = " ".join(rng.choice(WORDS, 40))
        while draw.textlength(line, font) > (width - 60) * scale:
            line = line.rpartition(" ")[0]
        draw.text((30 * scale, top * scale), line, 255, font)
    return cv2.resize(np.asarray(canvas), (width, height), interpolation=cv2.INTER_AREA) / 255


def printed(ink: Any, *, paper: float = 235, black: float = 35) -> Any:
    return paper + (black - paper) * ink


def noise(shape: tuple[int, ...], deviation: float, *, grain_px: float = 0, seed: int = 2) -> Any:
    """Normal noise of this *deviation*; with *grain_px* neighbours are alike."""
    values = np.random.default_rng(seed).normal(0, 1, shape)
    if grain_px:
        values = cv2.GaussianBlur(values, (0, 0), grain_px)
    return values * deviation / values.std()


def shadow(shape: tuple[int, ...], darkest: float = 0.45) -> Any:
    """Light that fades to the lower right, with the soft edge of a hand's shadow across."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width]
    slope = 1 - (1 - darkest) * (x / width + y / height) / 2
    return slope * (1 - 0.3 / (1 + np.exp((y + x / 2 - height * 0.7) / 15)))


def on_old_paper(ink: Any, *, other_side: float = 0.45, seed: int = 4) -> Any:
    """A page of *ink*, unevenly pale, on blotched, stained paper; *other_side* shows through."""
    shape = ink.shape
    paper = 205 + noise(shape, 7, grain_px=40, seed=seed) + noise(shape, 4, grain_px=8, seed=seed)
    paper *= 1 - 0.35 * _stain(shape, 0.3, 0.4) - 0.25 * _stain(shape, 0.8, 0.7)
    other = cv2.GaussianBlur(np.ascontiguousarray(ink[:, ::-1]), (0, 0), 2.2)
    depth = 0.55 + noise(shape, 0.06, grain_px=30, seed=seed)
    page = paper * (1 - other * other_side * 0.5) * (1 - cv2.GaussianBlur(ink, (0, 0), 0.7) * depth)
    return scanned(page + noise(shape, 1.5, seed=seed))


def _stain(shape: tuple[int, ...], down: float, right: float) -> Any:
    """1 within a stain, 0 outside, soft in between."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    away = np.hypot(y - down * shape[0], x - right * shape[1])
    return 1 / (1 + np.exp((away - shape[0] / 6) / 8))


def scanned(page: Any) -> Any:
    return np.clip(np.rint(page), 0, 255).astype(np.uint8)


def shadowed_page(height: int = 200, width: int = 330) -> Any:
    """A scanned page of text in a shadow, with noise."""
    page = printed(text(height, width)) * shadow((height, width))
    return scanned(page + noise((height, width), 5))


def jpeg(page: Any, quality: int) -> Any:
    data = cv2.imencode(".jpg", scanned(page), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def f_measure(white: Any, ink: Any) -> float:
    """Harmonic mean of precision and recall of ink in percent; *ink* from 0.5 on is ink.

    A method that also keeps hairlines thinner than half a pixel, as `auto`, loses up to 7 of it.
    """
    found, true = white == 0, ink >= 0.5
    return float(200 * (found & true).sum() / (found.sum() + true.sum()))
