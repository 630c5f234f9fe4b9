"""Correct the sharpness and the threshold of the network where it is known to be wrong.

It sharpens wherever strokes may be thin and blurred. In focus this hardly shows more strokes, but
specks: noise on print of the other side, and the rings of JPEGs. Edges tell how well a spot is in
focus, by the share of their range that lies between two neighbours.

It measures depth by the deepest spot within 220 pixels. In a wide box without print that is the
tint of the box, which then counts as ink.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray
from .page_maps import Layers, PageMaps

#: A block of 8 x 8 pixels has an edge of ink if its range is at least half the depth of the ink
#: nearby, twice that of noise, and this many gray values.
LEAST_EDGE: Final = 40
#: An edge is sharp if this share of its range lies between two neighbours.
SHARP_STEP: Final = (7, 10)
#: A spot is in focus if at least one of so many edges in this window of blocks is sharp: in print
#: that is blurred by 0.5 pixels at least a quarter is, by 0.6 about a tenth, by 0.7 almost none.
SHARP_OF: Final = 10
WINDOW_BLOCKS: Final = 21
#: How much of the sharpness stays in focus.
LEFT: Final = 0.5

#: A tint has this share of the brightness of the paper within 580 pixels; brighter is paper.
TINTS: Final = (0.7, 0.95)
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

_WINDOW: Final = np.ones((WINDOW_BLOCKS, WINDOW_BLOCKS), np.uint8)
_BYTES: Final = "uint8[:,::1]"


def soften_in_focus(sharpness: Layers, maps: PageMaps) -> None:
    """Halve *sharpness*, at 1/8, where the page is in focus; below 0 it sharpens.

    Near solid dark areas it stays: beside them print counts as pale, and light strokes on them are
    thin.
    """
    edges, sharp, dark = (np.empty_like(maps.paper) for _ in range(3))
    near = (maps.range_8, maps.step_8, maps.mean, maps.paper)
    _find_edges(*near, maps.paper_32, maps.depth_32, maps.noise_32, edges, sharp, dark)
    _soften(sharpness, _around(edges), _around(sharp), cv2.dilate(dark, _WINDOW))


def _around(found: Gray) -> Layers:
    """How many are found in the window around each block."""
    window, border = (WINDOW_BLOCKS, WINDOW_BLOCKS), cv2.BORDER_CONSTANT
    counts = cv2.boxFilter(found, cv2.CV_32F, window, normalize=False, borderType=border)
    return np.asarray(counts, np.float32)


@compiled(f"void({', '.join(10 * [_BYTES])})")
def _find_edges(
    ranges: Any, steps: Any, mean: Any, paper: Any, paper_32: Any, depth_32: Any, noise_32: Any,
    edges: Any, sharp: Any, dark: Any,
) -> None:  # fmt: skip
    for y in range(ranges.shape[0]):
        for x in range(ranges.shape[1]):
            r, step = np.int32(ranges[y, x]), np.int32(steps[y, x])
            depth = np.int32(paper[y, x]) * np.int32(depth_32[y >> 2, x >> 2])
            stands_out = r >= 2 * np.int32(noise_32[y >> 2, x >> 2])
            is_edge = stands_out and r >= LEAST_EDGE and 2 * 255 * r >= depth
            is_sharp = SHARP_STEP[1] * step >= SHARP_STEP[0] * r
            edges[y, x] = np.uint8(is_edge)
            sharp[y, x] = np.uint8(is_edge and is_sharp)
            # The mean of 20 pixels around is nearer to the ink than to the brightest paper.
            bright = np.int32(paper_32[y >> 2, x >> 2])
            below = 2 * 255 * (bright - np.int32(mean[y, x]))
            dark[y, x] = np.uint8(below > bright * np.int32(depth_32[y >> 2, x >> 2]))


@compiled(f"void(float32[:,::1], float32[:,::1], float32[:,::1], {_BYTES})")
def _soften(sharpness: Any, edges: Any, sharp: Any, dark: Any) -> None:
    for y in range(sharpness.shape[0]):
        for x in range(sharpness.shape[1]):
            in_focus = sharp[y, x] > 0 and SHARP_OF * sharp[y, x] >= edges[y, x]
            if in_focus and sharpness[y, x] < 0 and not dark[y, x]:
                sharpness[y, x] = np.rint(sharpness[y, x] * np.float32(LEFT))


def spare_tints(threshold: Layers, maps: PageMaps, steps: int) -> None:
    """Lower *threshold*, at 1/4 in 1 / *steps* gray values, below the gray of tints."""
    tint = np.empty_like(maps.paper)
    ranges = as_gray(cv2.dilate(maps.range_8, np.ones((3, 3), np.uint8)))
    _find_tints(maps.mean_8, ranges, maps.paper_128, maps.noise_32, int(maps.depth_32.max()), tint)
    near = as_gray(cv2.dilate(tint, np.ones((5, 5), np.uint8)))
    _lower(threshold, tint, near, maps.paper, maps.noise_32, steps)


@compiled()
def _most_range(noise: Any) -> Any:
    return np.float32(NOISES) * np.float32(noise) + np.float32(MOST_RANGE)


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
