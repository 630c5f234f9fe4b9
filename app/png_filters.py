"""Undo the row filters of a PNG: compiled by numba where that is installed, else by OpenCV.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). numpy cannot do this: a byte needs the one to its left, restored.
numba (https://pypi.org/project/numba/) is three to five times as fast as OpenCV with its libpng,
which has no SIMD code for gray images; docs/engine.md has the figures.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from . import png_format
from .errors import CorruptPngError
from .fast_zlib import store

Bytes = NDArray[np.uint8]
#: Section 9.2.
NONE, SUB, UP, AVERAGE, PAETH = range(5)


def _import_numba() -> Any:
    try:
        return importlib.import_module("numba")
    except ImportError:
        return None


_numba: Final = _import_numba()
HAS_NUMBA: Final = _numba is not None


def compiled(function: Callable[..., Any], signature: str | None = None) -> Callable[..., Any]:
    """Machine code that runs without the GIL; the plain function where numba is missing.

    With a *signature* it is made at once, and kept for the next process beside the module or where
    NUMBA_CACHE_DIR says: https://numba.readthedocs.io/en/stable/developer/caching.html
    """
    if _numba is None:
        return function
    compile_: Callable[..., Any] = partial(_numba.njit, signature, nogil=True)
    if signature is None:
        made: Callable[..., Any] = compile_()(function)
        return made
    try:
        made = compile_(cache=True)(function)
    except Exception:  # no place to keep it, a full disk, or what was kept is damaged
        made = compile_()(function)
    return made


# Each of the following restores one row; *up* is the restored row above. Where a byte depends on
# its left neighbour, the neighbour stays in a register: fetching it from the row made gray three
# times as slow. The three channels of RGB go side by side, as each waits for its own sum.


@compiled
def _undo_none(raw: Bytes, row: Bytes) -> None:
    for i in range(row.size):
        row[i] = raw[i]


@compiled
def _undo_sub(raw: Bytes, row: Bytes, pixel_bytes: int) -> None:
    for channel in range(pixel_bytes):
        left = 0
        for i in range(channel, row.size, pixel_bytes):
            left = (raw[i] + left) & 255
            row[i] = left


@compiled
def _undo_sub_rgb(raw: Bytes, row: Bytes) -> None:
    red, green, blue = np.uint32(0), np.uint32(0), np.uint32(0)
    for i in range(0, row.size, 3):
        red, green, blue = red + raw[i], green + raw[i + 1], blue + raw[i + 2]
        row[i], row[i + 1], row[i + 2] = red & 255, green & 255, blue & 255


@compiled
def _undo_up(raw: Bytes, up: Bytes, row: Bytes) -> None:
    for i in range(row.size):
        row[i] = (raw[i] + up[i]) & 255


@compiled
def _undo_average(raw: Bytes, up: Bytes, row: Bytes, pixel_bytes: int) -> None:
    """Section 9.3."""
    for channel in range(pixel_bytes):
        left = 0
        for i in range(channel, row.size, pixel_bytes):
            left = (raw[i] + ((left + up[i]) >> 1)) & 255
            row[i] = left


@compiled
def _nearest(left: int, above: int, corner: int) -> int:
    """Paeth's predictor: which one is nearest to left + above - corner (section 9.4).

    The corner, while it lies well between the others; else the extreme that is further from it.
    Ties go as the specification says: left, above, corner.
    """
    low, high = min(left, above), max(left, above)
    threshold = 3 * corner - left - above
    nearest = low if high <= threshold else corner
    return high if threshold <= low else nearest


# Where left equals corner, Paeth predicts the pixel above; with nothing to add to it, that is the
# pixel. On clean pages nearly all are so, and a test that always ends alike costs next to nothing.


@compiled
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


@compiled
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


# With the types given it compiles now, in about a second, not during the first job.
undo_with_numba: Final = compiled(_undo, "void(u1[:,::1], u1[:,::1], i8)")

#: Bytes per pixel -> a bit depth and colour type that have as many, so that the filters work alike.
_DEPTH_AND_COLOR: Final = {
    1: (8, png_format.GRAY),
    2: (16, png_format.GRAY),
    3: (8, png_format.RGB),
    4: (8, png_format.RGBA),
    6: (16, png_format.RGB),
    8: (16, png_format.RGBA),
}


def undo_with_opencv(filtered: Bytes, rows: Bytes, pixel_bytes: int) -> None:
    """Let libpng do it: the row above and *filtered*, stored uncompressed, make a small PNG."""
    bit_depth, color_type = _DEPTH_AND_COLOR[pixel_bytes]
    first = np.concatenate(([np.uint8(NONE)], rows[0]))
    small = png_format.write(
        store(first.tobytes() + filtered.tobytes()),
        width=rows.shape[1] // pixel_bytes,
        height=len(filtered) + 1,
        bit_depth=bit_depth,
        color_type=color_type,
    )
    pixels = cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise CorruptPngError("The rows of pixels cannot be restored.")
    rows[1:] = _as_in_the_file(pixels)[1:]


#: OpenCV has blue first, a PNG red.
_RED_FIRST: Final = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}


def _as_in_the_file(pixels: NDArray[Any]) -> Bytes:
    """OpenCV's pixels, which are in the machine's byte order, as the bytes of a PNG's rows."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, _RED_FIRST[pixels.shape[2]])
    if pixels.dtype == np.uint16 and sys.byteorder == "little":
        pixels = pixels.byteswap()
    return pixels.view(np.uint8).reshape(len(pixels), -1)


def undo_filters(filtered: Bytes, rows: Bytes, pixel_bytes: int) -> None:
    """Restore *filtered*, (n, 1 + row bytes) uint8, into rows 1 to n of *rows*, (n + 1, row bytes).

    Row 0 of *rows* is the row above, zeros at the top (section 9.2). *pixel_bytes* is at least 1.

    Raises:
        CorruptPngError: a filter type over 4.
    """
    if filtered[:, 0].max() > PAETH:
        raise CorruptPngError(f"A row has filter type {filtered[:, 0].max()}; 4 is the last.")
    undo = undo_with_numba if HAS_NUMBA else undo_with_opencv
    undo(filtered, rows, pixel_bytes)
