"""Turn pages upright by their EXIF orientation."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ..numeric.histogram import Gray, as_gray
from ..png.exif import UPRIGHT

#: Arguments of `cv2.flip`: mirror left to right, top to bottom, both.
_ACROSS, _DOWN, _BOTH = 1, 0, -1
_FLIPS: Final = {2: _ACROSS, 3: _BOTH, 4: _DOWN}
#: After a transposition, orientations 5 to 8 differ from upright by one of the same flips.
_FLIPS_AFTER_TRANSPOSITION: Final = {6: _ACROSS, 7: _BOTH, 8: _DOWN}


def is_lying(orientation: int) -> bool:
    """Whether rows and columns change places when the page is turned upright."""
    return orientation > 4


def upright(page: Gray, orientation: int) -> Gray:
    """*page* as viewers show it; an upright page itself, without a copy."""
    if orientation == UPRIGHT:
        return page
    flips = _FLIPS
    if is_lying(orientation):
        page, flips = as_gray(cv2.transpose(page)), _FLIPS_AFTER_TRANSPOSITION
    if orientation in flips:
        cv2.flip(page, flips[orientation], dst=page)
    return np.ascontiguousarray(page)
