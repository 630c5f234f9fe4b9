"""What a page is: dark or light writing, nothing, or a photograph."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np

from ...numeric.histogram import (
    Gray,
    Histogram,
    as_gray,
    clipped_noise,
    histogram,
    moments,
    otsu_split,
    quantile,
)
from .page_maps import CELL_PX, Cells, PageMaps

Kind = Literal["writing", "blank", "photograph"]
WRITING: Final = "writing"
BLANK: Final = "blank"
PHOTOGRAPH: Final = "photograph"
#: Ink lies at least so many deviations of the paper over its mean, and this much deeper of 255:
#: what does not is noise.
MIN_INK_DEVIATIONS: Final = 5.0
MIN_INK_DEPTH: Final = 12
#: Noise that came out black comes to less than this share of a page.
MORE_THAN_SPECKS: Final = 0.005
#: Ink under noise is so many deviations of the paper deeper than it; the dark part of noise less.
LEAST_SPLIT: Final = 2.0
#: Something as deep as this is no empty page, whatever it is.
STRONG_DEPTH: Final = 64
#: ... nor is one of which 8 x 8 pixels differ by this much, and so many times what quiet ones do.
STRONG_EDGE: Final = 40
EDGE_TIMES_NOISE: Final = 6
#: Paper without ink, over 8 x 8 pixels, varies by less than this many gray values, 7 % of 255,
#: however noisy it is. What varies more is a photograph.
MOST_PAPER_VARIATION: Final = 17
#: A photograph: not more than this share of it is as bright as paper ...
PAPER_TONE: Final = 230
MOST_PAPER: Final = 0.5
#: ... its even spots come to so many of 32 grays, where documents come to two or three, old and
#: badly lit ones to six, and those on a desk to twenty ...
LEAST_GRAYS: Final = 10
#: ... and this share of its changes at most is as strong as this share of the contrast around.
STRONG_SHARE: Final = 0.45
MOST_STRONG: Final = 0.5
#: Where so much came out black, more than ink comes to, it is one by these.
MUCH_BLACK: Final = 0.3
LEAST_GRAYS_IF_BLACK: Final = 8
MOST_STRONG_IF_BLACK: Final = 0.6
#: A page without ink is white, unless it is darker than this throughout: then it is all ink.
MAX_ALL_INK_GRAY: Final = 63

#: Polarity is judged in windows of so many cells: a few letters of body text ...
WINDOW_CELLS: Final = 7
#: ... of 4, 8 or 16 pixels, so that large pages, whose letters are larger, come to about so many.
POLARITY_CELLS: Final = 60_000
MOST_HALVINGS: Final = 2
#: Differences in gray below this are paper or noise, not the edge of ink.
MIN_EDGE_CONTRAST: Final = 24
#: Dark ink gives votes from 0.1 to 0.8, light ink the negative; photographs lie around 0.
INVERTED_VOTE: Final = -0.05


def is_inverted(cells: Cells) -> bool:
    """Whether the writing is lighter than its ground.

    Ink is the minority around its own edges. So in each window with an edge in it the mean
    gray lies nearer to the ground than to the ink, and votes, weighted by its contrast:
    vote = sum(2 mean - max - min) / sum(max - min), -1 to 1.
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
    pixels = cv2.countNonZero(has_edge)
    if pixels == 0:
        return False
    total, low, high = (cv2.mean(m, has_edge)[0] for m in (around, lowest, highest))
    return bool(2 * total - high - low < INVERTED_VOTE * (high - low))


def kind_of(page: Gray, white: Gray, maps: PageMaps, *, has_fine_strokes: bool = False) -> Kind:
    """WRITING, BLANK or PHOTOGRAPH, by the page and its maps and by what came out black.

    *page* and *maps* are of dark writing. Fine strokes are on no photograph; stained paper alone
    has as many grays as one.
    """
    black = white.size - cv2.countNonZero(white)
    if not has_fine_strokes and is_photograph(maps, black / white.size):
        return PHOTOGRAPH
    if not _stands_out(page, maps) and not _is_split(page, white, maps):
        return PHOTOGRAPH if _varies(maps) else BLANK
    if black:
        return WRITING
    return PHOTOGRAPH if maps.depth.max() >= STRONG_DEPTH else BLANK


def _stands_out(page: Gray, maps: PageMaps) -> bool:
    return _has_strong_edges(maps) or _has_ink(page, maps)


def _has_strong_edges(maps: PageMaps) -> bool:
    """Whether some spots differ by far more than the quiet ones; noise of any grain does not."""
    counts = histogram(maps.range_8)
    strong, quiet = int(maps.range_8.max()), quantile(counts, 0.1)
    return strong >= max(STRONG_EDGE, EDGE_TIMES_NOISE * quiet)


def _has_ink(page: Gray, maps: PageMaps) -> bool:
    """Whether anything stands out from the noise, which in single pixels is the same whatever
    its grain; ink under strong noise shows in the means of cells.
    """
    sample = page[::CELL_PX, ::CELL_PX]
    cells = maps.cell_mean[: -(-page.shape[0] // CELL_PX), : -(-page.shape[1] // CELL_PX)]
    return _is_over_noise(sample, maps.paper) or _is_over_noise(cells, maps.paper)


def _is_split(page: Gray, white: Gray, maps: PageMaps) -> bool:
    """Whether more came out black than specks, and it is more than the dark part of noise."""
    tone, is_ink = _tone(page[::CELL_PX, ::CELL_PX], maps.paper), white[::CELL_PX, ::CELL_PX] == 0
    if np.count_nonzero(is_ink) < max(1, MORE_THAN_SPECKS * tone.size):
        return False
    paper, deviation = moments(histogram(tone, as_gray(~is_ink)))
    ink, _ = moments(histogram(tone, as_gray(is_ink)))
    return paper - ink >= LEAST_SPLIT * deviation


def _varies(maps: PageMaps) -> bool:
    """Whether a page without ink varies more than paper does, shadows and noise taken away."""
    return bool(cv2.subtract(maps.paper, maps.mean_8).std() > MOST_PAPER_VARIATION)


def is_photograph(maps: PageMaps, black: float) -> bool:
    """Whether the page has tones instead of paper: it is little, or no, paper; its even spots
    are of many grays; and most of its changes are slight, where ink is dark at once. *black* is
    the share of it that came out black.
    """
    much = black > MUCH_BLACK
    least_grays = LEAST_GRAYS_IF_BLACK if much else LEAST_GRAYS
    most_strong = MOST_STRONG_IF_BLACK if much else MOST_STRONG
    far = cv2.resize(maps.paper_32, maps.paper.shape[::-1], interpolation=cv2.INTER_NEAREST)
    tone = as_gray(cv2.divide(maps.mean_8, np.maximum(far, 1), scale=255))
    if np.count_nonzero(tone > PAPER_TONE) > MOST_PAPER * tone.size:
        return False
    noise = quantile(histogram(maps.noise_32), 0.5)
    even = as_gray(maps.range_8 <= 1.3 * noise + 10)
    if _grays(histogram(tone, even)) < least_grays:
        return False
    near = cv2.resize(maps.depth_32, maps.paper.shape[::-1], interpolation=cv2.INTER_NEAREST)
    contrast = cv2.multiply(maps.paper, near, scale=STRONG_SHARE / 255)
    changes = int(np.count_nonzero(even == 0))
    strong = int(np.count_nonzero((maps.range_8 > contrast) & (even == 0)))
    return strong < most_strong * max(1, changes)


def _grays(counts: Histogram) -> float:
    """How many of 32 grays a histogram comes to: the exponential of its entropy."""
    shares = counts.reshape(32, 8).sum(1) / max(counts.sum(), 1)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _is_over_noise(quarter: Gray, paper: Gray) -> bool:
    """Whether what lies beyond the noise of the paper, at 1/4, is deep enough to be ink."""
    counts = histogram(_tone(quarter, paper))[::-1]
    noise = clipped_noise(counts, min(otsu_split(counts).threshold, 2 * quantile(counts, 0.5) + 4))
    beyond = counts.copy()
    beyond[: noise.limit + 1] = 0
    mean = moments(beyond)[0]
    deviations = (mean - noise.mean) / max(noise.deviation, 0.5)
    return mean >= MIN_INK_DEPTH and deviations >= MIN_INK_DEVIATIONS


def _tone(quarter: Gray, paper: Gray) -> Gray:
    """Grays at 1/4 as parts of the paper around them: 255 is paper."""
    height, width = quarter.shape
    bright = paper.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    return as_gray(cv2.divide(quarter, np.maximum(bright, 1), scale=255))


def is_all_ink(gray: Gray) -> bool:
    """Whether the page is nearly black throughout."""
    return quantile(histogram(gray), 0.99) <= MAX_ALL_INK_GRAY
