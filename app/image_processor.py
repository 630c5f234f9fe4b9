"""Turn the bytes of a PNG into the bytes of a black-and-white PNG."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .domain import Binarized, choose_method
from .errors import CorruptPngError
from .methods import DEFAULT_METHOD, METHODS, Gray, binarize
from .png import PngInfo, PngLimits, inspect, write_bilevel


def binarize_png(
    data: bytes, *, method: str | None, parameters: Mapping[str, str | float], limits: PngLimits
) -> Binarized:
    """Check, decode, binarize and encode one page; deterministic.

    Raises:
        PermanentError: *data* is not a PNG within *limits*, or a parameter is wrong; see
            `png.inspect`, `choose_method` and `Method.parse` for which.
    """
    started = time.perf_counter()
    chosen = choose_method(METHODS, method or DEFAULT_METHOD)
    checked = chosen.parse(parameters)
    info = inspect(data, limits)
    white, threshold = binarize(decode(data, info), chosen.name, checked)
    return Binarized(
        png=_encode(white, info),
        width=info.width,
        height=info.height,
        dpi=info.dpi,
        method=chosen.name,
        parameters=checked,
        threshold=threshold,
        black_ratio=round(1 - cv2.countNonZero(white) / white.size, 6),
        processing_ms=round((time.perf_counter() - started) * 1000),
    )


def decode(data: bytes, info: PngInfo) -> Gray:
    """Decode to (H, W) uint8, transparency composited on white, EXIF orientation ignored.

    Raises:
        CorruptPngError: the pixel data does not make the image that the header promises.
    """
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as exc:
        raise CorruptPngError("The pixel data cannot be decoded.") from exc
    # OpenCV says None, not an error, when libpng gives up.
    if pixels is None or pixels.shape[:2] != (info.height, info.width):
        raise CorruptPngError("The pixel data cannot be decoded.")
    return _to_gray(pixels).astype(np.uint8, copy=False)


def _to_gray(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY).astype(np.uint16)
    alpha = pixels[:, :, 3].astype(np.uint16)
    return ((gray * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _encode(white: Gray, info: PngInfo) -> bytes:
    """Pack (H, W) of 0 and 255 into a 1-bit PNG."""
    bits = np.packbits(white, axis=1)
    rows = np.empty((info.height, 1 + bits.shape[1]), np.uint8)
    rows[:, 0] = 0  # filter type None: packed bits gain nothing from the others
    rows[:, 1:] = bits
    return write_bilevel(
        rows.tobytes(), width=info.width, height=info.height, physical_size=info.physical_size
    )
