"""Everyday pages of kinds that no training page was drawn after."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.quality.unseen import drawings, forms, office, papers, slips
from benchmarks.quality.unseen.sheet import Kind, Sheet

KINDS: Final[dict[str, Kind]] = {
    **forms.KINDS,
    **office.KINDS,
    **drawings.KINDS,
    **slips.KINDS,
    **papers.KINDS,
}


def drawn(kind: str, seed: int) -> Sheet:
    """The page number *seed* of *kind*, before it is scanned."""
    # By the name, so that a new kind leaves the pages of all others as they are.
    sheet = Sheet(np.random.default_rng([seed, *kind.encode()]))
    KINDS[kind](sheet)
    return sheet
