"""Binarize a page of unknown kind: writing, a blank page or a photograph, dark or light.

Writing is separated from paper by a learned threshold (`surface`), on old paper by a classical
method (`old_paper`). A photograph is dithered. A blank page becomes white.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...numeric.histogram import Gray, as_gray
from ..dithering import floyd_steinberg
from . import old_paper
from .page_kind import BLANK, PHOTOGRAPH, Kind, is_all_ink, is_inverted, kind_of, stands_out
from .page_maps import cells_of, page_maps
from .surface import Weights, binarize, weights


@dataclass(frozen=True)
class Reading:
    """A page in black and white, and its detected kind: "writing", "blank" or "photograph".

    *inverted* says that light writing on a dark ground was inverted.
    """

    white: Gray
    kind: Kind
    inverted: bool = False


def read(gray: Gray, learned: Weights | None = None) -> Reading:
    """*gray* in black and white, with its detected kind; *gray* itself is not changed.

    *learned* replaces the weights of this release, for experiments.
    """
    page = np.ascontiguousarray(gray)
    cells = cells_of(page)
    inverted = is_inverted(cells)
    if inverted:
        page = as_gray(cv2.bitwise_not(page))
        cells = cells_of(page)
    maps = page_maps(cells)
    has_ink = stands_out(page, maps)
    white = binarize(page, maps, learned or weights(), has_ink=has_ink)
    old = old_paper.reread(page, maps, white)
    has_fine_strokes = bool(old and old.is_finely_written)
    kind = kind_of(page, white, maps, has_ink=has_ink, has_fine_strokes=has_fine_strokes)
    if kind == PHOTOGRAPH:
        return Reading(floyd_steinberg(gray), PHOTOGRAPH)
    if kind == BLANK:
        return Reading(_empty(gray), BLANK)
    return Reading(old.white if old else white, kind, inverted)


def _empty(gray: Gray) -> Gray:
    """A white page, or a black one if *gray* is nearly black throughout."""
    return np.full_like(gray, 0 if is_all_ink(gray) else 255)
