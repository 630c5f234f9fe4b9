"""Small maps of a page: the brightness of paper, the depth of ink and the noise, near and far.

All maps are computed from the darkest, the mean and the brightest gray of cells of 4 x 4 pixels, in
whole numbers, so that the results are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray

#: The side of a cell, a spot of the finest map.
CELL_PX: Final = 4
#: Maps cover whole squares with this side, a spot at the coarsest level of the network.
BLOCK_PX: Final = 64
#: The lowest contrast of a spot, in gray values: any lower contrast is paper.
LEAST_CONTRAST: Final = 5
#: Features are whole numbers of 1 / FEATURE_STEPS within +-FEATURE_LIMIT.
FEATURE_STEPS: Final = 64
FEATURE_LIMIT: Final = 3.0
FEATURES: Final = 24

Layers = NDArray[np.float32]


@dataclass(frozen=True)
class PageMaps:
    """The maps of a page: at 1/4 (`cell_*`), at 1/32, 1/64 or 1/128 by suffix, all others at 1/8.

    A depth is the distance of a gray from the paper, relative to the paper: 255 is black.
    """

    cell_low: Gray
    cell_mean: Gray
    cell_high: Gray
    #: The brightest gray within 36 pixels; within 144; within 580 and more.
    paper: Gray
    paper_32: Gray
    paper_128: Gray
    #: The depth of the darkest spot within 80 pixels; within 220.
    depth_32: Gray
    depth_64: Gray
    #: The smallest `range_8` within 48 pixels.
    noise_32: Gray
    #: The darkest mean of a cell, and the darkest pixel, within 6 pixels; then within 20.
    cell_dark: Gray
    cell_darkest: Gray
    dark: Gray
    darkest: Gray
    #: The mean gray within 20 pixels.
    mean: Gray
    #: The depth of the darkest of 2 x 2 cells.
    depth: Gray
    #: The mean of 8 x 8 pixels, and the difference between the brightest and the darkest of them.
    mean_8: Gray
    range_8: Gray
    #: The brightest of 8 x 8 pixels.
    high_8: Gray
    #: The greatest `Cells.step` of 2 x 2 cells.
    step_8: Gray


@dataclass(frozen=True)
class Cells:
    """The darkest, mean and brightest gray of each cell of 4 x 4 pixels.

    *step* is the greatest difference from a pixel of the second row to the right or downward.
    """

    low: Gray
    mean: Gray
    high: Gray
    step: Gray


def page_maps(cells: Cells) -> PageMaps:
    """The maps of the page with these *cells*."""
    low, mean, high = cells.low, cells.mean, cells.high
    low_8, high_8 = _pairs(low, _darkest_of_four), _pairs(high, _brightest_of_four)
    dark_8 = _pairs(mean, _darkest_of_four)
    paper = _blur(_close(_pairs(mean, _brightest_of_four), 9), 5)
    brightest_32 = _pool(paper, 4, _brightest_of_four)
    paper_128 = _blur(_close(_pool(brightest_32, 4, _brightest_of_four), 9), 3)
    depth = _relative_depth(dark_8, paper)
    depth_32 = _pool(depth, 4, _brightest_of_four)
    range_8, mean_8 = as_gray(cv2.subtract(high_8, low_8)), _halved(mean)
    noise_32 = _pool(range_8, 4, _darkest_of_four)
    return PageMaps(
        cell_low=low,
        cell_mean=mean,
        cell_high=high,
        paper=paper,
        paper_32=_blur(_close(brightest_32, 9), 5),
        paper_128=paper_128,
        depth_32=_blur(as_gray(cv2.dilate(depth_32, _square(5))), 3),
        depth_64=_blur(as_gray(cv2.dilate(_pool(depth_32, 2, _brightest_of_four), _square(7))), 3),
        noise_32=_blur(as_gray(cv2.erode(noise_32, _square(3))), 3),
        cell_dark=_blur(as_gray(cv2.erode(mean, _square(3))), 3),
        cell_darkest=_blur(as_gray(cv2.erode(low, _square(3))), 3),
        dark=_blur(as_gray(cv2.erode(dark_8, _square(5))), 3),
        darkest=_blur(as_gray(cv2.erode(low_8, _square(5))), 3),
        mean=_blur(mean_8, 5),
        depth=depth,
        mean_8=mean_8,
        range_8=range_8,
        high_8=high_8,
        step_8=_pairs(cells.step, _brightest_of_four),
    )


def cells_of(page: Gray) -> Cells:
    """The cells of *page*, mirrored beyond its right and lower border to whole blocks.

    A replicated border would have less noise than the page, and specks would come out black.
    """
    rows, columns = (BLOCK_PX // CELL_PX * -(-side // BLOCK_PX) for side in page.shape)
    low, mean, high, step = (np.empty((rows, columns), np.uint8) for _ in range(4))
    _cell_statistics(page, low, mean, high, step)
    return Cells(low, mean, high, step)


@compiled()
def _mirrored(at: int, length: int) -> int:
    """The place in 0 to *length* - 1 that *at* is the mirror image of, as on a folded strip."""
    folded = at % (2 * length)
    return min(folded, 2 * length - 1 - folded)


# The compiler vectorizes only loops over few arrays.


@compiled()
def _raise_to_steps(values: Any, beside: Any, steps: Any) -> None:
    """Raise *steps* to the differences between *values* and *beside*, for as many as it has."""
    for x in range(beside.size):
        a, b = values[x], beside[x]
        steps[x] = max(steps[x], np.uint8(max(a, b) - min(a, b)))


@compiled()
def _most_of_four(row: Any, out: Any) -> None:
    for x in range(out.size):
        k = 4 * x
        out[x] = max(max(row[k], row[k + 1]), max(row[k + 2], row[k + 3]))


@compiled("void(uint8[:,::1], uint8[:,::1], uint8[:,::1], uint8[:,::1], uint8[:,::1])")
def _cell_statistics(page: Any, low: Any, mean: Any, high: Any, step: Any) -> None:
    height, width = page.shape
    rows, columns = low.shape
    darkest, brightest = np.empty(4 * columns, np.uint8), np.empty(4 * columns, np.uint8)
    total, steepest = np.empty(4 * columns, np.uint16), np.zeros(4 * columns, np.uint8)
    for i in range(rows):
        row_0, row_1 = page[_mirrored(4 * i, height)], page[_mirrored(4 * i + 1, height)]
        row_2, row_3 = page[_mirrored(4 * i + 2, height)], page[_mirrored(4 * i + 3, height)]
        for x in range(width):
            a, b, c, d = row_0[x], row_1[x], row_2[x], row_3[x]
            darkest[x] = min(min(a, b), min(c, d))
            brightest[x] = max(max(a, b), max(c, d))
            total[x] = np.uint16(a) + np.uint16(b) + np.uint16(c) + np.uint16(d)
        steepest[:] = 0
        _raise_to_steps(row_1, row_1[1:], steepest)
        _raise_to_steps(row_1, row_2[:-1], steepest)
        for x in range(width, 4 * columns):
            k = _mirrored(x, width)
            darkest[x], brightest[x], total[x] = darkest[k], brightest[k], total[k]
            steepest[x] = steepest[k]
        _most_of_four(brightest, high[i])
        _most_of_four(steepest, step[i])
        out_low, out_mean = low[i], mean[i]
        for x in range(columns):
            k = 4 * x
            out_low[x] = min(min(darkest[k], darkest[k + 1]), min(darkest[k + 2], darkest[k + 3]))
            four = total[k] + total[k + 1] + total[k + 2] + total[k + 3]
            out_mean[x] = np.uint8((four + np.uint16(8)) >> 4)


@compiled("void(uint8[:,::1], uint8[:,::1], uint8[:,::1])")
def _depth_of(dark: Any, paper: Any, depth: Any) -> None:
    rows, columns = dark.shape
    full = np.float32(255)
    for i in range(rows):
        d, p, out = dark[i], paper[i], depth[i]
        for x in range(columns):
            bright = np.float32(max(p[x], np.uint8(1)))
            out[x] = np.uint8(max(bright - np.float32(d[x]), np.float32(0)) * full / bright)


def _relative_depth(dark: Gray, paper: Gray) -> Gray:
    """255 (paper - dark) / paper."""
    depth = np.empty_like(paper)
    _depth_of(dark, paper, depth)
    return depth


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)


def _close(gray: Gray, side: int) -> Gray:
    return as_gray(cv2.morphologyEx(gray, cv2.MORPH_CLOSE, _square(side)))


def _blur(gray: Gray, side: int) -> Gray:
    """The mean of each square, rounded; with an odd side, no mean is half way between two grays."""
    return as_gray(cv2.blur(gray, (side, side), borderType=cv2.BORDER_REPLICATE))


def _pairs(gray: Gray, least_or_most: Any) -> Gray:
    """The least or the most of each square of 2 x 2."""
    out = np.empty((gray.shape[0] // 2, gray.shape[1] // 2), np.uint8)
    least_or_most(np.ascontiguousarray(gray), out)
    return out


@compiled("void(uint8[:,::1], uint8[:,::1])")
def _darkest_of_four(gray: Any, out: Any) -> None:
    for y in range(out.shape[0]):
        a, b, o = gray[2 * y], gray[2 * y + 1], out[y]
        for x in range(o.size):
            o[x] = min(min(a[2 * x], a[2 * x + 1]), min(b[2 * x], b[2 * x + 1]))


@compiled("void(uint8[:,::1], uint8[:,::1])")
def _brightest_of_four(gray: Any, out: Any) -> None:
    for y in range(out.shape[0]):
        a, b, o = gray[2 * y], gray[2 * y + 1], out[y]
        for x in range(o.size):
            o[x] = max(max(a[2 * x], a[2 * x + 1]), max(b[2 * x], b[2 * x + 1]))


def _halved(gray: Gray) -> Gray:
    height, width = gray.shape
    return as_gray(cv2.resize(gray, (width // 2, height // 2), interpolation=cv2.INTER_AREA))


def _pool(gray: Gray, side: int, least_or_most: Any) -> Gray:
    """The least or the most of each square with *side* 2 or 4; the border is replicated."""
    down, right = (-length % side for length in gray.shape)
    if down or right:
        gray = as_gray(cv2.copyMakeBorder(gray, 0, down, 0, right, cv2.BORDER_REPLICATE))
    halved = _pairs(gray, least_or_most)
    return halved if side == 2 else _pairs(halved, least_or_most)
