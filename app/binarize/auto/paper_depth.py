"""Measure the depth of the cells of a page below the paper around them, and how it varies.

The depth of a gray value is its distance from the paper, as a share of the paper's brightness: 0 is
paper, 255 is black.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray, histogram, otsu_split, quantile
from .page_maps import PageMaps

Sums = NDArray[np.float64]

#: Faint ink begins at this share of the depth that separates ink from paper at edges.
FAINT_SHARE: Final = 0.85
#: Paper darker than this share of the page's median, such as a margin, counts as that bright:
#: otherwise noise and the grain of a desk would be deep.
LEAST_PAPER: Final = 0.5
#: The window in which the unevenness of paper is measured, in stroke widths.
PAPER_STROKES: Final = 14
#: The statistics of the whole page count as this share of a window, for windows almost without
#: paper.
PAGE_SHARE: Final = 0.05
#: The range of 16 pixels of normal noise is 3.58 deviations, so the variance is 1 / 3.58^2 of its
#: square.
VARIANCE_OF_RANGE: Final = 5 / 64

_BYTES: Final = "uint8[:,::1]"


def depths(values: Gray, paper: Gray, least: int) -> Gray:
    """The depth of *values* below *paper*; paper darker than *least* counts as *least*."""
    found = np.empty_like(paper)
    _depths_below(values, paper, least, found)
    return found


def least_paper(maps: PageMaps) -> int:
    """The gray value that darker paper counts as: LEAST_PAPER of the page's median."""
    return max(1, int(LEAST_PAPER * quantile(histogram(maps.paper), 0.5)))


def faint_depth(darkest: Gray, brightest: Gray) -> int:
    """The depth from which on a cell is likely to have ink.

    Only cells with an edge count. They have about as much ink as paper, so that the result does not
    depend on the amount of ink on the page.
    """
    steps = as_gray(cv2.subtract(darkest, brightest))
    edge = otsu_split(histogram(steps)).threshold
    is_edge = as_gray(steps > edge)
    counts = histogram(darkest, is_edge) + histogram(brightest, is_edge)
    return int(FAINT_SHARE * (otsu_split(counts).threshold + 0.5))


def unevenness(
    darkest: Gray, mean: Gray, brightest: Gray, faint: int, stroke_px: float, shape: tuple[int, ...]
) -> tuple[Sums, Sums]:
    """The mean and the deviation of the depth of the paper around each spot, at 1/8."""
    rows, columns = (-(-side // 8) for side in shape)
    sums = np.empty((3, darkest.shape[0] // 2, darkest.shape[1] // 2))
    _paper_sums(darkest, mean, brightest, faint, sums)
    inside = np.ascontiguousarray(sums[:, :rows, :columns])
    around = np.empty_like(sums)
    reach = max(1, round(PAPER_STROKES * stroke_px / 16))
    for values, out in zip(inside, around, strict=True):
        _sums_around(values, reach, out)
    total = inside.sum((1, 2))
    level, deviation = np.empty_like(sums[0]), np.empty_like(sums[0])
    share = PAGE_SHARE * 4 * (2 * reach + 1) ** 2 / max(total[0], 1.0)
    _moments(around, total * share, level, deviation)
    return level, deviation


def blotches(paper: Gray, shape: tuple[int, ...]) -> tuple[float, ...]:
    """The quartiles of the difference between *paper*, pooled to 1/32, and the mean of 5 x 5 spots.

    In gray values; *paper* is at 1/8, and *shape* that of the page.
    """
    rows, columns = (side // 32 for side in shape)
    if rows < 5 or columns < 5:
        return 0.0, 0.0, 0.0
    # A sum over the short axis of four takes three times as long.
    lines = paper[: 4 * rows, : 4 * columns].reshape(rows, 4, 4 * columns).sum(1, dtype=np.int64)
    spots = lines[:, ::4] + lines[:, 1::4] + lines[:, 2::4] + lines[:, 3::4]
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = spots.cumsum(0).cumsum(1)
    around = sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5]
    differences = np.sort(np.abs(25 * spots[2:-2, 2:-2] - around), axis=None)
    last = differences.size - 1
    # 16 values were added up per spot, and each difference was multiplied by 25.
    return tuple(int(differences[last * i // 4]) / 400 for i in (1, 2, 3))


@compiled(f"void({_BYTES}, {_BYTES}, int64, {_BYTES})")
def _depths_below(values: Any, paper: Any, least: int, depths: Any) -> None:
    full, half, zero = np.float32(255), np.float32(0.5), np.float32(0)
    floor = np.float32(least)
    # The compiler vectorizes only loops over few arrays.
    bright, part = np.empty(paper.shape[1], np.float32), np.empty(paper.shape[1], np.float32)
    for y in range(paper.shape[0]):
        p, v, out = paper[y], values[y], depths[y]
        for x in range(p.size):
            bright[x] = np.float32(p[x])
            part[x] = full / max(bright[x], floor)
        for x in range(p.size):
            out[x] = np.uint8(max(bright[x] - np.float32(v[x]), zero) * part[x] + half)


@compiled(f"void({_BYTES}, {_BYTES}, {_BYTES}, int64, float64[:,:,::1])")
def _paper_sums(darkest: Any, mean: Any, brightest: Any, faint: int, sums: Any) -> None:
    """For the cells without ink in each 2 x 2: their number, summed depths and summed squares."""
    _, rows, columns = sums.shape
    for i in range(rows):
        for k in range(columns):
            count, total, squares = 0.0, 0.0, 0.0
            for j in range(4):
                y, x = 2 * i + j // 2, 2 * k + j % 2
                if darkest[y, x] <= faint:
                    depth = np.float64(mean[y, x])
                    step = np.float64(darkest[y, x]) - np.float64(brightest[y, x])
                    count += 1.0
                    total += depth
                    squares += depth * depth + step * step * VARIANCE_OF_RANGE
            sums[0, i, k], sums[1, i, k], sums[2, i, k] = count, total, squares


@compiled("void(float64[:,::1], int64, float64[:,::1])")
def _sums_around(values: Any, reach: int, out: Any) -> None:
    """The sum of each window with sides of 2 *reach* + 1, without its part beyond the page."""
    rows, columns = values.shape
    column = np.zeros(columns)
    for y in range(-reach, rows):
        if y + reach < rows:
            column += values[y + reach]
        if y - reach - 1 >= 0:
            column -= values[y - reach - 1]
        if y < 0:
            continue
        total, line = 0.0, out[y]
        for x in range(-reach, columns):
            if x + reach < columns:
                total += column[x + reach]
            if x - reach - 1 >= 0:
                total -= column[x - reach - 1]
            if x >= 0:
                line[x] = total
        line[columns:] = line[columns - 1]
    out[rows:] = out[rows - 1]


@compiled("void(float64[:,:,::1], float64[::1], float64[:,::1], float64[:,::1])")
def _moments(around: Any, page: Any, level: Any, deviation: Any) -> None:
    """The mean and the deviation; with little paper around, mostly those of the page."""
    rows, columns = level.shape
    for y in range(rows):
        for x in range(columns):
            count = max(around[0, y, x] + page[0], 1e-3)
            mean = (around[1, y, x] + page[1]) / count
            squares = (around[2, y, x] + page[2]) / count
            level[y, x] = mean
            deviation[y, x] = np.sqrt(max(squares - mean * mean, 0.25))
