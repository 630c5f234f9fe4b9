"""Detect pages on old paper, and binarize them without the network.

On blotched and rough paper the learned threshold mistakes stains and ink of the other side for
writing. This classical method handles them better: it compares the depth of each spot below the
paper around it with the depth of the ink nearby and with the unevenness of the paper. Except for
the final comparison, the method reads only cells of 4 x 4 pixels, and every eighth row of pixels to
measure strokes.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray, histogram, quantile
from .compare import Limits, binarized, sampled
from .corrections.solids import solid_areas
from .page_maps import Layers, PageMaps
from .paper_depth import blotches, depths, faint_depth, least_paper, unevenness

#: Old paper is blotched: half of it differs by at least this many gray values from the mean of the
#: 160 x 160 pixels around, plus NOISE_BLOTCHES per gray value of noise. Clean paper with shadows
#: and noise reaches 0.13; old paper has 0.18 and more.
LEAST_BLOTCHES: Final = 0.155
NOISE_BLOTCHES: Final = 0.006
#: Old paper is blotched everywhere: the first quartile of the differences is at least this share of
#: the third. Pages with solid areas, desks or pictures have large steps and quiet paper.
LEAST_QUIET_PART: Final = 1 / 15
#: Old paper is rough: its brightest spots are at least LEAST_ROUGHNESS gray values brighter than
#: its mean, and at least NOISE_ROUGHNESS plus a fifth of the noise: noise alone explains less.
LEAST_ROUGHNESS: Final = 2
NOISE_ROUGHNESS: Final = 1.2
#: Noisier pages count as noisy, not as rough; the range of 8 x 8 pixels of paper, in gray values.
MOST_NOISE: Final = 48
#: The median run length of the ink in pixels, weighted by ink: 5 to 20 in manuscripts. Shorter runs
#: are small print, longer runs are solid areas.
RUNS_PX: Final = (5, 34)
#: A horizontal run through a stroke is this many times as long as the stroke is wide.
RUN_STROKES: Final = 1.96

#: Runs are measured in one row out of this many.
SAMPLED_ROWS: Final = 8
#: If faint ink is less deep than this, the edges belong to the paper, and nothing is written.
LEAST_FAINT: Final = 12
#: The paper behind strokes is found by a closing of at least this many cells, or as many cells as a
#: stroke has pixels.
LEAST_CLOSING: Final = 5

#: The depth of typical ink is this quantile of the depths of ink. The depth of the ink nearby is
#: limited to INK_RANGE times the typical depth.
INK_QUANTILE: Final = 0.63
INK_RANGE: Final = (0.5, 1.2)
#: Ink begins at this share of the way from the paper to the ink nearby ...
RIM_SHARE: Final = 0.42
#: ... but at least this many deviations of the paper below the paper.
LEAST_DEVIATIONS: Final = 4.5
#: Against grain, each pixel is moved by SMOOTHING / 20.5 towards the mean around it.
SMOOTHING: Final = 4

#: The largest share of the ink that may turn hollow: at most 0.28 on old paper, 0.40 and more on
#: charts, logos and desks.
MOST_HOLLOW: Final = 0.35

_CELL = np.ones((3, 3), np.uint8)
_BYTES: Final = "uint8[:,::1]"


def reread(page: Gray, maps: PageMaps, learned: Limits) -> Gray | None:
    """*page* in black and white; None if the result of the network, with *learned*, is better.

    Solid areas look like blotched paper, and the classical method leaves their insides white. So a
    page whose ink would mostly turn hollow keeps the result of the network.
    """
    old = limits(page, maps)
    if old is None or _hollow_share(sampled(page, learned), sampled(page, old)) > MOST_HOLLOW:
        return None
    # Solid areas at the border are desks and margins of the scan.
    return binarized(page, old._replace(dark=solid_areas(maps, page.shape)))


def _hollow_share(learned: Gray, white: Gray) -> float:
    """The share of the ink of *learned* that is inside an ink area and white in *white*.

    Areas that touch the border are margins or desks, and do not count. Both results are sampled at
    every fourth pixel of every fourth row.
    """
    framed = cv2.copyMakeBorder(learned, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(framed, None, (0, 0), 255, flags=4)  # the frame, and what touches it
    ink = cv2.bitwise_not(framed[1:-1, 1:-1])
    deep = cv2.erode(ink, _CELL)
    return cv2.countNonZero(cv2.bitwise_and(deep, white)) / max(1, cv2.countNonZero(ink))


def limits(page: Gray, maps: PageMaps) -> Limits | None:
    """What separates ink from paper on *page*; None if it is not on old paper."""
    if not _is_old_paper(maps, page.shape):
        return None
    run_px = _typical_run(page, maps)
    if not RUNS_PX[0] <= run_px <= RUNS_PX[1]:
        return None
    threshold = _threshold(maps, run_px / RUN_STROKES, page.shape)
    sharpness = np.full(maps.paper.shape, SMOOTHING, np.float32)
    return Limits(threshold, sharpness, np.zeros_like(maps.paper))


def _is_old_paper(maps: PageMaps, shape: tuple[int, ...]) -> bool:
    """Whether the paper is blotched everywhere and rough, and not just noisy."""
    quiet, typical, loud = blotches(maps.paper, shape)
    noise = quantile(histogram(maps.noise_32), 0.5)
    if noise > MOST_NOISE or typical < LEAST_BLOTCHES + NOISE_BLOTCHES * noise:
        return False
    if quiet < LEAST_QUIET_PART * loud:
        return False
    is_even = as_gray(maps.range_8 <= 1.3 * noise + 10)
    below = histogram(as_gray(cv2.subtract(maps.paper, maps.mean_8)), is_even)
    return quantile(below, 0.5) >= max(LEAST_ROUGHNESS, NOISE_ROUGHNESS + noise / 5)


def _typical_run(page: Gray, maps: PageMaps) -> int:
    """The median run length of the ink in pixels, weighted by ink; 0 without ink."""
    # Only every other row of cells contains a sampled row.
    paper = np.ascontiguousarray(maps.paper.repeat(2, axis=1))
    least = least_paper(maps)
    darkest, brightest = (
        depths(np.ascontiguousarray(cells[::2]), paper, least)
        for cells in (maps.cell_low, maps.cell_high)
    )
    faint = faint_depth(darkest, brightest)
    if faint < LEAST_FAINT:
        return 0
    limit = (paper.astype(np.uint16) * (255 - faint) // 255).astype(np.uint8)
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
    least = least_paper(maps)
    darkest, mean, brightest = (
        depths(cells, paper, least) for cells in (maps.cell_low, maps.cell_mean, maps.cell_high)
    )
    faint = faint_depth(darkest, brightest)
    counts = histogram(darkest)
    counts[: faint + 1] = 0
    typical = quantile(counts, INK_QUANTILE) if counts.any() else 255
    level, deviation = unevenness(darkest, mean, brightest, faint, stroke_px, shape)
    ink = ((darkest.astype(np.uint16) + mean + 1) >> 1).astype(np.uint8)
    ink = as_gray(cv2.dilate(ink, _CELL))
    ink = as_gray(cv2.blur(ink, (3, 3), borderType=cv2.BORDER_REPLICATE))
    threshold = np.empty(paper.shape, np.float32)
    low, high = (share * typical for share in INK_RANGE)
    _place(paper, least, ink, level, deviation, low, high, threshold)
    return threshold


@compiled(f"void({_BYTES}, {_BYTES}, int64[::1])")
def _count_runs(page: Any, limit: Any, runs: Any) -> None:
    """Count the runs of pixels up to *limit* by length; *limit* has every other row of cells."""
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


@compiled(
    f"void({_BYTES}, int64, {_BYTES}, float64[:,::1], float64[:,::1], float64, float64, "
    "float32[:,::1])"
)
def _place(
    paper: Any,
    least: int,
    ink: Any,
    level: Any,
    deviation: Any,
    low: float,
    high: float,
    threshold: Any,
) -> None:
    """Threshold = paper - depth; the depth is that of the rim of ink, or of the deepest paper."""
    rows, columns = paper.shape
    rims, ends = np.empty(columns, np.float32), np.empty(columns, np.float32)
    share, whole, steps = np.float32(RIM_SHARE), np.float32(1 / 255), np.float32(32)
    shallow, deep, floor = np.float32(low), np.float32(high), np.float32(least)
    for y in range(rows):
        means, spreads = level[y >> 1], deviation[y >> 1]
        p, d, out = paper[y], ink[y], threshold[y]
        for x in range(columns):
            rims[x] = np.float32(means[x >> 1] * (1 - RIM_SHARE))
            ends[x] = np.float32(means[x >> 1] + LEAST_DEVIATIONS * spreads[x >> 1])
        for x in range(columns):
            bright = np.float32(p[x])
            rim = rims[x] + share * min(max(np.float32(d[x]), shallow), deep)
            gray = bright - max(bright, floor) * max(rim, ends[x]) * whole
            out[x] = np.rint(max(gray, np.float32(-64)) * steps)
