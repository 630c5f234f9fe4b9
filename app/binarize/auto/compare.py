"""Compare each pixel of a page with the interpolated threshold at its place."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ...numeric.compiled import compiled

_F = "float32[:,::1]"
_ROW = "float32[::1]"
#: Adding and subtracting 1.5 * 2^23 rounds a float32 to a whole number.
_ROUND: Final = np.float32(12582912)


@compiled(f"void({_ROW}, {_ROW}, {_ROW})", may_fuse=True)
def four_times(values: Any, framed: Any, out: Any) -> None:
    """Write 16 times *values*, interpolated linearly to four times as many, into *out*."""
    count = values.size
    inner, after = framed[1:], framed[2:]
    for x in range(count):
        inner[x] = values[x]
    framed[0], framed[count + 1] = values[0], values[count - 1]
    one, three, five, seven = np.float32(2), np.float32(6), np.float32(10), np.float32(14)
    for x in range(count):
        p, q, r = framed[x], inner[x], after[x]
        out[4 * x] = p * three + q * five
        out[4 * x + 1] = p * one + q * seven
        out[4 * x + 2] = r * one + q * seven
        out[4 * x + 3] = r * three + q * five


@compiled(f"void({_ROW}, {_ROW}, {_ROW})", may_fuse=True)
def eight_times(values: Any, framed: Any, out: Any) -> None:
    """Write 16 times *values*, interpolated linearly to eight times as many, into *out*."""
    count = values.size
    inner, after = framed[1:], framed[2:]
    for x in range(count):
        inner[x] = values[x]
    framed[0], framed[count + 1] = values[0], values[count - 1]
    three, five, seven = np.float32(3), np.float32(5), np.float32(7)
    for x in range(count):
        q = inner[x] * np.float32(16)
        left, right = framed[x] - inner[x], after[x] - inner[x]
        out[8 * x] = q + left * seven
        out[8 * x + 1] = q + left * five
        out[8 * x + 2] = q + left * three
        out[8 * x + 3] = q + left
        out[8 * x + 4] = q + right
        out[8 * x + 5] = q + right * three
        out[8 * x + 6] = q + right * five
        out[8 * x + 7] = q + right * seven


@compiled(f"void(uint8[:,::1], {_F}, {_F}, uint8[:,::1])", may_fuse=True)
def compare(page: Any, threshold: Any, sharpness: Any, white: Any) -> None:
    """Set *white* to 255 where v + s (m - v) is over the threshold, else to 0.

    v is the pixel and m the mean of the 3 x 3 pixels around it. *threshold* is given at 1/4 in
    1/32 gray values, *sharpness* s at 1/8 in 1/256 of a ninth; both are interpolated linearly. All
    sums are whole numbers below 2^24, which float32 holds exactly.
    """
    height, width = page.shape
    cell_rows, cells = threshold.shape
    eighth_rows, eighths = sharpness.shape
    framed = np.empty(cells + 2, np.float32)
    # The rows i - 1, i and i + 1, as wide as the page, are at i modulo 3.
    limits = np.empty((3, 4 * cells), np.float32)
    sharps = np.empty((3, 8 * eighths), np.float32)
    column = np.empty(width + 2, np.float32)
    four_times(threshold[0], framed, limits[0])
    eight_times(sharpness[0], framed, sharps[0])
    # After both interpolations, limits are in 1 / (32 * 128) gray values.
    unit, nine, part = np.float32(4096), np.float32(9), np.float32(1 / 16)
    for y in range(height):
        i, k = y >> 2, y & 3
        if k == 0 and i + 1 < cell_rows:
            four_times(threshold[i + 1], framed, limits[(i + 1) % 3])
        j = max(i - 1, 0) if k < 2 else min(i + 1, cell_rows - 1)
        w = np.float32(3) if k == 0 or k == 3 else np.float32(1)
        u = np.float32(8) - w
        limit, other = limits[i % 3], limits[j % 3]
        i = y >> 3
        if y & 7 == 0 and i + 1 < eighth_rows:
            eight_times(sharpness[i + 1], framed, sharps[(i + 1) % 3])
        offset = 2 * (y & 7) - 7
        j = max(i - 1, 0) if offset < 0 else min(i + 1, eighth_rows - 1)
        f = np.float32(abs(offset)) * part
        e = np.float32(1) - f
        sharp, beside = sharps[i % 3], sharps[j % 3]
        here, up, down = page[y], page[max(y - 1, 0)], page[min(y + 1, height - 1)]
        out, middle = white[y], column[1:]
        for x in range(width):
            middle[x] = np.float32(here[x]) + np.float32(up[x]) + np.float32(down[x])
        column[0], column[width + 1] = column[1], column[width]
        right = column[2:]
        for x in range(width):
            v = np.float32(here[x])
            around = column[x] + middle[x] + right[x] - nine * v
            s = sharp[x] * e + beside[x] * f + _ROUND - _ROUND
            over = unit * v + s * around - limit[x] * u - other[x] * w
            out[x] = np.uint8(255) if over > np.float32(0) else np.uint8(0)
