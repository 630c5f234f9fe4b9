"""Binarize without being told how: the method `auto`.

Background, stroke width, ink and noise are measured on the page in hand; every length below
is in stroke widths and every depth relative to ink or noise, so that nothing is left to tune.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .components import bands, drop_weak_marks
from .histogram import (
    Gray,
    Histogram,
    Noise,
    as_gray,
    clipped_noise,
    histogram,
    moments,
    otsu_split,
    quantile,
)
from .paper import (
    Map,
    PaperDepth,
    background,
    close,
    enlarge,
    flatten,
    is_white_on_black,
    odd,
    paper_depth,
    shrink,
)

#: Smaller pages are continued at their borders, so that windows have something to see.
MIN_SIDE_PX: Final = 16
#: A page without ink is white, unless it is darker than this throughout: then it is all ink.
MAX_ALL_INK_GRAY: Final = 63

#: Where no ink stands out it is looked for again under the noise, smoothed over such windows.
SMOOTHING_PX: Final = (1, 3, 5)
#: Paper without ink, averaged over 8 x 8 pixels, varies by less than this many gray values,
#: 7 % of 255, however noisy it is. What varies more is a photograph.
COARSE_SCALE: Final = 8
MAX_PAPER_VARIATION: Final = 17

#: The first look takes away what is narrower than 44 pixels, strokes of any usual scan, by a
#: closing of 11 pixels at a quarter of the scale.
FIRST_SCALE: Final = 4
FIRST_WINDOW_PX: Final = 11
STROKE_RANGE_PX: Final = (1.5, 30.0)

#: Ink lies at least so many deviations of the paper over its mean: pure noise of any grain
#: comes to 3.5 to 4.5, real pages start at 6 ...
MIN_INK_DEVIATIONS: Final = 5.0
#: ... and is this much darker than paper, 5 % of 255: less is not seen as writing.
MIN_INK_DEPTH: Final = 12

#: Typical ink is as deep as this share of the ink; the rest is rims and faded strokes.
INK_QUANTILE: Final = 0.63
#: Coefficient of variation of the depth in stroke centres. Up to the first it is print in
#: one ink, from the second on handwriting or fading; in between the two thresholds are mixed.
EVEN_INK: Final = 0.08
UNEVEN_INK: Final = 0.16
#: In even ink the rim lies half way between paper and ink, in uneven ink further out, for
#: the depth that is measured locally falls short of the ink's.
EVEN_RIM_SHARE: Final = 0.5
UNEVEN_RIM_SHARE: Final = 0.43
#: Local ink depth counts within these multiples of the typical one.
LOCAL_INK_RANGE: Final = (0.3, 1.4)
#: Ink is at least so many deviations of the local paper deeper than its mean ...
MIN_LOCAL_DEVIATIONS: Final = 3.0
#: ... and the rim moves inward by this many, for noise adds to the dark side.
RIM_DEVIATIONS: Final = 0.5
#: Local ink depth is the deepest within this many stroke widths and one pixel.
LOCAL_INK_STROKES: Final = 0.8


@dataclass(frozen=True)
class Ink:
    """What is known of the writing on a page; depths are 255 minus the flattened gray.

    *evenness* is 1 for print in one ink and 0 for handwriting and faded strokes.
    """

    depth: float
    evenness: float
    stroke_px: float


@dataclass(frozen=True)
class Reading:
    """A page in black and white, and what it was taken for.

    *inverted* says that light writing on dark ground was turned round.
    """

    white: Gray
    kind: Literal["writing", "blank", "photograph"]
    inverted: bool = False


def auto(gray: Gray) -> tuple[Gray, None]:
    """Split ink from paper as `read` does."""
    return read(gray).white, None


def read(gray: Gray) -> Reading:
    """Split ink from paper with parameters measured on the page, and tell what it is.

    1. White on black is turned round. 2. The page is divided by its background. 3. If what
    is darker does not stand out from the noise, the page is blank. 4. Each pixel is compared
    with a threshold between the paper and the ink around it. 5. Marks that are fainter or
    softer than the writing are dropped. docs/quality.md tells it step by step. *gray* may be
    overwritten.

    Division by the background: Lu, Su & Tan, "Document image binarization using background
    estimation and stroke edges", IJDAR 13(4):303-314, 2010, doi:10.1007/s10032-010-0130-8.
    """
    height, width = gray.shape
    page = _with_min_side(gray)
    is_negative = is_white_on_black(page)
    if is_negative:
        # In place: a second page beside this one would be the most that a job ever holds.
        cv2.bitwise_not(page, dst=page)
    for side_px in SMOOTHING_PX:
        ink = _find_ink(page if side_px == 1 else as_gray(cv2.blur(page, (side_px, side_px))))
        if ink is not None:
            return Reading(np.ascontiguousarray(ink[:height, :width]), "writing", is_negative)
    if is_negative:
        cv2.bitwise_not(page, dst=page)
    return _without_ink(gray)


def _find_ink(page: Gray) -> Gray | None:
    """0 where *page* is ink and 255 elsewhere, or None for a blank page."""
    stroke_px, first_depth = _first_look(page)
    flat = flatten(page, background(page, stroke_px=stroke_px, ink_depth=first_depth))
    counts = histogram(flat)
    noise = clipped_noise(counts[::-1], 254 - otsu_split(counts).threshold)
    if not _stands_out(counts[::-1], noise):
        return None
    threshold = _ink_threshold(counts, noise)
    depth = 255 - threshold + quantile(counts[threshold::-1], INK_QUANTILE)
    ink = Ink(depth, _evenness(flat, depth, stroke_px), stroke_px)
    paper = paper_depth(flat, ink_threshold=threshold, stroke_px=stroke_px)
    mask = _compare(flat, ink, paper)
    drop_weak_marks(mask, flat, ink_depth=depth, stroke_px=stroke_px)
    return as_gray(cv2.bitwise_not(mask, dst=mask))


def _first_look(page: Gray) -> tuple[float, float]:
    """Stroke width in pixels and mean depth of the ink, roughly.

    The width of a long stroke is twice its area by its rim. Pixel edges overstate the length
    of a rim by 4 / pi on average over all directions.
    """
    flat = flatten(page, close(shrink(page, FIRST_SCALE), FIRST_WINDOW_PX))
    counts = histogram(flat)
    threshold = otsu_split(counts).threshold
    rim_px = max(1.0, _pixel_edges(flat, threshold) * np.pi / 4)
    stroke_px = 2 * counts[: threshold + 1].sum() / rim_px
    depth = 255 - moments(counts[: threshold + 1])[0]
    return float(np.clip(stroke_px, *STROKE_RANGE_PX)), depth


def _pixel_edges(flat: Gray, threshold: int) -> int:
    """How many edges of pixels lie between ink, up to *threshold*, and paper."""
    count = 0
    for rows in bands(flat):
        # With the row below, so that no edge between two bands is missed.
        around = slice(rows.start, rows.stop + 1)
        _, mask = cv2.threshold(flat[around], threshold, 255, cv2.THRESH_BINARY_INV)
        inner = mask[: rows.stop - rows.start]
        count += cv2.countNonZero(cv2.absdiff(inner[:, 1:], inner[:, :-1]))
        if len(mask) > 1:
            count += cv2.countNonZero(cv2.absdiff(mask[1:], mask[:-1]))
    return count


def _ink_threshold(counts: Histogram, noise: Noise) -> int:
    """The gray up to which a pixel is more likely ink than paper.

    Otsu's, unless that lies within the noise, as it does when there is very little ink.
    """
    threshold = otsu_split(counts).threshold
    if threshold < 255 - noise.limit:
        return threshold
    return max(0, 255 - round(noise.mean + MIN_INK_DEVIATIONS * noise.deviation))


def _stands_out(depth_counts: Histogram, noise: Noise) -> bool:
    """Whether what lies beyond the noise is deep enough to be ink."""
    beyond = depth_counts.copy()
    beyond[: noise.limit + 1] = 0
    depth = moments(beyond)[0]
    deviations = (depth - noise.mean) / max(noise.deviation, 0.5)
    return depth >= MIN_INK_DEPTH and deviations >= MIN_INK_DEVIATIONS


def _evenness(flat: Gray, depth: float, stroke_px: float) -> float:
    """1 if the centres of the strokes are equally deep, 0 if they vary much.

    A centre is the darkest spot within a stroke width around it.
    """
    darkest = cv2.erode(flat, np.ones((odd(2 * stroke_px + 1),) * 2, np.uint8))
    is_centre = as_gray(cv2.compare(flat, darkest, cv2.CMP_LE))
    counts = histogram(flat, is_centre)[::-1].copy()
    counts[: int(0.5 * depth)] = 0
    mean, deviation = moments(counts)
    variation = deviation / max(mean, 1)
    return float(np.clip((UNEVEN_INK - variation) / (UNEVEN_INK - EVEN_INK), 0, 1))


def _compare(flat: Gray, ink: Ink, paper: PaperDepth) -> Gray:
    """255 where a pixel is at least as deep as the threshold around it, else 0.

    threshold = max(P + a (I - P) + 0.5 s, P + 3.5 s), with P and s the mean and deviation of
    the paper's depth around the pixel, I the depth of the ink around it, and a the share of
    the way at which the rim lies. In even ink I is the page's, in uneven ink the local one.
    """
    share = _mixed(UNEVEN_RIM_SHARE, EVEN_RIM_SHARE, ink.evenness)
    offset = (1 - share) * paper.mean + RIM_DEVIATIONS * paper.deviation
    least = paper.mean + (MIN_LOCAL_DEVIATIONS + RIM_DEVIATIONS) * paper.deviation
    limit = _local_ink_share(flat, ink, share)
    cv2.subtract(enlarge(_as_brightness(offset), flat), limit, dst=limit)
    cv2.min(limit, enlarge(_as_brightness(least), flat), dst=limit)
    return as_gray(cv2.compare(flat, limit, cv2.CMP_LE))


def _local_ink_share(flat: Gray, ink: Ink, share: float) -> Gray:
    """*share* of the depth of the ink around each pixel.

    The depth is the deepest nearby, smoothed before, so that one noisy pixel does not
    decide, and after, so that the threshold has no steps.
    """
    side = odd(LOCAL_INK_STROKES * ink.stroke_px + 1)
    local = cv2.blur(flat, (3, 3))
    cv2.erode(local, np.ones((side, side), np.uint8), dst=local)
    cv2.blur(local, (side, side), dst=local)
    low, high = (_mixed(bound, 1, ink.evenness) * ink.depth for bound in LOCAL_INK_RANGE)
    shares = share * np.clip(255 - np.arange(256), low, high)
    return as_gray(cv2.LUT(local, _as_bytes(shares), dst=local))


def _mixed(uneven: float, even: float, evenness: float) -> float:
    return uneven + (even - uneven) * evenness


def _as_brightness(depth: Map) -> Gray:
    return _as_bytes(255 - depth)


def _as_bytes(values: NDArray[Any]) -> Gray:
    return as_gray(np.clip(np.rint(values), 0, 255))


def _without_ink(gray: Gray) -> Reading:
    """A page on which nothing is written: white, or black if there is only darkness.

    A photograph has no ink, but is no blank page either: it gets one threshold, Otsu's.
    """
    if _is_photograph(gray):
        white = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
        return Reading(as_gray(white), "photograph")
    is_all_ink = quantile(histogram(gray), 0.99) <= MAX_ALL_INK_GRAY
    return Reading(np.full_like(gray, 0 if is_all_ink else 255), "blank")


def _is_photograph(gray: Gray) -> bool:
    """Whether a page without ink varies more than paper does, shadows and noise taken away."""
    coarse = shrink(_with_min_side(gray), COARSE_SCALE)
    # The difference, not the quotient, which would make much of the noise of a dark page.
    depth = as_gray(cv2.subtract(close(coarse, FIRST_WINDOW_PX), coarse))
    return bool(depth.std() > MAX_PAPER_VARIATION)


def _with_min_side(gray: Gray) -> Gray:
    """Continue a small page at its right and lower border."""
    down, right = (max(0, MIN_SIDE_PX - side) for side in gray.shape)
    if not down and not right:
        return gray
    return as_gray(cv2.copyMakeBorder(gray, 0, down, 0, right, cv2.BORDER_REPLICATE))
