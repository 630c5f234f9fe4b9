"""Kinds on which what matters is fine or faint: small codes, blurred, noisy and pale print."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from app.binarize.auto.page_maps import CELL_PX

from .kinds import kind
from .office import black, sheet
from .sheet import Rng, Sheet, blurred, handwriting
from .spoil import jpeg


def _columns(page: Sheet, low_px: float, high_px: float, gray: float = 0) -> None:
    """Fill the page with print of these sizes, each paragraph in a font of its own."""
    rng, top = page.rng, 16.0
    while top < page.height - 40:
        high = min(page.height - 6, top + rng.uniform(80, 300))
        box = (20, top, page.width - 20, high)
        top = page.print(box, rng.uniform(low_px, high_px), gray or black(rng)) + 10


def _modules(rng: Rng) -> Any:
    """The dark modules of a square code, or of bars."""
    if rng.random() < 0.3:
        return np.repeat(rng.random(70) < 0.5, rng.integers(1, 4, 70))[None, :]
    if rng.random() < 0.5:
        return rng.random((24, 24)) < 0.5
    text = "".join(str(v) for v in rng.integers(0, 9, int(rng.integers(8, 40))))
    return cv2.QRCodeEncoder.create().encode(text)[2:-2, 2:-2] < 128


@kind(weight=3.0, hard=0.6)
def small_codes(rng: Rng) -> Sheet:
    """Several codes with modules of 2 to 5 pixels above small print.

    Many are as a program draws them: sharp, and often of as many pixels as a cell, on its grid.
    """
    page = sheet(rng)
    page.is_blurred = rng.random() < 0.4
    cover, left = np.zeros_like(page.gray), 20
    while left < page.width - 60:
        side, modules = int(rng.integers(2, 6)), _modules(rng)
        if page.is_blurred and rng.random() < 0.6:
            side, left = CELL_PX, left // CELL_PX * CELL_PX
        high = int(rng.integers(40, 120)) if len(modules) == 1 else side
        dark = np.kron(modules, np.ones((high, max(1, side // 2) if high > side else side)))
        room = cover[20 : page.height // 2, left : page.width - 20]
        room[: len(dark), : dark.shape[1]] = dark[: len(room), : room.shape[1]]
        left += dark.shape[1] + int(rng.integers(12, 60))
    page.lay(cover, page.gray[0, 0] * rng.uniform(0.04, 0.6))
    box = (20, page.height / 2 + 10, page.width - 20, page.height - 6)
    page.print(box, rng.uniform(9, 20), black(rng))
    return page


@kind(weight=4.0, hard=0.25)
def blurred_print(rng: Rng) -> Sheet:
    """Print of 9 to 22 pixels, out of focus, with little noise."""
    page = sheet(rng)
    size = float(rng.uniform(9, 22))
    _columns(page, size, size)
    page.gray = blurred(page.gray, rng.uniform(0.5, 1.5) * min(1.0, size / 16))
    page.is_blurred = True
    return page


@kind(weight=2.5, hard=0.2)
def noisy_print(rng: Rng) -> Sheet:
    """Print in the strong noise of a dark photograph."""
    page = sheet(rng, dark=0.3)
    _columns(page, 13, 34, float(page.gray[0, 0] * rng.uniform(0.1, 0.4)))
    most = float(np.ptp(page.gray))
    noise = rng.standard_normal(page.gray.shape, np.float32)
    page.gray = page.gray + most * rng.uniform(0.05, 0.15) * noise
    page.is_blurred = True
    return page


@kind(weight=4.0, hard=0.2)
def coarse_jpeg(rng: Rng) -> Sheet:
    """Print with the rings that coarse JPEGs have around letters."""
    page = sheet(rng)
    _columns(page, 10, 30)
    if rng.random() < 0.6:
        page.gray = blurred(page.gray, rng.uniform(0.3, 0.8)) + rng.normal(0, 2, page.gray.shape)
    pixels = np.clip(np.rint(page.gray), 0, 255).astype(np.uint8)
    page.gray = jpeg(pixels, int(rng.integers(10, 35))).astype(np.float32)
    page.is_blurred = True
    return page


@kind(weight=2.5, hard=0.25)
def faint_writing(rng: Rng) -> Sheet:
    """Pencil or a pen that runs dry, on even paper: an eighth to a third darker than it."""
    page = sheet(rng)
    gray = float(page.gray[0, 0] * rng.uniform(0.66, 0.88))
    if rng.random() < 0.6:
        page.lay(handwriting(rng, page.height, page.width, broad=rng.random() < 0.5), gray)
    else:
        _columns(page, 14, 40, gray)
    return page


@kind(weight=2.0, hard=0.5)
def shaded_margin(rng: Rng) -> Sheet:
    """Print with wide margins; the light falls off along one to four of them."""
    page = sheet(rng, dark=0)
    aside = rng.uniform(60, 200, 4)
    box = (aside[0], aside[1], page.width - aside[2], page.height - aside[3])
    page.print(box, rng.uniform(12, 34), black(rng))
    for side in range(4):
        if rng.random() < 0.6:
            page.gray *= np.rot90(_falling(rng, page.gray.shape, side % 2), side)
    return page


def _falling(rng: Rng, shape: tuple[int, ...], turned: int) -> Any:
    """Light that falls towards the left margin."""
    height, width = shape[::-1] if turned else shape
    away = np.arange(width, dtype=np.float32) / np.float32(rng.uniform(20, 200))
    light = 1 - rng.uniform(0.1, 0.65) * np.clip(1 - away, 0, 1) ** rng.uniform(1, 3)
    return np.tile(light.astype(np.float32), (height, 1))
