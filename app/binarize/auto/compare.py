"""Compare each pixel of a page with the interpolated threshold at its place."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray
from .page_maps import Layers

_F = "float32[:,::1]"
_ROW = "float32[::1]"
#: Adding and subtracting 1.5 * 2^23 rounds a float32 to a whole number.
_ROUND: Final = np.float32(12582912)


#: `sampled` has every fourth pixel of every fourth row.
SAMPLED: Final = 4


class Limits(NamedTuple):
    """What is ink: a pixel v with v + s (m - v) up to the threshold, or below *dark*.

    m is the mean of the 5 x 5 pixels around v. *threshold* is given at 1/4 in 1/32 gray values,
    *sharpness* s at 1/8 in 1/512 of a 25th; both are interpolated linearly. *dark* is given at 1/8.
    """

    threshold: Layers
    sharpness: Layers
    dark: Gray


def binarized(page: Gray, limits: Limits) -> Gray:
    """*page* in black and white: 0 for ink and 255 elsewhere."""
    white = np.empty_like(page)
    _compare(page, *limits, 1, white)
    return white


def sampled(page: Gray, limits: Limits) -> Gray:
    """Every fourth pixel of every fourth row of `binarized`, in a quarter of the time."""
    rows = np.empty((-(-page.shape[0] // SAMPLED), page.shape[1]), np.uint8)
    _compare(page, *limits, SAMPLED, rows)
    return np.ascontiguousarray(rows[:, ::SAMPLED])


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


@compiled()
def _add_five_rows(page: Any, y: int, out: Any) -> None:
    """Write the sums of the rows *y* - 2 to *y* + 2 into *out*; the border rows are repeated."""
    last = page.shape[0] - 1
    up_2, up, here = page[max(y - 2, 0)], page[max(y - 1, 0)], page[y]
    down, down_2 = page[min(y + 1, last)], page[min(y + 2, last)]
    for x in range(page.shape[1]):
        near = np.int32(up[x]) + np.int32(here[x]) + np.int32(down[x])
        out[x] = np.float32(near + np.int32(up_2[x]) + np.int32(down_2[x]))


@compiled()
def _spread_eightfold(values: Any, out: Any) -> None:
    for x in range(values.size):
        out[8 * x : 8 * x + 8] = np.float32(values[x])


@compiled(may_fuse=True)
def compare_row(
    row: Any, column: Any, sharp: Any, beside: Any, f: Any, limit: Any, other: Any, w: Any,
    dark: Any, out: Any,
) -> None:  # fmt: skip
    """Compare one row; *f* and *w* / 16 are the shares of the rows *beside* and *other*.

    *column* has the sums of five rows, with two more values on each side.
    """
    # After both interpolations, limits are in 1 / (32 * 256) gray values.
    unit, count = np.float32(8192), np.float32(25)
    e, u = np.float32(1) - f, np.float32(16) - w
    left, middle, right, end = column[1:], column[2:], column[3:], column[4:]
    for x in range(row.size):
        v = np.float32(row[x])
        around = column[x] + left[x] + middle[x] + right[x] + end[x] - count * v
        s = sharp[x] * e + beside[x] * f + _ROUND - _ROUND
        over = unit * v + s * around - limit[x] * u - other[x] * w
        out[x] = np.uint8(255) if (over > np.float32(0)) & (v >= dark[x]) else np.uint8(0)


@compiled(f"void(uint8[:,::1], {_F}, {_F}, uint8[:,::1], int64, uint8[:,::1])")
def _compare(page: Any, threshold: Any, sharpness: Any, dark: Any, step: int, white: Any) -> None:
    """Set *white* to 0 for ink and to 255 elsewhere in each *step*-th row; 1, 2 or 4.

    All sums are whole numbers below 2^24, which float32 holds exactly.
    """
    width, cells, eighths = page.shape[1], threshold.shape[1], sharpness.shape[1]
    last_cell, last_eighth = threshold.shape[0] - 1, sharpness.shape[0] - 1
    framed = np.empty(cells + 2, np.float32)
    # The rows i - 1, i and i + 1, as wide as the page, are at i modulo 3.
    limits = np.empty((3, 4 * cells), np.float32)
    sharps = np.empty((3, 8 * eighths), np.float32)
    column = np.empty(width + 4, np.float32)
    darks = np.empty(8 * eighths, np.float32)
    four_times(threshold[0], framed, limits[0])
    eight_times(sharpness[0], framed, sharps[0])
    for y in range(0, page.shape[0], step):
        i, k, h = y >> 2, y >> 3, 2 * (y & 7) - 7
        if y & 3 == 0 and i < last_cell:
            four_times(threshold[i + 1], framed, limits[(i + 1) % 3])
        if y & 7 == 0:
            _spread_eightfold(dark[k], darks)
            if k < last_eighth:
                eight_times(sharpness[k + 1], framed, sharps[(k + 1) % 3])
        other = max(i - 1, 0) if y & 3 < 2 else min(i + 1, last_cell)
        beside = max(k - 1, 0) if h < 0 else min(k + 1, last_eighth)
        _add_five_rows(page, y, column[2:])
        column[0] = column[1] = column[2]
        column[width + 2] = column[width + 3] = column[width + 1]
        compare_row(
            page[y], column, sharps[k % 3], sharps[beside % 3], np.float32(abs(h) / 16),
            limits[i % 3], limits[other % 3], np.float32(6 if (y + 1) & 2 == 0 else 2),
            darks, white[y // step],
        )  # fmt: skip
