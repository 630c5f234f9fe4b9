"""Sharpen less in focus.

The network sharpens wherever strokes may be thin and blurred. In focus this hardly shows more
strokes, but specks: noise on print of the other side, and the rings of JPEGs. Edges tell how well a
spot is in focus, by the share of their range that lies between two neighbours.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from ....numeric.compiled import compiled
from ....numeric.histogram import Gray
from ..page_maps import Layers, PageMaps

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
