"""Read a page without being told how: what it is, and what of it is ink.

What the page is comes first: dark writing or light, nothing, or a photograph. Writing is split
from paper by a learned threshold (`surface`), or on old paper by what is known of such paper
(`old_paper`); a photograph is dithered, an empty page is white.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...numeric.histogram import Gray, as_gray
from ..dithering import floyd_steinberg
from . import old_paper
from .page_kind import BLANK, PHOTOGRAPH, Kind, is_all_ink, is_inverted, kind_of
from .page_maps import cells_of, page_maps
from .surface import Weights, binarize, weights


@dataclass(frozen=True)
class Reading:
    """A page in black and white, and what it was taken for.

    *kind* is "writing", "blank" or "photograph"; *inverted* says that light writing on dark
    ground was turned round.
    """

    white: Gray
    kind: Kind
    inverted: bool = False


def read(gray: Gray, learned: Weights | None = None) -> Reading:
    """*gray* in black and white, and what it was taken for; *gray* is left as it is.

    *learned* are other weights than those that ship, to judge them.
    """
    page = np.ascontiguousarray(gray)
    cells = cells_of(page)
    inverted = is_inverted(cells)
    if inverted:
        page = as_gray(cv2.bitwise_not(page))
        cells = cells_of(page)
    maps = page_maps(cells)
    white = binarize(page, maps, learned or weights())
    old = old_paper.reread(page, maps, white)
    kind = kind_of(page, white, maps, has_fine_strokes=bool(old and old.is_finely_written))
    if kind == PHOTOGRAPH:
        return Reading(floyd_steinberg(gray), PHOTOGRAPH)
    if kind == BLANK:
        return Reading(_empty(gray), BLANK)
    return Reading(old.white if old else white, kind, inverted)


def _empty(gray: Gray) -> Gray:
    """White, or black if there is only darkness."""
    return np.full_like(gray, 0 if is_all_ink(gray) else 255)
