"""Undo the row filters of a PNG.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). numpy cannot express this loop, since each byte depends on the
restored byte to its left. Compiled, the loop takes a fifth to a third of the time of OpenCV, whose
libpng has no SIMD code for gray images; docs/engine.md has the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptPngError
from ..numeric.compiled import compiled

Bytes = NDArray[np.uint8]
#: Section 9.2.
NONE, SUB, UP, AVERAGE, PAETH = range(5)


# Each of the following functions restores one row; *up* is the restored row above. The left
# neighbour stays in a register: fetching it from the row made gray images three times as slow. The
# three channels of RGB are interleaved, because each depends only on its own previous sum.


@compiled()
def _undo_none(raw: Bytes, row: Bytes) -> None:
    for i in range(row.size):
        row[i] = raw[i]


@compiled()
def _undo_sub(raw: Bytes, row: Bytes, pixel_bytes: int) -> None:
    for channel in range(pixel_bytes):
        left = 0
        for i in range(channel, row.size, pixel_bytes):
            left = (raw[i] + left) & 255
            row[i] = left


@compiled()
def _undo_sub_rgb(raw: Bytes, row: Bytes) -> None:
    red, green, blue = np.uint32(0), np.uint32(0), np.uint32(0)
    for i in range(0, row.size, 3):
        red, green, blue = red + raw[i], green + raw[i + 1], blue + raw[i + 2]
        row[i], row[i + 1], row[i + 2] = red & 255, green & 255, blue & 255


@compiled()
def _undo_up(raw: Bytes, up: Bytes, row: Bytes) -> None:
    for i in range(row.size):
        row[i] = (raw[i] + up[i]) & 255


@compiled()
def _undo_average(raw: Bytes, up: Bytes, row: Bytes, pixel_bytes: int) -> None:
    """Section 9.3."""
    for channel in range(pixel_bytes):
        left = 0
        for i in range(channel, row.size, pixel_bytes):
            left = (raw[i] + ((left + up[i]) >> 1)) & 255
            row[i] = left


@compiled()
def _nearest(left: int, above: int, corner: int) -> int:
    """Paeth's predictor: the neighbour nearest to left + above - corner (section 9.4).

    The predictor is the corner if it is well between the other two, otherwise the extreme further
    from it. The order in a tie is that of the specification: left, above, corner.
    """
    low, high = min(left, above), max(left, above)
    threshold = 3 * corner - left - above
    nearest = low if high <= threshold else corner
    return high if threshold <= low else nearest


# Where left equals corner, Paeth predicts the pixel above, and with a difference of 0 that is the
# pixel. On clean pages this holds for nearly all pixels, and a predictable branch costs little.


@compiled()
def _undo_paeth(raw: Bytes, up: Bytes, row: Bytes, pixel_bytes: int) -> None:
    for channel in range(pixel_bytes):
        left, corner = np.int32(0), np.int32(0)
        for i in range(channel, row.size, pixel_bytes):
            above = np.int32(up[i])
            if (left ^ corner) | raw[i] == 0:
                left = above
            else:
                left = np.int32((raw[i] + _nearest(left, above, corner)) & 255)
            row[i] = left
            corner = above


@compiled()
def _undo_paeth_rgb(raw: Bytes, up: Bytes, row: Bytes) -> None:
    red, green, blue = np.int32(0), np.int32(0), np.int32(0)
    corner_red, corner_green, corner_blue = np.int32(0), np.int32(0), np.int32(0)
    for i in range(0, row.size, 3):
        up_red, up_green, up_blue = np.int32(up[i]), np.int32(up[i + 1]), np.int32(up[i + 2])
        is_flat = (red ^ corner_red) | (green ^ corner_green) | (blue ^ corner_blue) == 0
        if is_flat and raw[i] | raw[i + 1] | raw[i + 2] == 0:
            red, green, blue = up_red, up_green, up_blue
        else:
            red = np.int32((raw[i] + _nearest(red, up_red, corner_red)) & 255)
            green = np.int32((raw[i + 1] + _nearest(green, up_green, corner_green)) & 255)
            blue = np.int32((raw[i + 2] + _nearest(blue, up_blue, corner_blue)) & 255)
        row[i], row[i + 1], row[i + 2] = red, green, blue
        corner_red, corner_green, corner_blue = up_red, up_green, up_blue


@compiled("void(u1[:,::1], u1[:,::1], i8)")
def _undo(filtered: Bytes, rows: Bytes, pixel_bytes: int) -> None:
    for y in range(filtered.shape[0]):
        kind, raw, up, row = filtered[y, 0], filtered[y, 1:], rows[y], rows[y + 1]
        if kind == NONE:
            _undo_none(raw, row)
        elif kind == SUB and pixel_bytes == 3:
            _undo_sub_rgb(raw, row)
        elif kind == SUB:
            _undo_sub(raw, row, pixel_bytes)
        elif kind == UP:
            _undo_up(raw, up, row)
        elif kind == AVERAGE:
            _undo_average(raw, up, row, pixel_bytes)
        elif pixel_bytes == 3:
            _undo_paeth_rgb(raw, up, row)
        else:
            _undo_paeth(raw, up, row, pixel_bytes)


def undo_filters(filtered: Bytes, rows: Bytes, pixel_bytes: int) -> None:
    """Restore *filtered*, (n, 1 + row bytes) uint8, into rows 1 to n of *rows*, (n + 1, row bytes).

    Row 0 of *rows* is the row above, zeros at the top (section 9.2). *pixel_bytes* is at least 1.

    Raises:
        CorruptPngError: a row has a filter type over 4.
    """
    if filtered[:, 0].max() > PAETH:
        raise CorruptPngError(f"A row has filter type {filtered[:, 0].max()}; 4 is the last.")
    _undo(filtered, rows, pixel_bytes)
