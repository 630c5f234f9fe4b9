"""Thresholds that follow the page: each pixel is compared with the window around it.

Notation: I is the pixel, m and s the mean and standard deviation of the square window around it, T
the threshold; I > T is paper. Border pixels are replicated beyond the border. An even window counts
as the next odd one. Means and deviations are running sums, so their time does not grow with the
window; that of `bernsen` does. docs/engine.md has the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..numeric.gaussian import EXTRA_ROWS, gaussian_mean
from ..numeric.histogram import Gray

Map = NDArray[np.float32]
Threshold = NDArray[np.floating[Any]]

#: Pixels per band of rows: float maps of a whole page would take several times its memory.
BAND_PX: Final = 1_000_000
#: The greatest standard deviation of bytes, as in Sauvola's paper.
DEVIATION_RANGE: Final = 128


@dataclass(frozen=True)
class Window:
    """Mean and standard deviation around each pixel of some rows."""

    mean: Map
    deviation: Map


def adaptive_mean(gray: Gray, *, window: int, offset: float) -> Gray:
    """T = m - offset.

    P. D. Wellner, "Adaptive Thresholding for the DigitalDesk", Rank Xerox EPC-1993-110, 1993.
    *window* 3 to 181 pixels; *offset* -255 to 255 gray values.
    """
    return _compare(gray, window, lambda _, mean: mean - np.float32(offset))


def adaptive_gaussian(gray: Gray, *, window: int, offset: float) -> Gray:
    """T = g - offset, with g the mean weighted by a Gaussian of 0.15 *window* + 0.35 deviation.

    The deviation is that of OpenCV's `adaptiveThreshold`. Windows over `gaussian.MAX_EXACT_PX` are
    approximated. Parameters as for `adaptive_mean`.
    """

    def threshold(rows: Gray) -> Threshold:
        return gaussian_mean(rows, window | 1) - np.float32(offset)

    return _by_bands(gray, window, threshold)


def bradley(gray: Gray, *, window: int, percent: float) -> Gray:
    """T = m (1 - percent / 100).

    D. Bradley, G. Roth, "Adaptive Thresholding Using the Integral Image", J. Graphics Tools
    12(2):13-21, 2007, doi:10.1080/2151237X.2007.10129236. *window* 3 to 181 pixels; *percent*
    0 to 100, in the paper 15.
    """
    return _compare(gray, window, lambda _, mean: mean * np.float32(1 - percent / 100))


def singh(gray: Gray, *, window: int, k: float) -> Gray:
    """T = m (1 + k (d / (1 - d) - 1)), with d = (I - m) / 255.

    T. R. Singh, S. Roy, O. I. Singh, T. Sinam, K. M. Singh, "A New Local Adaptive Thresholding
    Technique in Binarization", IJCSI 8(6):271-277, 2011. *window* 3 to 181 pixels; *k* 0 to 1.
    """

    def threshold(rows: Gray, mean: Map) -> Threshold:
        # At d = 1, a white pixel in a black window, the quotient would be infinite.
        above = np.minimum((rows - mean) / np.float32(255), np.float32(0.999))
        return np.asarray(mean * (1 + np.float32(k) * (above / (1 - above) - 1)))

    return _compare(gray, window, threshold)


def niblack(gray: Gray, *, window: int, k: float) -> Gray:
    """T = m + k s.

    W. Niblack, "An Introduction to Digital Image Processing", Prentice-Hall, 1986, p. 115.
    *window* 3 to 181 pixels; *k* -2 to 2, in the book -0.2. Windows without ink show noise as ink.
    """
    return _compare_spread(gray, window, lambda w: w.mean + np.float32(k) * w.deviation)


def sauvola(gray: Gray, *, window: int, k: float) -> Gray:
    """T = m (1 + k (s / 128 - 1)).

    J. Sauvola, M. Pietikainen, "Adaptive document image binarization", Pattern Recognition
    33(2):225-236, 2000, doi:10.1016/S0031-3203(99)00055-2. *window* 3 to 181 pixels; *k* 0 to
    1, in the paper 0.5.
    """

    def threshold(w: Window) -> Threshold:
        return w.mean * (1 + np.float32(k) * (w.deviation / DEVIATION_RANGE - 1))

    return _compare_spread(gray, window, threshold)


def wolf(gray: Gray, *, window: int, k: float) -> Gray:
    """T = m - k (1 - s / S) (m - M), with S the greatest s and M the least I of the page.

    C. Wolf, J.-M. Jolion, "Extraction and recognition of artificial text in multimedia
    documents", Pattern Analysis and Applications 6(4):309-326, 2003,
    doi:10.1007/s10044-003-0197-7. *window* 3 to 181 pixels; *k* 0 to 1, in the paper 0.5.
    """
    darkest = np.float32(gray.min())
    spread = max(
        float(_window(rows, window).deviation[inner].max()) for rows, inner in _rows(gray, window)
    )

    def threshold(w: Window) -> Threshold:
        contrast = 1 - w.deviation / np.float32(max(spread, 1e-6))
        return w.mean - np.float32(k) * contrast * (w.mean - darkest)

    return _compare_spread(gray, window, threshold)


def nick(gray: Gray, *, window: int, k: float) -> Gray:
    """T = m + k sqrt((sum I^2 - m^2) / n), with n the pixels of the window.

    K. Khurshid, I. Siddiqi, C. Faure, N. Vincent, "Comparison of Niblack inspired binarization
    methods for ancient documents", Proc. SPIE 7247, 2009, doi:10.1117/12.805827. *window* 3 to
    181 pixels; *k* -1 to 0, in the paper -0.2 to -0.1.
    """
    rest = np.float32(1 - 1 / (window | 1) ** 2)

    def threshold(w: Window) -> Threshold:
        return w.mean + np.float32(k) * np.sqrt(w.deviation**2 + rest * w.mean**2)

    return _compare_spread(gray, window, threshold)


def bernsen(gray: Gray, *, window: int, contrast: int) -> Gray:
    """T = (max + min) / 2 of the window; where max - min < *contrast*, T = 127.

    J. Bernsen, "Dynamic thresholding of grey-level images", Proc. 8th ICPR, 1986, pp.
    1251-1255. *window* 3 to 181 pixels; *contrast* 0 to 255.
    """
    square = np.ones((window | 1, window | 1), np.uint8)

    def threshold(rows: Gray) -> Threshold:
        highest, lowest = _as_map(cv2.dilate(rows, square)), _as_map(cv2.erode(rows, square))
        return np.where(highest - lowest < contrast, np.float32(127), (highest + lowest) / 2)

    return _by_bands(gray, window, threshold)


def _compare(gray: Gray, window: int, threshold: Callable[[Gray, Map], Threshold]) -> Gray:
    return _by_bands(gray, window, lambda rows: threshold(rows, _mean(rows, window)))


def _compare_spread(gray: Gray, window: int, threshold: Callable[[Window], Threshold]) -> Gray:
    return _by_bands(gray, window, lambda rows: threshold(_window(rows, window)))


def _by_bands(gray: Gray, window: int, threshold: Callable[[Gray], Threshold]) -> Gray:
    """255 where *gray* is over the threshold, else 0; *threshold* gets rows with their margin."""
    white = np.empty_like(gray)
    done = 0
    for rows, inner in _rows(gray, window):
        is_paper = (rows > threshold(rows))[inner]
        np.multiply(is_paper, np.uint8(255), out=white[done : done + len(is_paper)])
        done += len(is_paper)
    return white


def _rows(gray: Gray, window: int) -> Iterator[tuple[Gray, slice]]:
    """Bands of rows, each with the margin that its windows need, and the slice without the margin.

    Bands begin at even rows, as the squares of `gaussian_mean` do.
    """
    height, width = gray.shape
    margin = _even(window // 2 + EXTRA_ROWS)
    # Margins are computed twice: a band has at least twice as many rows as its two margins.
    step = _even(max(4 * margin, BAND_PX // width))
    for top in range(0, height, step):
        first = max(0, top - margin)
        yield gray[first : top + step + margin], slice(top - first, top - first + step)


def _even(rows: int) -> int:
    return rows + rows % 2


def _window(rows: Gray, window: int) -> Window:
    mean, size = _mean(rows, window), (window | 1, window | 1)
    squares = cv2.sqrBoxFilter(rows, cv2.CV_32F, size, borderType=cv2.BORDER_REPLICATE)
    # Rounding can make the variance of a flat window slightly negative.
    return Window(mean, np.sqrt(np.maximum(_as_map(squares) - mean * mean, 0)))


def _mean(rows: Gray, window: int) -> Map:
    size = (window | 1, window | 1)
    return _as_map(cv2.boxFilter(rows, cv2.CV_32F, size, borderType=cv2.BORDER_REPLICATE))


def _as_map(pixels: NDArray[Any]) -> Map:
    return pixels.astype(np.float32, copy=False)
