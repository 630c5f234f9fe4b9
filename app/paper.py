"""Know the paper behind the ink: dark or light, how bright at each spot, how even."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .histogram import Gray, as_gray

Map = NDArray[np.floating[Any]]

_3X3: Final = np.ones((3, 3), np.uint8)
#: Side of the window in which ink is taken to be the minority: a few letters of body text.
POLARITY_WINDOW_PX: Final = 25
#: Polarity is judged on about so many pixels, but not at less than a quarter of the scale,
#: where small print on a large page fades into gray.
POLARITY_SAMPLE_PX: Final = 500_000
MAX_POLARITY_SCALE: Final = 4
#: Differences in gray below this are paper or noise, not the edge of ink.
MIN_EDGE_CONTRAST: Final = 24
#: Dark ink gives votes from 0.1 to 0.8, light ink the negative; photographs lie around 0.
WHITE_ON_BLACK_VOTE: Final = -0.05

#: A closing window this wide spans strokes, crossings and bold print, and follows shadows.
BACKGROUND_WINDOW_STROKES: Final = 4.0
#: Solid areas are compared with the brightest paper within a quarter of the page.
FAR_WINDOW_SHARE: Final = 0.25
#: The far background is smooth: a shorter side of about so many pixels is enough for it.
FAR_SIDE_PX: Final = 64
#: A solid area is as dark as ink, no lighter than about half the paper, at least in this
#: share of it, and sharply cut: most of its depth is there two strokes from its rim. Shadows,
#: stains and page margins fail one of these.
SOLID_INK_SHARE: Final = 1.05
SOLID_MIN_DEPTH: Final = 110
SOLID_CORE_SHARE: Final = 0.15
SOLID_SHARPNESS: Final = 0.85
#: It reaches as far as it is deeper than this share of that.
SOLID_LOW_SHARE: Final = 0.35

#: Local paper statistics are taken over so many stroke widths: a word or two.
PAPER_WINDOW_STROKES: Final = 10.0
#: Where a window shows next to no paper, the whole page's figures count as this share of it.
PAPER_PRIOR_SHARE: Final = 0.05


@dataclass(frozen=True)
class PaperDepth:
    """Mean and standard deviation of the paper's depth around each spot, at reduced scale.

    Depth is 255 minus the flattened gray value: 0 for clean paper.
    """

    mean: Map
    deviation: Map


def is_white_on_black(gray: Gray) -> bool:
    """Whether the writing is lighter than its ground.

    Ink is the minority around its own edges. So in each window with an edge in it the mean
    gray lies nearer to the ground than to the ink, and votes, weighted by its contrast:
    vote = sum(2 mean - max - min) / sum(max - min), -1 to 1.
    """
    scale = min(_power_of_two((gray.size / POLARITY_SAMPLE_PX) ** 0.5), MAX_POLARITY_SCALE)
    page = cv2.blur(shrink(gray, scale), (3, 3))
    window = (POLARITY_WINDOW_PX, POLARITY_WINDOW_PX)
    highest = cv2.dilate(page, np.ones(window, np.uint8)).astype(np.int32)
    lowest = cv2.erode(page, np.ones(window, np.uint8)).astype(np.int32)
    has_edge = highest - lowest > MIN_EDGE_CONTRAST
    votes = (2 * cv2.blur(page, window).astype(np.int32) - highest - lowest)[has_edge].sum()
    return bool(votes < WHITE_ON_BLACK_VOTE * (highest - lowest)[has_edge].sum())


def background(page: Gray, *, stroke_px: float, ink_depth: float) -> Gray:
    """The gray of the paper at each spot, as if nothing were written; at reduced scale.

    A gray closing (the darkest of the brightest values within a window) takes away whatever
    is darker than its surroundings and narrower than the window. One pixel per stroke width
    is enough: shadows are smooth. Solid areas are wider than the window; they get the
    brightness of the paper around them, else they would be taken for paper.
    """
    scale = reduction(stroke_px)
    small = shrink(page, scale)
    near = close(small, odd(BACKGROUND_WINDOW_STROKES * stroke_px / scale))
    coarse = shrink(near, 2)
    far = _far_background(coarse)
    is_solid = _solid_areas(shrink(small, 2), coarse, far, ink_depth)
    if is_solid.any():
        # Elsewhere 0, which is darker than any background.
        near = as_gray(cv2.max(near, enlarge(np.where(is_solid, far, 0).astype(np.uint8), near)))
    return near


def flatten(page: Gray, paper: Gray) -> Gray:
    """Divide by the background: 255 page / paper, so that paper is 255 and shadows are gone.

    Light falls on ink and paper alike, so the quotient, not the difference, is free of it.
    """
    everywhere = enlarge(paper, page)
    return as_gray(cv2.divide(page, everywhere, dst=everywhere, scale=255))


def paper_depth(flat: Gray, *, ink_threshold: int, stroke_px: float) -> PaperDepth:
    """Mean and deviation of the depth around each spot, over what is not ink.

    Ink is what is no brighter than *ink_threshold*, and half a stroke width around it.
    """
    scale = 2 * reduction(stroke_px)
    _, paper = cv2.threshold(flat, ink_threshold, 255, cv2.THRESH_BINARY)
    cv2.erode(paper, np.ones((odd(stroke_px),) * 2, np.uint8), dst=paper)
    share = _shrunk_map(as_gray(paper), scale) / 255
    depth = as_gray(cv2.subtract(paper, flat, dst=paper))  # saturates, so ink has depth 0
    total = _shrunk_map(depth, scale)
    squares = 16 * _shrunk_map(as_gray(cv2.LUT(depth, _SQUARES, dst=depth)), scale)
    side = odd(PAPER_WINDOW_STROKES * stroke_px / scale)
    mean = _local_mean(total, share, side)
    variance = _local_mean(squares, share, side) - mean * mean
    return PaperDepth(mean, np.sqrt(np.maximum(variance, 0.25)))


#: Squares in sixteenths, so that those of depths that paper has fit eight bits.
_SQUARES: Final = np.clip(np.arange(256) ** 2 / 16 + 0.5, 0, 255).astype(np.uint8)


def reduction(stroke_px: float) -> int:
    """The power of two, 2 to 8, by which the page shrinks so that strokes stay a pixel wide."""
    return int(2 ** np.clip(np.floor(np.log2(stroke_px)), 1, 3))


def shrink(page: Gray, scale: int) -> Gray:
    """Average *scale* x *scale* pixels into one; *scale* is a power of two.

    Halving again and again is several times as fast as one step, for OpenCV has a fast path
    for it. What does not fill a square at the right and lower border is left out.
    """
    height, width = (side // 2 for side in page.shape)
    if scale == 1 or not height or not width:
        return page
    even = page[: 2 * height, : 2 * width]
    half = as_gray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    return shrink(half, scale // 2)


def enlarge(small: NDArray[Any], page: Gray) -> Gray:
    """Interpolate *small* to the size of *page*."""
    return as_gray(cv2.resize(small, page.shape[::-1], interpolation=cv2.INTER_LINEAR))


def close(page: Gray, side_px: int) -> Gray:
    """Gray closing with a square: two passes of runs, so hardly dearer for a large one."""
    return as_gray(cv2.morphologyEx(page, cv2.MORPH_CLOSE, np.ones((side_px, side_px), np.uint8)))


def odd(value: float) -> int:
    """The odd number near *value*, at least 3: windows have a centre."""
    return max(3, round(value) | 1)


def _power_of_two(value: float) -> int:
    """The power of two nearest to *value*, at least 1."""
    return int(2 ** max(0, round(np.log2(value))))


def _far_background(near: Gray) -> Gray:
    """The brightest paper within a good part of the page, smooth."""
    tiny = shrink(near, _power_of_two(min(near.shape) / FAR_SIDE_PX))
    side = odd(2 * FAR_WINDOW_SHARE * min(tiny.shape))
    return enlarge(close(tiny, side), near)


def _solid_areas(small: Gray, near: Gray, far: Gray, ink_depth: float) -> NDArray[np.bool_]:
    """Where the background itself is ink: dark against the far paper, with a sharp rim.

    Light letters in a dark band leave the background half dark between them, so an area is
    taken as far as it is rather dark, and believed if part of it is as dark as ink.
    """
    depth = 255 - as_gray(cv2.divide(near, far, scale=255))
    ink_limit = max(SOLID_INK_SHARE * ink_depth, SOLID_MIN_DEPTH)
    is_ink = (depth >= ink_limit).astype(np.uint8)
    if not is_ink.any():
        return np.zeros(small.shape, np.bool_)
    # Closed, so that the letters in a band are no part of its rim.
    is_dark = close((depth >= SOLID_LOW_SHARE * ink_limit).astype(np.uint8), 5)
    count, labels = cv2.connectedComponents(is_dark)
    flat = cv2.divide(small, far, scale=255)
    step = cv2.morphologyEx(flat, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    rim_step = _mean_by_label(labels, step, count, where=_rim(is_dark))
    is_solid = rim_step >= SOLID_SHARPNESS * _mean_by_label(labels, depth, count, where=is_ink)
    is_solid &= _mean_by_label(labels, is_ink, count, where=is_dark) >= SOLID_CORE_SHARE
    is_solid[0] = False
    return np.asarray(as_gray(cv2.dilate(is_solid[labels].astype(np.uint8), _3X3)) > 0)


def _rim(mask: Gray) -> NDArray[np.bool_]:
    inside = cv2.erode(mask, _3X3, borderType=cv2.BORDER_CONSTANT, borderValue=255)
    return np.asarray((mask > 0) & (as_gray(inside) == 0))


def _mean_by_label(
    labels: NDArray[Any], values: NDArray[Any], count: int, *, where: NDArray[Any]
) -> NDArray[np.float64]:
    chosen = where > 0
    sums = np.bincount(labels[chosen], values[chosen], minlength=count)
    return sums / np.maximum(np.bincount(labels[chosen], minlength=count), 1)


def _shrunk_map(pixels: Gray, scale: int) -> Map:
    return shrink(pixels, scale).astype(np.float32)


def _local_mean(total: Map, share: Map, side: int) -> Map:
    """Window sums of *total* over window sums of *share*, pulled to the page's where few."""
    page_mean = total.mean() / max(float(share.mean()), 1e-6)
    sums, shares = (cv2.blur(each, (side, side)) for each in (total, share))
    mean = (sums + PAPER_PRIOR_SHARE * page_mean) / (shares + PAPER_PRIOR_SHARE)
    return np.asarray(mean)
