"""Separate ink from paper: the functions behind the names in `domain.methods`.

Every method takes (H, W) uint8 gray values, 0 black to 255 white. It returns (H, W) uint8 of
0 (ink) and 255 (paper), and its global threshold, None for a local method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cv2

from ..domain.methods import DEFAULT_METHOD
from ..numeric.histogram import Gray, as_gray
from . import local_thresholds
from .auto.page_kind import WRITING
from .auto.reader import Reading, read
from .dithering import floyd_steinberg

__all__ = ["FUNCTIONS", "Gray", "binarize", "otsu", "simple", "triangle"]

# The worker processes images in parallel; OpenCV's own threads would only compete.
cv2.setNumThreads(1)


def auto(gray: Gray) -> Gray:
    """Separate ink from paper with the learned threshold of `read`."""
    return read(gray).white


def simple(gray: Gray, *, threshold: int) -> tuple[Gray, int]:
    """White where *gray* is over *threshold*, 0 to 254."""
    _, white = cv2.threshold(gray, threshold, 255, cv2.THRESH_BINARY)
    return as_gray(white), threshold


def otsu(gray: Gray) -> tuple[Gray, int]:
    """Split at the threshold with the greatest variance between the two classes.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC
    9(1):62-66, 1979, doi:10.1109/TSMC.1979.4310076.
    """
    threshold, white = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return as_gray(white), int(threshold)


def triangle(gray: Gray) -> tuple[Gray, int]:
    """Split where the histogram is furthest below the line from its peak to its far end.

    G. W. Zack, W. E. Rogers, S. A. Latt, "Automatic measurement of sister chromatid exchange
    frequency", J. Histochem. Cytochem. 25(7):741-753, 1977, doi:10.1177/25.7.70454.
    """
    threshold, white = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
    return as_gray(white), int(threshold)


#: Returns the page in ink and paper, and the global threshold, None for a local method.
Function = Callable[..., tuple[Gray, int | None]]


def _local(function: Callable[..., Gray]) -> Function:
    """*function*, which has no global threshold, as a `Function`."""

    def without_threshold(gray: Gray, **given: float) -> tuple[Gray, None]:
        return function(gray, **given), None

    return without_threshold


#: The function behind each name of the catalogue.
FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "auto": _local(auto),
        "otsu": otsu,
        "triangle": triangle,
        "simple": simple,
        "adaptive-mean": _local(local_thresholds.adaptive_mean),
        "adaptive-gaussian": _local(local_thresholds.adaptive_gaussian),
        "bradley": _local(local_thresholds.bradley),
        "bernsen": _local(local_thresholds.bernsen),
        "niblack": _local(local_thresholds.niblack),
        "sauvola": _local(local_thresholds.sauvola),
        "wolf": _local(local_thresholds.wolf),
        "nick": _local(local_thresholds.nick),
        "singh": _local(local_thresholds.singh),
        "floyd-steinberg": _local(floyd_steinberg),
    }
)


def binarize(gray: Gray, method: str, parameters: Mapping[str, float]) -> tuple[Gray, int | None]:
    """Run the method of this name with parameters that `Method.parse` has checked."""
    return FUNCTIONS[method](gray, **parameters)


def binarize_and_tell(
    gray: Gray, method: str, parameters: Mapping[str, float]
) -> tuple[Reading, int | None]:
    """As `binarize`, with the kind of page; every method but `auto` reports writing."""
    if method == DEFAULT_METHOD:
        return read(gray), None
    white, threshold = binarize(gray, method, parameters)
    return Reading(white, WRITING), threshold
