"""Invert light ink on transparency, which would be invisible on white paper.

A mark is a connected set of cells of 4 x 4 pixels, each with a pixel at least half as opaque as the
most opaque pixel of the page: a letter, a word, a logo, a cut-out sheet. A mark is light if hardly
any of its opaque pixels would be visible on white. Light marks are inverted, so that white ink
becomes black. Other marks, such as dark ink and light sheets with writing on them, keep the exact
values that they have on white.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..numeric.histogram import Gray, as_gray

_CELL_PX: Final = 4
#: Smaller images are too small for marks.
_MIN_SIDE_PX: Final = 2 * _CELL_PX
#: Rows per band, a multiple of the cell size, so that masks stay small.
_BAND_ROWS: Final = 256
#: Ink without paper leaves at least 1 / 4 of the page transparent; rounded corners and margins are
#: smaller.
_TRANSPARENT_PARTS: Final = 4
#: A pixel is visible on white if it is darker than 1 / 6 of the depth of black ink.
_VISIBLE_PARTS: Final = 6
#: In a light mark at most 1 / 256 of the pixels are visible, and at most this number.
_MOST_VISIBLE_PARTS: Final = 256
_MOST_VISIBLE_PIXELS: Final = 64
#: Soft edges and shadows within this many cells belong to a mark.
_EDGE_CELLS: Final = 3

Mask = NDArray[np.bool_]


def show_light_ink(gray: Gray, alpha: Gray) -> bool:
    """Invert light marks in *gray*, a page on white; returns whether most of the ink was light.

    *alpha* is the opacity of each pixel, 0 to 255. Takes less than one byte of memory per pixel.
    """
    if min(alpha.shape) < _MIN_SIDE_PX or _is_mostly_opaque(alpha):
        return False
    opaque, visible = _count_in_cells(gray, alpha)
    if not ((opaque > 0) & (visible == 0)).any():
        return False  # the few visible pixels of a light mark leave at least one cell without any
    marks = np.asarray(cv2.connectedComponents(opaque, connectivity=8)[1])
    is_light, share = _find_light_marks(marks, opaque, visible)
    if not is_light.any():
        return False
    near = _near_light(is_light[marks], is_dark=(opaque > 0) & ~is_light[marks])
    for rows in _bands(gray):
        _invert(gray[rows], alpha[rows], near[rows.start // _CELL_PX :])
    return share > 0.5


def _bands(page: Gray) -> Iterator[slice]:
    return (slice(top, top + _BAND_ROWS) for top in range(0, len(page), _BAND_ROWS))


def _is_mostly_opaque(alpha: Gray) -> bool:
    opacity = sum(int(alpha[rows].sum(dtype=np.int64)) for rows in _bands(alpha))
    return (255 * alpha.size - opacity) * _TRANSPARENT_PARTS < 255 * alpha.size or not opacity


def _count_in_cells(gray: Gray, alpha: Gray) -> tuple[Gray, Gray]:
    """The number of opaque pixels in each cell, and of the visible ones among them."""
    most, counts = int(alpha.max()), []
    lightest = (255 * _VISIBLE_PARTS - 1 - most) // _VISIBLE_PARTS
    for rows in _bands(gray):
        _, opaque = cv2.threshold(alpha[rows], (most - 1) // 2, 16, cv2.THRESH_BINARY)
        _, visible = cv2.threshold(gray[rows], lightest, 16, cv2.THRESH_BINARY_INV)
        cv2.bitwise_and(opaque, visible, dst=visible)
        counts.append((_in_cells(opaque), _in_cells(visible)))
    opaque_counts, visible_counts = zip(*counts, strict=True)
    return np.concatenate(opaque_counts), np.concatenate(visible_counts)


def _in_cells(mask: Any) -> Gray:
    """The number of pixels with the value 16 in each cell; all others are 0."""
    down, right = (-side % _CELL_PX for side in mask.shape)
    # The mean over the 16 pixels of a cell is exactly this number.
    whole = cv2.copyMakeBorder(mask, 0, down, 0, right, cv2.BORDER_CONSTANT, value=0)
    return as_gray(cv2.resize(whole, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))


def _find_light_marks(marks: NDArray[Any], opaque: Gray, visible: Gray) -> tuple[Mask, float]:
    """A mask of the light marks, by mark number, and their share of the opaque pixels."""
    flat = marks.ravel()
    pixels = np.bincount(flat, opaque.ravel())
    seen = np.bincount(flat, visible.ravel())
    is_light = (seen * _MOST_VISIBLE_PARTS <= pixels) & (seen <= _MOST_VISIBLE_PIXELS)
    is_light[0] = False  # number 0 is the space between marks
    return is_light, float(pixels[is_light].sum() / max(1, pixels.sum()))


def _near_light(is_light: Mask, *, is_dark: Mask) -> Gray:
    """255 in the cells to invert: light marks, and the cells around light marks only."""
    if not is_dark.any():
        return np.full(is_light.shape, 255, np.uint8)
    side = 2 * _EDGE_CELLS + 1
    near = as_gray(cv2.dilate(is_light.astype(np.uint8) * 255, np.ones((side, side), np.uint8)))
    near[is_dark] = 0
    return near


def _invert(gray: Gray, alpha: Gray, cells: Gray) -> None:
    """Invert the *cells*: c a + 1 - a, colour c on white, becomes (1 - c) a + 1 - a."""
    height, width = gray.shape
    where = cells.repeat(_CELL_PX, 0)[:height].repeat(_CELL_PX, 1)[:, :width]
    light = cv2.subtract(gray, cv2.bitwise_not(alpha))
    cv2.copyTo(cv2.bitwise_not(light), where, gray)
