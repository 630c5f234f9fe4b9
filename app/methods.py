"""Split ink from paper: the binarization methods under their standard names.

Every method takes (H, W) uint8 gray values, 0 black to 255 white, and returns (H, W) uint8 of
0 (ink) and 255 (paper) only, with the global threshold it used, or None when it has none.
`METHODS` is the one list of them: the API, the page and the docs are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2

from . import local_thresholds
from .auto import Reading, auto, read
from .dithering import floyd_steinberg
from .domain import Method, Parameter, Parameters
from .histogram import Gray, as_gray
from .local_thresholds import MAX_WINDOW_PX

__all__ = ["DEFAULT_METHOD", "METHODS", "Gray", "binarize", "otsu", "simple", "triangle"]

# The worker runs images in parallel; OpenCV's own threads would only compete with them.
cv2.setNumThreads(1)


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
    """Split where the histogram lies furthest below the line from its peak to its far end.

    G. W. Zack, W. E. Rogers, S. A. Latt, "Automatic measurement of sister chromatid exchange
    frequency", J. Histochem. Cytochem. 25(7):741-753, 1977, doi:10.1177/25.7.70454.
    """
    threshold, white = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
    return as_gray(white), int(threshold)


@dataclass(frozen=True)
class _Entry:
    """A method and the function that carries it out."""

    method: Method
    function: Callable[..., tuple[Gray, int | None]]


def _global(
    function: Callable[..., tuple[Gray, int | None]], description: str, *parameters: Parameter
) -> _Entry:
    return _Entry(Method(function.__name__, description, parameters), function)


def _local(function: Callable[..., Gray], description: str, *parameters: Parameter) -> _Entry:
    def without_threshold(gray: Gray, **given: float) -> tuple[Gray, None]:
        return function(gray, **given), None

    name = function.__name__.replace("_", "-")
    return _Entry(Method(name, description, parameters), without_threshold)


def _window(default: int) -> Parameter:
    return Parameter(
        "window", int, default, 3, MAX_WINDOW_PX,
        "Side of the square around each pixel, in pixels; even counts as the next odd number.",
    )  # fmt: skip


def _k(default: float, minimum: float, maximum: float, description: str) -> Parameter:
    return Parameter("k", float, default, minimum, maximum, description)


_THRESHOLD: Final = Parameter(
    "threshold", int, 127, 0, 254, "Gray values over this become white, the others black."
)
_OFFSET: Final = Parameter(
    "offset", float, 15, -255, 255, "How much darker than its surroundings ink is, in gray values."
)
_PERCENT: Final = Parameter(
    "percent", float, 15, 0, 100, "How much darker than its surroundings ink is, in percent."
)
_CONTRAST: Final = Parameter(
    "contrast", int, 25, 0, 255, "Windows with less difference than this hold no edge of ink."
)

_ENTRIES: Final = (
    _global(auto, "Measures page, ink and noise and sets itself; white on black is turned round."),
    _global(otsu, "One threshold for the page, chosen from its histogram."),
    _global(triangle, "One threshold for the page, at the foot of the histogram's peak."),
    _global(simple, "One fixed threshold for the page.", _THRESHOLD),
    _local(local_thresholds.adaptive_mean, "Darker than the mean around it.", _window(75), _OFFSET),
    _local(
        local_thresholds.adaptive_gaussian,
        "Darker than the weighted mean around it, near pixels counting more.",
        _window(75),
        _OFFSET,
    ),
    _local(
        local_thresholds.bradley, "Darker than the mean by a percentage.", _window(75), _PERCENT
    ),
    _local(
        local_thresholds.bernsen,
        "Darker than half way between the extremes around it.",
        _window(75),
        _CONTRAST,
    ),
    _local(
        local_thresholds.niblack,
        "Mean plus k deviations; splits noise where there is no ink.",
        _window(25),
        _k(-0.2, -2, 2, "Deviations added to the mean; lower means less ink."),
    ),
    _local(
        local_thresholds.sauvola,
        "Niblack made for text: low contrast lowers the threshold.",
        _window(25),
        _k(0.2, 0, 1, "How far low contrast lowers the threshold; higher means less ink."),
    ),
    _local(
        local_thresholds.wolf,
        "Sauvola with the page's own contrast and darkest gray.",
        _window(25),
        _k(0.5, 0, 1, "How far low contrast lowers the threshold; higher means less ink."),
    ),
    _local(
        local_thresholds.nick,
        "Niblack for faint ink on light pages.",
        _window(25),
        _k(-0.1, -1, 0, "Lower means less ink and less noise."),
    ),
    _local(
        local_thresholds.singh,
        "Local mean and the pixel's own distance from it; fast.",
        _window(75),
        _k(0.2, 0, 1, "Higher means less ink."),
    ),
    _local(floyd_steinberg, "Dots as dense as the page is dark; for photographs, not for text."),
)
_FUNCTIONS: Final = MappingProxyType({e.method.name: e.function for e in _ENTRIES})
#: What the engine offers, the default first.
METHODS: Final[Mapping[str, Method]] = MappingProxyType({e.method.name: e.method for e in _ENTRIES})
DEFAULT_METHOD: Final = _ENTRIES[0].method.name


def binarize(gray: Gray, method: str, parameters: Parameters) -> tuple[Gray, int | None]:
    """Run the method of this name with parameters that `Method.parse` has checked."""
    return _FUNCTIONS[method](gray, **parameters)


def binarize_and_tell(
    gray: Gray, method: str, parameters: Parameters
) -> tuple[Reading, int | None]:
    """`binarize`, and what the page was taken for: by all methods but `auto`, for writing."""
    if method == DEFAULT_METHOD:
        return read(gray), None
    white, threshold = binarize(gray, method, parameters)
    return Reading(white, "writing"), threshold
