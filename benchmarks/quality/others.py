"""Binarization by the libraries that are installed, with their defaults."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import cv2
import numpy as np

Binarizer = Callable[[Any], Any]
LIBRARIES: Final = ("doxapy", "OpenCV", "scikit-image")
_SCIKIT_IMAGE: Final = (
    "isodata", "li", "mean", "minimum", "niblack", "otsu", "sauvola", "triangle", "yen",
)  # fmt: skip


def methods() -> dict[str, Binarizer]:
    """Gray to 0 and 255; a name begins with that of its library."""
    found = _opencv()
    if filters := _library("skimage.filters"):
        found |= _scikit_image(filters)
    if doxapy := _library("doxapy"):
        found |= _doxapy(doxapy)
    return found


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.stderr.write(f"{name} is not installed and left out; see requirements/quality.in.\n")
        return None


def _opencv() -> dict[str, Binarizer]:
    def adaptive(window: int, offset: int, gray: Any) -> Any:
        mean = cv2.ADAPTIVE_THRESH_MEAN_C
        return cv2.adaptiveThreshold(gray, 255, mean, cv2.THRESH_BINARY, window, offset)

    def contrib(method: int, k: float, gray: Any) -> Any:
        binary = cv2.THRESH_BINARY
        niblack = cv2.ximgproc.niBlackThreshold  # type: ignore[attr-defined]
        return niblack(gray, 255, binary, 25, k, binarizationMethod=method)

    found: dict[str, Binarizer] = {
        "OpenCV adaptive mean 11/2": partial(adaptive, 11, 2),
        "OpenCV adaptive mean 75/15": partial(adaptive, 75, 15),
    }
    if not hasattr(cv2, "ximgproc"):
        sys.stderr.write("This OpenCV has no contrib modules: their methods are left out.\n")
        return found
    ks = {"niblack": -0.2, "sauvola": 0.2, "wolf": 0.5, "nick": -0.1}
    return found | {
        f"OpenCV ximgproc {name}": partial(contrib, number, k)
        for number, (name, k) in enumerate(ks.items())
    }


def _scikit_image(filters: Any) -> dict[str, Binarizer]:
    def run(threshold: Callable[[Any], Any], gray: Any) -> Any:
        try:
            return np.where(gray > threshold(gray), 255, 0).astype(np.uint8)
        except RuntimeError:  # `minimum` gives up on histograms with one peak
            return np.full_like(gray, 255)

    return {
        f"scikit-image {name}": partial(run, getattr(filters, f"threshold_{name}"))
        for name in _SCIKIT_IMAGE
    }


def _doxapy(doxapy: Any) -> dict[str, Binarizer]:
    def run(algorithm: Any, gray: Any) -> Any:
        # Doxa takes the writable page itself, so a copy is part of the job.
        white = gray.copy()
        doxapy.Binarization.update_to_binary(algorithm, white)
        return white

    algorithms = doxapy.Binarization.Algorithms.__members__
    return {f"doxapy {n.lower()}": partial(run, algorithm) for n, algorithm in algorithms.items()}
