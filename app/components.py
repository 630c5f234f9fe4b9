"""Judge ink by whole marks: keep those that look like the page's writing, drop the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .histogram import Gray, as_gray, otsu_split

Values = NDArray[np.float64]

#: Pages over this are labelled at half scale: labels take four bytes a pixel.
MAX_FULL_SCALE_PX: Final = 10_000_000
#: Pixels measured at a time; keeps what is gathered of them small and in the cache.
BAND_PX: Final = 1_000_000

#: How much the sharpness of a mark counts beside its depth, and how much its smallness.
EDGE_WEIGHT: Final = 0.18
SIZE_WEIGHT: Final = 0.24
#: Marks below e square stroke widths are "small": dots are about one, specks a tenth.
SMALL_AREA_LOG: Final = 1.0
#: A mark must reach this share of the typical score.
MIN_SCORE: Final = 0.28
#: When the scores have two humps, the lower one is show-through or stains, and the limit
#: rises to the valley, but not over this: faded words are ink, too.
MAX_SCORE_LIMIT: Final = 0.76
#: Otsu's eta from which on two humps are believed. A single normal hump has 0.64.
TWO_HUMPS_ETA: Final = 0.7
#: The lower hump lies below this share of the upper one, and is the lesser part of all rims:
#: pale print beside black headings is no stain.
HUMP_GAP: Final = 0.6
MAX_STAIN_SHARE: Final = 0.4
#: Scores are counted in bins of this width; everything over the last bin is in it.
SCORE_BIN: Final = 0.02
SCORE_BINS: Final = 80

_3X3: Final = np.ones((3, 3), np.uint8)
_CROSS: Final = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class Marks:
    """What was measured of each connected mark; index 0 is no mark.

    *area_px* and *rim_px* in pixels, *depth* the mean of 255 minus the flattened gray, *edge*
    the mean difference between neighbours (largest minus smallest of 3 x 3) along the rim.
    """

    area_px: Values
    rim_px: Values
    depth: Values
    edge: Values


def drop_weak_marks(ink: Gray, flat: Gray, *, ink_depth: float, stroke_px: float) -> None:
    """Clear, in place, the marks of *ink* (255 = ink) that score too low against the rest."""
    scale = 1 if ink.size <= MAX_FULL_SCALE_PX else 2
    count, labels = _label(ink, scale)
    if count == 1:
        return
    marks = _measure(ink, flat, labels, scale, count)
    scores = _scores(marks, ink_depth, stroke_px)
    is_weak = scores < _score_limit(scores, marks.rim_px)
    is_weak[0] = False
    if is_weak.any():
        _clear(ink, labels, scale, is_weak)


def bands(page: Gray) -> Iterator[slice]:
    """Slices of about a megapixel, of an even number of rows: half-scale cells stay whole."""
    height, width = page.shape
    rows = 2 * max(1, BAND_PX // width // 2)
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _label(ink: Gray, scale: int) -> tuple[int, NDArray[np.int32]]:
    """Number the marks; at half scale a cell is ink if any of its four pixels is."""
    cells = ink if scale == 1 else cv2.dilate(ink, np.ones((2, 2), np.uint8), anchor=(0, 0))
    cells = np.ascontiguousarray(cells[::scale, ::scale])
    count, labels = cv2.connectedComponents(cells, connectivity=8, ltype=cv2.CV_32S)
    return count, labels.astype(np.int32, copy=False)


def _measure(ink: Gray, flat: Gray, labels: NDArray[np.int32], scale: int, count: int) -> Marks:
    area, depth, rim, edge = (np.zeros(count) for _ in range(4))
    for rows in bands(ink):
        spots = np.flatnonzero(ink[rows] > 0)
        marks = _labels_of(labels, rows, scale, ink.shape[1]).take(spots)
        gradient, inside = (each.take(spots) for each in _rim_gradient(ink, flat, rows))
        at_rim = np.flatnonzero(inside == 0)
        _add(area, marks)
        _add(depth, marks, 255 - flat[rows].take(spots))
        _add(rim, marks.take(at_rim))
        _add(edge, marks.take(at_rim), gradient.take(at_rim))
    return Marks(area, rim, depth / np.maximum(area, 1), edge / np.maximum(rim, 1))


def _scores(marks: Marks, ink_depth: float, stroke_px: float) -> Values:
    """How much each mark looks like writing; 1 is typical.

    score = depth / D * (edge / E) ** EDGE_WEIGHT * small ** SIZE_WEIGHT, with D and E the
    means over the marks weighted by area and by how far they are deeper than 0.7 of the
    typical ink, and small = min(1, area / (e stroke^2)).
    """
    weights = marks.area_px * np.maximum(marks.depth - 0.7 * ink_depth, 0)
    if weights.sum() == 0:
        weights = marks.area_px
    typical_depth, typical_edge = (
        np.average(v, weights=weights) for v in (marks.depth, marks.edge)
    )
    small = marks.area_px / stroke_px**2 / np.exp(SMALL_AREA_LOG)
    return np.asarray(
        np.maximum(marks.depth, 1)
        / max(typical_depth, 1)
        * (np.maximum(marks.edge, 1) / max(typical_edge, 1)) ** EDGE_WEIGHT
        * np.minimum(small, 1) ** SIZE_WEIGHT
    )


def _score_limit(scores: Values, rim_px: Values) -> float:
    """The least score to keep: the valley between two humps if there are two.

    Marks count by their rims, so that a black bar does not outweigh a page of thin strokes.
    """
    bins = np.minimum(scores[1:] / SCORE_BIN, SCORE_BINS - 1).astype(np.intp)
    counts = np.bincount(bins, rim_px[1:], minlength=SCORE_BINS).astype(np.float64)
    split = otsu_split(counts)
    if split.eta <= TWO_HUMPS_ETA or split.low_mean >= HUMP_GAP * split.high_mean:
        return MIN_SCORE
    if counts[: split.threshold + 1].sum() > MAX_STAIN_SHARE * counts.sum():
        return MIN_SCORE
    valley = (split.threshold + 1) * SCORE_BIN
    return float(np.clip(valley, MIN_SCORE, MAX_SCORE_LIMIT))


def _clear(ink: Gray, labels: NDArray[np.int32], scale: int, is_weak: NDArray[np.bool_]) -> None:
    kept = np.where(is_weak, 0, 255).astype(np.uint8)
    for rows in bands(ink):
        spots = np.flatnonzero(ink[rows] > 0)
        ink[rows].put(spots, kept.take(_labels_of(labels, rows, scale, ink.shape[1]).take(spots)))


def _labels_of(labels: NDArray[np.int32], rows: slice, scale: int, width: int) -> NDArray[Any]:
    """The labels of these rows of the page, one for each pixel."""
    if scale == 1:
        return labels[rows]
    cells = labels[rows.start // 2 : (rows.stop + 1) // 2]
    return cells.repeat(2, axis=0)[: rows.stop - rows.start].repeat(2, axis=1)[:, :width]


def _rim_gradient(ink: Gray, flat: Gray, rows: slice) -> tuple[Gray, Gray]:
    """Gradient and ink without its rim of a band, seen with the rows above and below it."""
    top = max(0, rows.start - 1)
    around, inner = slice(top, rows.stop + 1), slice(rows.start - top, rows.stop - top)
    gradient = cv2.morphologyEx(flat[around], cv2.MORPH_GRADIENT, _3X3)
    return as_gray(gradient)[inner], as_gray(cv2.erode(ink[around], _CROSS))[inner]


def _add(sums: Values, marks: NDArray[Any], weights: NDArray[Any] | None = None) -> None:
    """sums[m] += weight, or 1, for each m in *marks*; only the range they span is touched."""
    if marks.size == 0:
        return
    first = int(marks.min())
    added = np.bincount(marks - first, weights)
    sums[first : first + added.size] += added
