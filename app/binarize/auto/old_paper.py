"""Old paper: tell a page on it, and split ink from paper there without the network.

On blotched and rough paper the learned threshold takes stains and the other side's ink for writing.
The classical way stands them better: the depth of each spot below the paper around it, compared
with the depth of the ink nearby and with how uneven the paper is. All of it up to the comparison
sees only the cells of 4 x 4 pixels, and one row of eight to measure strokes.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray, histogram, otsu_split, quantile
from .compare import compare
from .page_maps import Layers, PageMaps

Sums = NDArray[np.float64]

#: Old paper is blotched: half of it differs by more than so many gray values from the mean of
#: 160 pixels around, what noise adds taken away. Clean paper, shadows and noise included, comes to
#: 0.13, old paper from 0.18 on.
LEAST_BLOTCHES: Final = 0.155
NOISE_BLOTCHES: Final = 0.006
#: ... and everywhere: the quietest quarter of the rest at least this part of the loudest. Solid
#: areas, desks and pictures have steps beside which the rest is quiet.
LEAST_QUIET_PART: Final = 1 / 15
#: ... and rough: its brightest spots are brighter than its mean by this, at least.
LEAST_ROUGHNESS: Final = 2
#: ... but not by noise, which makes its pixels differ by more than this.
MOST_NOISE: Final = 48
#: Half of the ink lies in runs of at least so many pixels. What is narrower is small print.
RUNS_PX: Final = (4, 64)
#: A run of pixels through a stroke is so many times as long as the stroke is wide.
RUN_STROKES: Final = 1.96

#: One row of so many is looked at for runs.
SAMPLED_ROWS: Final = 8
#: Ink is what is deeper than this share of the depth half way down the edges.
FAINT_SHARE: Final = 0.85
#: Where that is less, the edges are of the paper itself: nothing is written.
LEAST_FAINT: Final = 12
#: The paper behind the strokes: closed over so many cells, or as many as a stroke has pixels.
LEAST_CLOSING: Final = 5
#: How uneven paper is shows within so many strokes.
PAPER_STROKES: Final = 14
#: Where next to no paper shows, the whole page's figures count as this share of a window.
PAGE_SHARE: Final = 0.05
#: The deepest of 16 pixels of noise and the least deep lie 3.58 deviations apart: 1 / 3.58^2.
VARIANCE_OF_RANGE: Final = 5 / 64

#: Typical ink is as deep as this share of the ink; the depth nearby counts within these multiples.
INK_QUANTILE: Final = 0.63
INK_RANGE: Final = (0.5, 1.2)
#: The rim of ink lies at this share of the way from the paper to the ink nearby ...
RIM_SHARE: Final = 0.42
#: ... and at least so many deviations of the paper below it.
LEAST_DEVIATIONS: Final = 4.5
#: How far a pixel counts as its neighbours do, for grain: in 1 / 28 of the way.
SMOOTHING: Final = 8

_CELL = np.ones((3, 3), np.uint8)
_BYTES: Final = "uint8[:,::1]"


def binarize(page: Gray, maps: PageMaps) -> Gray | None:
    """0 where *page* is ink and 255 elsewhere; None if it is not on old paper."""
    if not _is_old_paper(maps, page.shape):
        return None
    run_px = _typical_run(page, maps)
    if not RUNS_PX[0] <= run_px <= RUNS_PX[1]:
        return None
    threshold = _threshold(maps, run_px / RUN_STROKES, page.shape)
    sharpness = np.full(maps.paper.shape, SMOOTHING, np.float32)
    white = np.empty_like(page)
    compare(page, threshold, sharpness, white)
    return white


def _is_old_paper(maps: PageMaps, shape: tuple[int, ...]) -> bool:
    """Whether the paper is blotched throughout, and rough, but not by noise."""
    rows, columns = (side // 8 for side in shape)
    quiet, typical, loud = _blotches(maps.paper[:rows, :columns])
    noise = quantile(histogram(maps.noise_32), 0.5)
    if noise > MOST_NOISE or typical < LEAST_BLOTCHES + NOISE_BLOTCHES * noise:
        return False
    if quiet < LEAST_QUIET_PART * loud:
        return False
    is_even = as_gray(maps.range_8 <= 1.3 * noise + 10)
    below = histogram(as_gray(cv2.subtract(maps.paper, maps.mean_8)), is_even)
    return quantile(below, 0.5) >= LEAST_ROUGHNESS


def _blotches(paper: Gray) -> tuple[float, ...]:
    """By how many gray values the paper, at 1/32, differs from the mean of 5 x 5 spots.

    In a quarter of it at most, in half of it and in three quarters.
    """
    rows, columns = (side // 4 for side in paper.shape)
    if rows < 5 or columns < 5:
        return 0.0, 0.0, 0.0
    spots = paper[: 4 * rows, : 4 * columns].reshape(rows, 4, columns, 4).astype(np.int64)
    spots = spots.sum((1, 3))
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = spots.cumsum(0).cumsum(1)
    around = sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5]
    differences = np.sort(np.abs(25 * spots[2:-2, 2:-2] - around), axis=None)
    last = differences.size - 1
    # Sums of 16 spots and of 25.
    return tuple(int(differences[last * i // 4]) / 400 for i in (1, 2, 3))


def _typical_run(page: Gray, maps: PageMaps) -> int:
    """Half of the ink lies in runs of at least so many pixels; 0 if there is none."""
    paper = np.ascontiguousarray(maps.paper.repeat(2, axis=0).repeat(2, axis=1))
    darkest, _, brightest = _depths(maps, paper)
    faint = _faint_depth(darkest, brightest)
    if faint < LEAST_FAINT:
        return 0
    limit = (paper[::2].astype(np.uint16) * (255 - faint) // 255).astype(np.uint8)
    runs = np.zeros(256, np.int64)
    _count_runs(page, limit, runs)
    pixels = (runs * np.arange(256)).cumsum()
    return int(np.searchsorted(pixels, pixels[-1] / 2))


def _threshold(maps: PageMaps, stroke_px: float, shape: tuple[int, ...]) -> Layers:
    """The threshold at 1/4, in 1/32 gray values."""
    side = max(LEAST_CLOSING, round(stroke_px) | 1)
    paper = as_gray(
        cv2.morphologyEx(maps.cell_mean, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    )
    darkest, mean, brightest = _depths(maps, paper)
    faint = _faint_depth(darkest, brightest)
    counts = histogram(darkest)
    counts[: faint + 1] = 0
    typical = quantile(counts, INK_QUANTILE) if counts.any() else 255
    level, deviation = _unevenness(darkest, mean, brightest, faint, stroke_px, shape)
    ink = ((darkest.astype(np.uint16) + mean + 1) >> 1).astype(np.uint8)
    ink = as_gray(cv2.dilate(ink, _CELL))
    ink = as_gray(cv2.blur(ink, (3, 3), borderType=cv2.BORDER_REPLICATE))
    threshold = np.empty(paper.shape, np.float32)
    low, high = (share * typical for share in INK_RANGE)
    _place(paper, ink, level, deviation, low, high, threshold)
    return threshold


def _depths(maps: PageMaps, paper: Gray) -> tuple[Gray, Gray, Gray]:
    """How deep the darkest, the mean and the brightest of each cell lie below *paper*, of 255."""
    darkest, mean, brightest = (np.empty_like(paper) for _ in range(3))
    _depths_below(maps.cell_low, maps.cell_mean, maps.cell_high, paper, darkest, mean, brightest)
    return darkest, mean, brightest


def _faint_depth(darkest: Gray, brightest: Gray) -> int:
    """What is deeper is likely ink: FAINT_SHARE of the way down the edges.

    Only cells with an edge in them are asked, where ink and paper are about equally many, so that
    pages with little ink and pages with much are split alike.
    """
    steps = as_gray(cv2.subtract(darkest, brightest))
    edge = otsu_split(histogram(steps)).threshold
    is_edge = as_gray(steps > edge)
    counts = histogram(darkest, is_edge) + histogram(brightest, is_edge)
    return int(FAINT_SHARE * (otsu_split(counts).threshold + 0.5))


def _unevenness(
    darkest: Gray, mean: Gray, brightest: Gray, faint: int, stroke_px: float, shape: tuple[int, ...]
) -> tuple[Sums, Sums]:
    """Mean and deviation of the depth of the paper around each spot, at 1/8."""
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


@compiled(", ".join([_BYTES] * 7).join(("void(", ")")))
def _depths_below(
    low: Any, mean: Any, high: Any, paper: Any, darkest: Any, middle: Any, brightest: Any
) -> None:
    full, half, zero = np.float32(255), np.float32(0.5), np.float32(0)
    for y in range(paper.shape[0]):
        p, a, b, c = paper[y], low[y], mean[y], high[y]
        out_a, out_b, out_c = darkest[y], middle[y], brightest[y]
        for x in range(p.size):
            bright = np.float32(max(p[x], np.uint8(1)))
            part = full / bright
            out_a[x] = np.uint8(max(bright - np.float32(a[x]), zero) * part + half)
            out_b[x] = np.uint8(max(bright - np.float32(b[x]), zero) * part + half)
            out_c[x] = np.uint8(max(bright - np.float32(c[x]), zero) * part + half)


@compiled(f"void({_BYTES}, {_BYTES}, int64[::1])")
def _count_runs(page: Any, limit: Any, runs: Any) -> None:
    """Count runs of pixels up to *limit*, given for cells of every other row, by their length."""
    height, width = page.shape
    for i in range((height + SAMPLED_ROWS - 1) // SAMPLED_ROWS):
        row, most = page[i * SAMPLED_ROWS], limit[i]
        length = 0
        for x in range(width):
            if row[x] <= most[x >> 2]:
                length += 1
            elif length:
                runs[min(length, 255)] += 1
                length = 0
        if length:
            runs[min(length, 255)] += 1


@compiled(f"void({_BYTES}, {_BYTES}, {_BYTES}, int64, float64[:,:,::1])")
def _paper_sums(darkest: Any, mean: Any, brightest: Any, faint: int, sums: Any) -> None:
    """Of the cells without ink among each 2 x 2: their number, depths, and mean squares."""
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
    """Sums of the windows of 2 *reach* + 1, as far as they lie on the page."""
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
    """Mean and deviation, pulled to the page's where there is little paper."""
    rows, columns = level.shape
    for y in range(rows):
        for x in range(columns):
            count = max(around[0, y, x] + page[0], 1e-3)
            mean = (around[1, y, x] + page[1]) / count
            squares = (around[2, y, x] + page[2]) / count
            level[y, x] = mean
            deviation[y, x] = np.sqrt(max(squares - mean * mean, 0.25))


@compiled(
    f"void({_BYTES}, {_BYTES}, float64[:,::1], float64[:,::1], float64, float64, float32[:,::1])"
)
def _place(
    paper: Any, ink: Any, level: Any, deviation: Any, low: float, high: float, threshold: Any
) -> None:
    """Threshold = paper - depth: RIM_SHARE of the way to the ink, or where paper ends."""
    rows, columns = paper.shape
    for y in range(rows):
        means, spreads, out = level[y >> 1], deviation[y >> 1], threshold[y]
        for x in range(columns):
            mean = means[x >> 1]
            deep = min(max(np.float64(ink[y, x]), low), high)
            rim = mean + RIM_SHARE * (deep - mean)
            depth = max(rim, mean + LEAST_DEVIATIONS * spreads[x >> 1])
            gray = np.float64(paper[y, x]) * (255.0 - depth) / 255.0
            out[x] = np.float32(np.rint(max(gray, -64.0) * 32.0))
