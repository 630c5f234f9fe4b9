"""Gaussian blur of gray rows, in about the same time for every window size."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .histogram import Gray

Map = NDArray[np.float32]

#: Larger windows are blurred at half the resolution: at 181 pixels a page of 40 megapixels then
#: takes 0.4 s of CPU time instead of 3.4 s. On text pages the means differ by at most 0.25 gray
#: values from those at full resolution, and one pixel in 100,000 changes between black and white.
MAX_EXACT_PX: Final = 75
#: Rows beside a window that the half-resolution window covers, too.
EXTRA_ROWS: Final = 6


def gaussian_mean(rows: Gray, size_px: int) -> Map:
    """The Gaussian-weighted mean around each pixel: (H, W) uint8 -> (H, W) float32.

    *size_px* is odd; the standard deviation is that of OpenCV's `adaptiveThreshold`, 0.15 *size_px*
    + 0.35. Border pixels are replicated beyond the border.
    """
    if size_px > MAX_EXACT_PX:
        return _at_half_resolution(rows, size_px)
    deviation_px = _deviation_px(size_px)
    blurred = cv2.GaussianBlur(
        rows.astype(np.float32), (size_px, size_px), deviation_px, borderType=cv2.BORDER_REPLICATE
    )
    return _as_map(blurred)


def _at_half_resolution(rows: Gray, size_px: int) -> Map:
    """The blur at half resolution: averages of 2 x 2 squares, blurred and interpolated."""
    kernel = _half_kernel(size_px)
    # Padded here, since the border replicates the last pixel and not the last square.
    pad = len(kernel) + 1
    height, width = rows.shape
    padded = cv2.copyMakeBorder(
        rows, pad, pad + height % 2, pad, pad + width % 2, cv2.BORDER_REPLICATE
    )
    half = cv2.resize(
        padded.astype(np.float32),
        (padded.shape[1] // 2, padded.shape[0] // 2),
        interpolation=cv2.INTER_AREA,
    )
    half = cv2.sepFilter2D(half, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    # One more square on each side, for the interpolation.
    cut = pad // 2 - 1
    half = half[cut:-cut, cut:-cut]
    whole = cv2.resize(half, (2 * half.shape[1], 2 * half.shape[0]), interpolation=cv2.INTER_LINEAR)
    return _as_map(whole[2 : 2 + height, 2 : 2 + width])


@lru_cache(maxsize=128)
def _half_kernel(size_px: int) -> Map:
    """The kernel for 2 x 2 squares nearest to the pixel kernel, by least squares.

    A pixel of an even row gets 3/4 of the mean of its own square and 1/4 of that of the square
    before, so the pixel kernel at 2i and 2i + 1 is 3/8 k[i] + 1/8 k[i + 1] of the square kernel k.
    """
    wanted = cv2.getGaussianKernel(size_px, _deviation_px(size_px))[:, 0]
    reach = size_px // 2
    last = reach // 2 + 1
    offsets = np.arange(-reach - 4, reach + 5)
    weights = np.zeros((len(offsets), last + 1))
    for share, squares in ((3 / 8, offsets // 2), (1 / 8, offsets // 2 + 1)):
        inside = np.flatnonzero(abs(squares) <= last)
        np.add.at(weights, (inside, abs(squares[inside])), share)  # the kernel is symmetric
    target = np.pad(wanted, 4)
    half = np.linalg.lstsq(weights, target, rcond=None)[0]
    kernel = np.concatenate([half[:0:-1], half])
    return _as_map(kernel / kernel.sum())


def _deviation_px(size_px: int) -> float:
    return 0.15 * size_px + 0.35


def _as_map(pixels: NDArray[Any]) -> Map:
    return pixels.astype(np.float32, copy=False)
