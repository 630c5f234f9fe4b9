"""Darken thin strokes in colour, such as pens and stamps, so that they count as ink.

The luma of a light-blue pen is 141 and that of yellow words 226, far from ink. Their chroma, the
largest minus the smallest channel, is higher than that of paper. So is the chroma of highlighters,
tinted paper, bars and photographs, but these are wide. A pixel is darkened by three quarters of the
difference between its chroma and that of the wide colours around it, but not below DARKEST; all
others keep their value.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..numeric.compiled import compiled
from ..numeric.histogram import Gray, as_gray
from ..png.chroma import LEAST_CHROMA

Bytes = NDArray[np.uint8]
#: Side of the cells in which chroma is compared, for pages of 150 to 300 dpi.
_CELL_PX: Final = 4
#: Larger pages get cells of twice this side. The chroma of a cell is that of its most colourful
#: pixel, so that words on a highlighter do not interrupt it.
_LARGE_PIXELS: Final = 16_000_000
#: A colour is wide where it fills a square with sides of this many cells.
_WIDE_CELLS: Final = 5
#: No pixel is darkened below this gray. Darker strokes would make the wide parts of the same ink,
#: and gray print beside it, look like paper.
DARKEST: Final = 90
#: A wide colour extends this many cells further, to cover its soft edges.
_REACH_CELLS: Final = 2


def darken_thin_color(gray: Gray, chroma: Gray) -> None:
    """Darken the pixels of *gray* that are more colourful than the wide colours around them."""
    cell_px = _CELL_PX if gray.size <= _LARGE_PIXELS else 2 * _CELL_PX
    wide = np.minimum(_wide_color(chroma, cell_px), 255 - LEAST_CHROMA)
    limits = np.repeat(wide + np.uint8(LEAST_CHROMA), cell_px, axis=1)[:, : gray.shape[1]]
    limits = np.ascontiguousarray(limits)
    _darken(gray, chroma, limits, cell_px)


def _wide_color(chroma: Gray, cell_px: int) -> Gray:
    """The chroma of the wide colours in or near each cell: (cells down, cells right)."""
    height = len(chroma)
    whole = height // cell_px * cell_px
    most = chroma[:whole].reshape(-1, cell_px, chroma.shape[1]).max(axis=1)
    if whole < height:
        most = np.concatenate([most, chroma[whole:].max(axis=0, keepdims=True)])
    # The border that OpenCV adds to a dilation is smaller than any value.
    cells = cv2.dilate(most, np.ones((1, cell_px), np.uint8), anchor=(0, 0))[:, ::cell_px]
    wide = cv2.erode(np.ascontiguousarray(cells), _square(_WIDE_CELLS))
    return as_gray(cv2.dilate(wide, _square(_WIDE_CELLS + 2 * _REACH_CELLS)))


def _square(side: int) -> Bytes:
    return np.ones((side, side), np.uint8)


@compiled("void(u1[:,::1], u1[:,::1], u1[:,::1], i8)")
def _darken(gray: Any, chroma: Any, limits: Any, cell_px: int) -> None:
    # All values are bytes, so that the compiler can process 32 pixels at once.
    floor = np.uint8(DARKEST)
    for y in range(len(gray)):
        grays, chromas, limit = gray[y], chroma[y], limits[y // cell_px]
        for x in range(len(grays)):
            thin = np.uint8(max(chromas[x], limit[x]) - limit[x])
            darker = np.uint8(thin - np.uint8(thin >> 2))
            least = min(grays[x], floor)
            grays[x] = max(np.uint8(max(grays[x], darker) - darker), least)
