"""Leave tints white.

The network measures depth by the deepest spot within 220 pixels. In a wide box without print that
is the tint of the box, which then counts as ink.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from ....numeric.compiled import compiled
from ....numeric.histogram import Gray, as_gray
from ..page_maps import Layers, PageMaps

#: A tint has this share of the brightness of the paper within 580 pixels; brighter is paper.
TINTS: Final = (0.7, 0.95)
#: It fills a line of so many blocks of 8 x 8 pixels, along a row or a column: a broad stroke bends.
LEAST_BLOCKS: Final = 16
#: The deepest spot of the page is at least so many times as deep as a tint.
LEAST_DEEPER: Final = 2
#: The ranges of a flat block of 8 x 8 pixels and of those around it are at most so many times that
#: of the noise, and so many gray values. Only what is as far below the mean of a tint can be ink.
NOISES: Final = 1.3
MOST_RANGE: Final = 10
#: This is at most such a share of the gray of the tint: more may be hatching, or hide faint ink.
MOST_HIDDEN: Final = 1 / 6
#: A block is beside a tint if one is within two blocks, and so many times as bright paper is near.
BRIGHTER: Final = 1.05

_BYTES: Final = "uint8[:,::1]"


def spare_tints(threshold: Layers, maps: PageMaps, steps: int) -> None:
    """Lower *threshold*, at 1/4 in 1 / *steps* gray values, below the gray of tints."""
    tint = np.empty_like(maps.paper)
    ranges = as_gray(cv2.dilate(maps.range_8, np.ones((3, 3), np.uint8)))
    _find_tints(maps.mean_8, ranges, maps.paper_128, maps.noise_32, int(maps.depth_32.max()), tint)
    tint = _long(tint)
    near = as_gray(cv2.dilate(tint, np.ones((5, 5), np.uint8)))
    _lower(threshold, tint, near, maps.paper, maps.noise_32, steps)


@compiled()
def _most_range(noise: Any) -> Any:
    return np.float32(NOISES) * np.float32(noise) + np.float32(MOST_RANGE)


def _long(tint: Gray) -> Gray:
    """Those blocks of *tint* that are in a line of LEAST_BLOCKS of them; 0 elsewhere."""
    is_tint = np.minimum(tint, 1)
    along, down = (
        cv2.morphologyEx(is_tint, cv2.MORPH_OPEN, np.ones(shape, np.uint8))
        for shape in ((1, LEAST_BLOCKS), (LEAST_BLOCKS, 1))
    )
    return as_gray(tint * np.maximum(along, down))


@compiled(f"void({_BYTES}, {_BYTES}, {_BYTES}, {_BYTES}, int64, {_BYTES})")
def _find_tints(
    mean: Any, ranges: Any, paper_128: Any, noise_32: Any, deepest: int, tint: Any
) -> None:
    """Set *tint* to the mean of the flat blocks that are a tint, and to 0 elsewhere."""
    darkest, brightest = np.float32(TINTS[0]), np.float32(TINTS[1])
    for y in range(mean.shape[0]):
        for x in range(mean.shape[1]):
            gray, paper = np.float32(mean[y, x]), np.float32(paper_128[y >> 4, x >> 4])
            is_tint = darkest * paper <= gray <= brightest * paper
            is_tint &= LEAST_DEEPER * 255 * (paper - gray) <= deepest * paper
            most = _most_range(noise_32[y >> 2, x >> 2])
            is_tint &= np.float32(ranges[y, x]) <= most <= np.float32(MOST_HIDDEN) * gray
            tint[y, x] = mean[y, x] if is_tint else np.uint8(0)


@compiled(f"void(float32[:,::1], {_BYTES}, {_BYTES}, {_BYTES}, {_BYTES}, int64)")
def _lower(threshold: Any, tint: Any, near: Any, paper: Any, noise_32: Any, steps: int) -> None:
    for y in range(tint.shape[0]):
        for x in range(tint.shape[1]):
            gray = np.float32(near[y, x])
            is_beside = gray > 0 and np.float32(paper[y, x]) >= np.float32(BRIGHTER) * gray
            if tint[y, x] > 0:
                gray = np.float32(tint[y, x])
            elif not is_beside:
                continue
            most = np.rint(steps * (gray - _most_range(noise_32[y >> 2, x >> 2])))
            for j in range(2 * y, 2 * y + 2):
                for i in range(2 * x, 2 * x + 2):
                    threshold[j, i] = min(threshold[j, i], np.float32(most))
