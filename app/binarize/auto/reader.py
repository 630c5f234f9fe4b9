"""Binarize a page of unknown kind: writing, a blank page or a photograph, dark or light.

Writing is separated from paper by a learned threshold (`surface`), on old paper by a classical
method (`old_paper`). A photograph is dithered. A blank page becomes white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from ...numeric.histogram import Gray, as_gray
from ..dithering import floyd_steinberg
from . import old_paper
from .compare import binarized
from .page_kind import (
    BLANK,
    PHOTOGRAPH,
    Kind,
    is_all_ink,
    is_inverted,
    kind_of,
    polarity,
    stands_out,
)
from .page_maps import PageMaps, cells_of, page_maps
from .surface import Weights, limits, weights


@dataclass(frozen=True)
class Reading:
    """A page in black and white, and its detected kind: "writing", "blank" or "photograph".

    *inverted* says that light writing on a dark ground was inverted.
    """

    white: Gray
    kind: Kind
    inverted: bool = False


class Seen(NamedTuple):
    """A page with dark writing, its maps, the size of its polarity, and what `stands_out` found."""

    page: Gray
    maps: PageMaps
    vote: float
    has_ink: bool
    inverted: bool


def seen(gray: Gray) -> Seen:
    """What the reading of *gray* is based on; light writing is inverted."""
    page = np.ascontiguousarray(gray)
    cells = cells_of(page)
    vote = polarity(cells)
    inverted = is_inverted(cells, vote)
    if inverted:
        page = as_gray(cv2.bitwise_not(page))
        cells = cells_of(page)
    maps = page_maps(cells)
    return Seen(page, maps, abs(vote), stands_out(page, maps), inverted)


def read(gray: Gray, learned: Weights | None = None) -> Reading:
    """*gray* in black and white, with its detected kind; *gray* itself is not changed.

    *learned* replaces the weights of this release, for experiments.
    """
    page, maps, vote, has_ink, inverted = seen(gray)
    by_network = limits(maps, learned or weights(), has_ink=has_ink)
    old = old_paper.reread(page, maps, by_network)
    # Where nothing stands out, the classical method may take grain for ink; the network does not.
    white = old if old is not None and has_ink else binarized(page, by_network)
    kind = kind_of(page, white, maps, vote=vote, has_ink=has_ink)
    if kind == PHOTOGRAPH:
        return Reading(floyd_steinberg(gray), PHOTOGRAPH)
    if kind == BLANK:
        return Reading(_empty(gray), BLANK)
    return Reading(white if old is None else old, kind, inverted)


def _empty(gray: Gray) -> Gray:
    """A white page, or a black one if *gray* is nearly black throughout."""
    return np.full_like(gray, 0 if is_all_ink(gray) else 255)
