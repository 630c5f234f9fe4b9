"""Draw twelve kinds of modern pages with known ink, by code independent of the training pages.

Each kind is drawn in three sizes of print. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from testkit.images.pages import jpeg, noise, printed, scanned, shadow, text

SHAPE = (1000, 800)
PRINT_SIZES_PX = (16, 24, 36)


def blurred(page: Any, deviation_px: float) -> Any:
    return cv2.GaussianBlur(page, (0, 0), deviation_px)


def with_show_through(ink: Any) -> Any:
    back = blurred(text(*SHAPE, size_px=24, seed=9)[:, ::-1], 2)
    return printed(ink) - 60 * back * (1 - ink)


def with_tints(ink: Any) -> Any:
    tint = np.ones(SHAPE)
    tint[200:400], tint[600:700, 300:] = 0.75, 0.6
    return printed(ink) * tint


def as_form(ink: Any) -> Any:
    """Rules, a solid bar, and a band of reversed print."""
    ink[300:700:50, 40:760] = 1
    ink[750:850, 100:500] = 1
    ink[100:200] = 1 - ink[100:200]
    return printed(ink)


#: The function that makes each kind of page from its ink; `as_form` also adds ink.
KINDS: dict[str, Callable[[Any], Any]] = {
    "clean": printed,
    "scanned": lambda ink: printed(ink) + noise(SHAPE, 5),
    "noisy": lambda ink: printed(ink, paper=220, black=60) + noise(SHAPE, 22),
    "shadowed": lambda ink: printed(ink) * shadow(SHAPE) + noise(SHAPE, 3),
    "camera": lambda ink: jpeg(blurred(printed(ink) * shadow(SHAPE), 0.9) + noise(SHAPE, 5), 70),
    "blurred": lambda ink: blurred(printed(ink), 1.3) + noise(SHAPE, 3),
    "jpeg": lambda ink: jpeg(printed(ink), 30),
    "pale": lambda ink: printed(ink, paper=225, black=175) * shadow(SHAPE, 0.8) + noise(SHAPE, 3),
    "show-through": lambda ink: with_show_through(ink) + noise(SHAPE, 4),
    "tinted": lambda ink: with_tints(ink) + noise(SHAPE, 3),
    "form": lambda ink: as_form(ink) + noise(SHAPE, 4),
    "negative": lambda ink: 255 - printed(ink) + noise(SHAPE, 4),
}


def pages() -> Iterator[tuple[str, str, Any, Any]]:
    """(kind, size of print, gray page, truth); truth is 0 or 255."""
    for kind, spoil in KINDS.items():
        for size_px in PRINT_SIZES_PX:
            ink = text(*SHAPE, size_px=size_px, seed=size_px)
            page = scanned(spoil(ink))
            # A pixel is ink if half of it is covered; the kind `form` adds ink.
            yield kind, f"{size_px}px", page, np.where(ink >= 0.5, 0, 255).astype(np.uint8)
