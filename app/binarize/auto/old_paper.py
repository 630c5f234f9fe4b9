"""Detect pages on old paper, and binarize them without the network.

On blotched and rough paper the learned threshold mistakes stains and ink of the other side for
writing. This classical method handles them better: it compares the depth of each spot below the
paper around it with the depth of the ink nearby and with the unevenness of the paper. Except for
the final comparison, the method reads only cells of 4 x 4 pixels, and every eighth row of pixels to
measure strokes.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray, histogram, quantile
from .compare import compare
from .page_maps import Layers, PageMaps
from .paper_depth import depths, faint_depth, least_paper, unevenness

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
#: Strokes with a median run up to MOST_FINE_RUN_PX are writing if at most MOST_FINE_INK of the page
#: is ink: photographs have runs of 23 pixels and more, or larger dark areas.
MOST_FINE_RUN_PX: Final = 19
MOST_FINE_INK: Final = 0.2
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


class OldPage(NamedTuple):
    """0 for ink and 255 elsewhere, and whether the strokes are too fine for a photograph."""

    white: Gray
    is_finely_written: bool


def reread(page: Gray, maps: PageMaps, learned: Gray) -> OldPage | None:
    """*page* in black and white; None if *learned*, the result of the network, is better.

    Solid areas look like blotched paper, and the classical method leaves their insides white. So a
    page whose ink would mostly turn hollow keeps the result of the network.
    """
    old = binarize(page, maps)
    return None if old is None or _hollow_share(learned, old.white) > MOST_HOLLOW else old


def _hollow_share(learned: Gray, white: Gray) -> float:
    """The share of the ink of *learned* that is inside an ink area and white in *white*.

    Areas that touch the border are margins or desks, and do not count.
    """
    ink = as_gray(learned[::4, ::4] == 0)
    components: Any = cv2.connectedComponents(ink, connectivity=4)
    count, labels = components
    is_inside = np.ones(count, np.uint8)
    is_inside[0] = 0
    for rim in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        is_inside[rim] = 0
    # A look-up table: searching the list of components for each spot takes three times as long.
    ink = as_gray(is_inside.take(labels))
    deep = cv2.erode(ink, _CELL)
    return cv2.countNonZero(cv2.bitwise_and(deep, white[::4, ::4])) / max(1, cv2.countNonZero(ink))


def binarize(page: Gray, maps: PageMaps) -> OldPage | None:
    """*page* in black and white; None if it is not on old paper."""
    if not _is_old_paper(maps, page.shape):
        return None
    run_px = _typical_run(page, maps)
    if not RUNS_PX[0] <= run_px <= RUNS_PX[1]:
        return None
    threshold = _threshold(maps, run_px / RUN_STROKES, page.shape)
    sharpness = np.full(maps.paper.shape, SMOOTHING, np.float32)
    white = np.empty_like(page)
    compare(page, threshold, sharpness, np.zeros(maps.paper.shape, np.uint8), white)
    ink = white.size - cv2.countNonZero(white)
    return OldPage(white, run_px <= MOST_FINE_RUN_PX and ink <= MOST_FINE_INK * white.size)


def _is_old_paper(maps: PageMaps, shape: tuple[int, ...]) -> bool:
    """Whether the paper is blotched everywhere and rough, and not just noisy."""
    rows, columns = (side // 8 for side in shape)
    quiet, typical, loud = _blotches(maps.paper[:rows, :columns])
    noise = quantile(histogram(maps.noise_32), 0.5)
    if noise > MOST_NOISE or typical < LEAST_BLOTCHES + NOISE_BLOTCHES * noise:
        return False
    if quiet < LEAST_QUIET_PART * loud:
        return False
    is_even = as_gray(maps.range_8 <= 1.3 * noise + 10)
    below = histogram(as_gray(cv2.subtract(maps.paper, maps.mean_8)), is_even)
    return quantile(below, 0.5) >= max(LEAST_ROUGHNESS, NOISE_ROUGHNESS + noise / 5)


def _blotches(paper: Gray) -> tuple[float, ...]:
    """The quartiles of the difference between the paper, at 1/32, and the mean of 5 x 5 spots.

    In gray values.
    """
    rows, columns = (side // 4 for side in paper.shape)
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
