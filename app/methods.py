"""Split ink from paper: the binarization methods under their standard names.

Every method takes (H, W) uint8 gray values, 0 black to 255 white, and returns (H, W) uint8 of
0 (ink) and 255 (paper) only, with the global threshold it used, or None when it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .domain import Method, Parameter, Parameters

Gray = NDArray[np.uint8]

# The worker runs images in parallel; OpenCV's own threads would only compete with them.
cv2.setNumThreads(1)


def simple(gray: Gray, *, threshold: int) -> tuple[Gray, int]:
    """White where *gray* is over *threshold*, 0 to 254."""
    _, white = cv2.threshold(gray, threshold, 255, cv2.THRESH_BINARY)
    return _as_gray(white), threshold


def otsu(gray: Gray) -> tuple[Gray, int]:
    """Split at the threshold with the greatest variance between the two classes.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC
    9(1):62-66, 1979, doi:10.1109/TSMC.1979.4310076.
    """
    threshold, white = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return _as_gray(white), int(threshold)


_THRESHOLD: Final = Parameter(
    "threshold", int, 127, 0, 254, "Gray values over this become white, the others black."
)
_OTSU: Final = Method("otsu", "One threshold for the page, chosen from its histogram.")
_SIMPLE: Final = Method("simple", "One fixed threshold for the page.", (_THRESHOLD,))

_FUNCTIONS: Final[Mapping[str, Callable[..., tuple[Gray, int | None]]]] = {
    "otsu": otsu,
    "simple": simple,
}
#: What the engine offers, the default first.
METHODS: Final[Mapping[str, Method]] = MappingProxyType({m.name: m for m in (_OTSU, _SIMPLE)})
DEFAULT_METHOD: Final = _OTSU.name


def binarize(gray: Gray, method: str, parameters: Parameters) -> tuple[Gray, int | None]:
    """Run the method of this name with parameters that `Method.parse` has checked."""
    return _FUNCTIONS[method](gray, **parameters)


def _as_gray(pixels: NDArray[Any]) -> Gray:
    return pixels.astype(np.uint8, copy=False)
