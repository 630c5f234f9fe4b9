"""Show photographs in black and white, by dots whose density follows the gray."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numeric.compiled import compiled
from ..numeric.histogram import Gray


def floyd_steinberg(gray: Gray) -> Gray:
    """The page in 0 and 255; the error of each pixel is distributed to its neighbours.

    R. W. Floyd, L. Steinberg, "An adaptive algorithm for spatial greyscale", Proceedings of the
    Society for Information Display 17(2):75-77, 1976.
    """
    white = np.empty_like(gray)
    _diffuse(np.ascontiguousarray(gray), white)
    return white


@compiled("void(uint8[:,::1], uint8[:,::1])")
def _diffuse(gray: Any, white: Any) -> None:
    """Fill *white* by integer arithmetic: 7/16 of an error go right, the rest to the row below."""
    height, width = gray.shape
    below = np.zeros(width + 2, np.int64)
    for y in range(height):
        row, out = gray[y], white[y]
        right, under, under_left = 0, 0, 0
        for x in range(width):
            value = row[x] + right + below[x + 1]
            is_white = value > 127
            out[x] = 255 if is_white else 0
            error = value - 255 if is_white else value
            right = (error * 7) >> 4
            to_left, to_under = (error * 3) >> 4, (error * 5) >> 4
            # The pixel below and to the left has now received all its errors.
            below[x] = under_left + to_left
            under_left = under + to_under
            under = error - right - to_left - to_under
        below[width] = under_left
