"""Detect the kind of a page: writing, a blank page or a photograph; dark or light writing."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np

from ...numeric.histogram import (
    Gray,
    as_gray,
    clipped_noise,
    histogram,
    moments,
    otsu_split,
    quantile,
)
from .page_maps import CELL_PX, Cells, PageMaps
from .photograph import is_photograph

Kind = Literal["writing", "blank", "photograph"]
WRITING: Final = "writing"
BLANK: Final = "blank"
PHOTOGRAPH: Final = "photograph"
#: Ink is at least MIN_INK_DEVIATIONS deviations of the paper deeper than the mean of the paper, and
#: at least MIN_INK_DEPTH of 255. Anything less deep is noise.
MIN_INK_DEVIATIONS: Final = 5.0
MIN_INK_DEPTH: Final = 12
#: Specks of noise cover less than this share of a binarized page.
MORE_THAN_SPECKS: Final = 0.005
#: Black pixels are at least this many deviations of the paper deeper than paper if they are ink
#: under noise, and less deep if they are the dark part of the noise.
LEAST_SPLIT: Final = 2.0
#: Strokes are black areas of at least STROKE_SAMPLES, each for 16 pixels. They cover at least
#: LEAST_STROKES of a page with faint writing, and at most a third of that of a blank noisy one.
STROKE_SAMPLES: Final = 12
LEAST_STROKES: Final = 0.015
#: A page with a spot of this depth is not blank.
STRONG_DEPTH: Final = 64
#: A page is not blank if a block of 8 x 8 pixels has at least this range of gray values, and
#: EDGE_TIMES_NOISE times the range of quiet blocks.
STRONG_EDGE: Final = 40
EDGE_TIMES_NOISE: Final = 6
#: The means of 8 x 8 pixels of paper without ink deviate by at most this many gray values, 7 % of
#: 255, whatever the noise. A page with a larger deviation is a photograph.
MOST_PAPER_VARIATION: Final = 17
#: A page without ink becomes white, or black if nearly all of it is at most this bright.
MAX_ALL_INK_GRAY: Final = 63

#: Polarity is determined in windows of this many cells, which hold a few letters of body text.
WINDOW_CELLS: Final = 7
#: Cells of 4 pixels are merged to 8 or 16 on pages with more than twice this many: the letters
#: there are larger.
POLARITY_CELLS: Final = 60_000
MOST_HALVINGS: Final = 2
#: Smaller differences in gray are paper or noise, not the edge of ink.
MIN_EDGE_CONTRAST: Final = 24
#: A lower polarity means light ink. Dark ink gives 0.1 to 0.8, light ink the negative of that, and
#: photographs about 0.
INVERTED: Final = -0.05


def polarity(cells: Cells) -> float:
    """How much lighter the ground is than the writing: -1 to 1, below INVERTED for light writing.

    Ink covers less than half of the area around its edges, so the mean gray of a window with an
    edge is nearer to the ground than to the ink. All such windows vote, weighted by contrast:
    sum(2 mean - max - min) / sum(max - min); 1 if there is none.
    """
    mean = cells.mean
    for _ in range(MOST_HALVINGS):
        if mean.size > POLARITY_CELLS * 2:
            mean = as_gray(cv2.resize(mean, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    window = np.ones((WINDOW_CELLS, WINDOW_CELLS), np.uint8)
    highest, lowest = cv2.dilate(mean, window), cv2.erode(mean, window)
    contrast = cv2.subtract(highest, lowest)
    has_edge = as_gray(contrast > MIN_EDGE_CONTRAST)
    around = cv2.blur(mean, window.shape)
    if cv2.countNonZero(has_edge) == 0:
        return 1.0
    total, low, high = (cv2.mean(m, has_edge)[0] for m in (around, lowest, highest))
    return float((2 * total - high - low) / (high - low))


def is_inverted(cells: Cells, vote: float) -> bool:
    """Whether the writing of the page is light on a dark ground; *vote* is its polarity.

    Slides and dark boxes on paper also have light writing, but most of the page is light.
    """
    if vote >= INVERTED:
        return False
    counts = histogram(cells.mean)
    darkest, middle, brightest = (quantile(counts, share) for share in (0.02, 0.5, 0.98))
    return 2 * middle < darkest + brightest


def kind_of(
    page: Gray,
    white: Gray,
    maps: PageMaps,
    *,
    vote: float,
    has_ink: bool,
) -> Kind:
    """WRITING, BLANK or PHOTOGRAPH, judged by *page*, its *maps* and its binarized form *white*.

    *page* and *maps* show dark writing; *vote* is the size of its polarity, *has_ink* what
    `stands_out` found.
    """
    if is_photograph(maps, page.shape, vote=vote, has_ink=has_ink):
        return PHOTOGRAPH
    if not has_ink and not _is_split(page, white, maps) and not _has_strokes(white):
        return PHOTOGRAPH if _varies(maps) else BLANK
    if cv2.countNonZero(white) < white.size:
        return WRITING
    return PHOTOGRAPH if maps.depth.max() >= STRONG_DEPTH else BLANK


def stands_out(page: Gray, maps: PageMaps) -> bool:
    """Whether something on *page* is more than the noise of the paper."""
    return _has_strong_edges(maps) or _has_ink(page, maps)


def _has_strong_edges(maps: PageMaps) -> bool:
    """Whether some blocks have a far larger range than the quiet ones, as noise never has."""
    counts = histogram(maps.range_8)
    strong, quiet = int(maps.range_8.max()), quantile(counts, 0.1)
    return strong >= max(STRONG_EDGE, EDGE_TIMES_NOISE * quiet)


def _has_ink(page: Gray, maps: PageMaps) -> bool:
    """Whether single pixels, or the means of cells, stand out from the noise of the paper.

    The noise of single pixels does not depend on its grain; means show ink under strong noise.
    """
    sample = page[::CELL_PX, ::CELL_PX]
    cells = maps.cell_mean[: -(-page.shape[0] // CELL_PX), : -(-page.shape[1] // CELL_PX)]
    return _is_over_noise(sample, maps.paper) or _is_over_noise(cells, maps.paper)


def _is_split(page: Gray, white: Gray, maps: PageMaps) -> bool:
    """Whether the black pixels are more than specks, and deeper than the dark part of noise."""
    tone, is_ink = _tone(page[::CELL_PX, ::CELL_PX], maps.paper), white[::CELL_PX, ::CELL_PX] == 0
    if np.count_nonzero(is_ink) < max(1, MORE_THAN_SPECKS * tone.size):
        return False
    paper, deviation = moments(histogram(tone, as_gray(~is_ink)))
    ink, _ = moments(histogram(tone, as_gray(is_ink)))
    return paper - ink >= LEAST_SPLIT * deviation


def _has_strokes(white: Gray) -> bool:
    """Whether areas that are larger than specks of noise cover a part of the page."""
    ink = as_gray(white[::CELL_PX, ::CELL_PX] == 0)
    if cv2.countNonZero(ink) < LEAST_STROKES * ink.size:
        return False
    areas = cv2.connectedComponentsWithStats(ink)[2][1:, cv2.CC_STAT_AREA]
    return bool(areas[areas >= STROKE_SAMPLES].sum() >= LEAST_STROKES * ink.size)


def _varies(maps: PageMaps) -> bool:
    """Whether a page without ink varies more than paper does, apart from shadows and noise."""
    return bool(cv2.subtract(maps.paper, maps.mean_8).std() > MOST_PAPER_VARIATION)


def _is_over_noise(quarter: Gray, paper: Gray) -> bool:
    """Whether the pixels beyond the noise of the paper, at 1/4, are deep enough to be ink."""
    counts = histogram(_tone(quarter, paper))[::-1]
    noise = clipped_noise(counts, min(otsu_split(counts).threshold, 2 * quantile(counts, 0.5) + 4))
    beyond = counts.copy()
    beyond[: noise.limit + 1] = 0
    mean = moments(beyond)[0]
    deviations = (mean - noise.mean) / max(noise.deviation, 0.5)
    return mean >= MIN_INK_DEPTH and deviations >= MIN_INK_DEVIATIONS


def _tone(quarter: Gray, paper: Gray) -> Gray:
    """Grays at 1/4 relative to the paper around them; 255 is paper."""
    height, width = quarter.shape
    bright = paper.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    return as_gray(cv2.divide(quarter, np.maximum(bright, 1), scale=255))


def is_all_ink(gray: Gray) -> bool:
    """Whether the page is nearly black throughout; 1 % may be lighter."""
    return quantile(histogram(gray), 0.99) <= MAX_ALL_INK_GRAY
