"""Compute a threshold for every spot of a page, by a network that is trained on drawn pages.

Cells of 4 x 4 pixels -> maps of paper, contrast and noise (`page_maps`) -> a network of 17,786
weights at 1/8 to 1/64 of the scale -> a threshold at 1/4 and a sharpness at 1/8 -> one comparison
of each pixel. The weights are in surface.npz; benchmarks/training draws the pages and trains them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numeric.compiled import compiled
from ...numeric.histogram import Gray, as_gray, histogram, quantile
from . import layers
from .channels import Map, channel_rows, empty_map, packed
from .compare import Limits
from .corrections.focus import soften_in_focus
from .corrections.solids import solid_areas
from .corrections.tints import spare_tints
from .page_features import arrays, enlarged_row, feature_row, scratch_rows, widened
from .page_maps import FEATURES, Layers, PageMaps

WEIGHTS_FILE: Final = Path(__file__).with_name("surface.npz")
#: Thresholds are whole numbers of 1 / 32 gray value, sharpness of 1 / 512 of a 25th.
THRESHOLD_STEPS: Final = 32

#: Pages with at least this median noise are not sharpened: sharpened specks between words would be
#: read as letters.
STRONG_NOISE: Final = 40

#: Until it is complete, a threshold is in 1 / 512 gray values, like the outputs of the network.
_FINE: Final = np.float32(512)
_OUT: Final = np.float32(THRESHOLD_STEPS / 512)
_LOW, _HIGH = np.float32(-128 * 512), np.float32(383 * 512)
_25TH: Final = np.float32(1 / 25)
_ROUND: Final = np.float32(12582912)
_MOST_SHARP: Final = np.float32(82)
#: A pixel is as dark as ink if it is DARK_INK times as deep as the darkest spot nearby, where that
#: spot is LEAST_DARK of 255 deep and at least DARK_NOISES times as deep as the noise ranges, and
#: where a range within 20 pixels is 1 / DARK_EDGE of the depth or more, as none is in a shadow.
DARK_INK: Final = (4, 5)
LEAST_DARK: Final = 90
DARK_NOISES: Final = 2
DARK_EDGE: Final = 2

Weights = Mapping[str, Layers]
_FILTER: Final = ".filter.weight"


@functools.cache
def weights(path: Path = WEIGHTS_FILE) -> Weights:
    """The learned weights, as whole numbers in float32."""
    with np.load(path) as file:
        return {
            name: np.ascontiguousarray(file[name], np.float32)
            for name in file.files
            if name != "provenance"
        }


def limits(maps: PageMaps, learned: Weights, *, has_ink: bool) -> Limits:
    """What separates ink from paper on the page with these *maps*.

    *has_ink* says that something stands out from the noise.
    """
    threshold, sharpness = surface(maps, learned)
    spare_tints(threshold, maps, THRESHOLD_STEPS)
    if quantile(histogram(maps.noise_32), 0.5) >= STRONG_NOISE:
        np.maximum(sharpness, np.float32(0), out=sharpness)
    else:
        soften_in_focus(sharpness, maps)
    if not has_ink:
        return Limits(threshold, sharpness, np.zeros_like(maps.paper))
    dark = np.maximum(dark_ink(maps), solid_areas(maps))
    return Limits(threshold, sharpness, dark)


def dark_ink(maps: PageMaps) -> Gray:
    """The gray at 1/8 below which pixels are as dark as the ink nearby; 0 where there is none.

    Thresholds alone leave white holes in the modules of small codes.
    """
    edge = as_gray(cv2.dilate(maps.range_8, np.ones((5, 5), np.uint8)))
    below = np.empty_like(maps.paper)
    _below_ink(maps.paper, maps.depth_32, maps.noise_32, edge, below)
    return below


@compiled("void(uint8[:,::1], uint8[:,::1], uint8[:,::1], uint8[:,::1], uint8[:,::1])")
def _below_ink(paper: Any, depth_32: Any, noise_32: Any, edge: Any, below: Any) -> None:
    numerator, denominator = DARK_INK
    for y in range(paper.shape[0]):
        for x in range(paper.shape[1]):
            p, depth = np.int32(paper[y, x]), np.int32(depth_32[y >> 2, x >> 2])
            deep = p * depth
            is_ink = depth >= LEAST_DARK and DARK_EDGE * 255 * np.int32(edge[y, x]) >= deep
            is_ink &= DARK_NOISES * 255 * np.int32(noise_32[y >> 2, x >> 2]) <= deep
            under = p - deep * numerator // (255 * denominator)
            below[y, x] = np.uint8(under) if is_ink else np.uint8(0)


def surface(maps: PageMaps, learned: Weights) -> tuple[Layers, Layers]:
    """The threshold at 1/4 and the sharpness at 1/8, in whole numbers."""
    finest, contrast = _enter(maps, learned)
    columns = [maps.paper.shape[1] >> i for i in range(4)]
    levels = [finest]
    for i in range(3):
        _blocks(levels[i], columns[i], learned, f"first.{i}")
        weight, bias = _layer(learned, f"down.{i}")
        levels.append(layers.narrowed(levels[i], columns[i + 1], weight, bias))
    _blocks(levels[3], columns[3], learned, "deep")
    for i in (2, 1, 0):
        small = levels.pop()
        layers.add_enlarged(levels[i], small, columns[i + 1], learned[f"up.{i}.weight"])
        _blocks(levels[i], columns[i], learned, f"last.{i}")
    return _leave(levels[0], maps, contrast, learned)


def _blocks(x: Map, columns: int, learned: Weights, place: str) -> None:
    """Run the blocks at one place of the network, in their order."""
    for name in _block_names(tuple(learned), place):
        weight, bias = _layer(learned, f"{name}.mix")
        layers.block(x, columns, learned[name + _FILTER], weight, bias)


@functools.cache
def _block_names(names: tuple[str, ...], place: str) -> tuple[str, ...]:
    found = (n for n in names if n.startswith(place) and n.endswith(_FILTER))
    return tuple(sorted(name.removesuffix(_FILTER) for name in found))


def _layer(learned: Weights, name: str) -> tuple[Layers, Layers]:
    return learned[f"{name}.weight"], learned[f"{name}.bias"]


def _enter(maps: PageMaps, learned: Weights) -> tuple[Map, Layers]:
    """The map of the finest level, and the contrast in gray values."""
    rows, columns = maps.paper.shape
    weight, bias = _layer(learned, "enter")
    out = empty_map(rows, len(weight), columns)
    contrast = np.empty((rows, columns), np.float32)
    _enter_rows(*arrays(maps), weight, bias, out, contrast, scratch_rows(maps))
    return out, contrast


_BYTES, _FLOATS = "uint8[:,::1], ", "float32[:,::1], "


@compiled(
    f"void({4 * _BYTES} {5 * _FLOATS} {3 * _BYTES} {_FLOATS} float32[::1], int16[:,:,::1], "
    f"{2 * _FLOATS})"
)
def _enter_rows(
    low: Any, mean: Any, high: Any, paper: Any, paper_32: Any, paper_128: Any, depth_32: Any,
    depth_64: Any, noise_32: Any, dark: Any, darkest: Any, mean_8: Any,
    weight: Any, bias: Any, out: Any, contrast: Any, scratch: Any,
) -> None:  # fmt: skip
    columns = contrast.shape[1]
    weights, biases = packed(weight, bias)
    found, pairs = channel_rows(FEATURES, columns), channel_rows(FEATURES, columns)
    for y in range(contrast.shape[0]):
        feature_row(
            y, low, mean, high, paper, paper_32, paper_128, depth_32, depth_64, noise_32, dark,
            darkest, mean_8, found, contrast[y], scratch,
        )  # fmt: skip
        layers.enter_row(found, columns, weights, biases, pairs, out[y])


def _leave(x: Map, maps: PageMaps, contrast: Layers, learned: Weights) -> tuple[Layers, Layers]:
    rows, columns = contrast.shape
    threshold = np.empty((2 * rows, 2 * columns), np.float32)
    sharpness = np.empty((rows, columns), np.float32)
    _leave_rows(
        x, *_layer(learned, "leave"), contrast, maps.paper, widened(maps.paper_32, 4),
        widened(maps.paper_128, 16), maps.cell_dark, maps.cell_darkest, maps.dark, threshold,
        sharpness,
    )  # fmt: skip
    return threshold, sharpness


@compiled()
def _less_contrast(base: Any, contrast: Any, left: Any, right: Any, out: Any) -> None:
    for i in range(base.size):
        out[2 * i] = base[i] - contrast[i] * np.float32(left[i])
        out[2 * i + 1] = base[i] - contrast[i] * np.float32(right[i])


@compiled()
def _less_depths(
    paper: Any, dark: Any, by_dark: Any, darkest: Any, by_darkest: Any, out: Any
) -> None:
    for i in range(paper.size):
        b, v, w = np.float32(paper[i]), np.float32(by_dark[i]), np.float32(by_darkest[i])
        for k in (2 * i, 2 * i + 1):
            t = out[k] - v * (b - np.float32(dark[k])) - w * (b - np.float32(darkest[k]))
            out[k] = max(min(t, _HIGH), _LOW) * _OUT + _ROUND - _ROUND


@compiled(
    f"void(int16[:,:,::1], {_FLOATS} float32[::1], {_FLOATS} {_BYTES} {2 * _FLOATS} {3 * _BYTES} "
    f"{2 * _FLOATS})"
)
def _leave_rows(
    x: Any, weight: Any, bias: Any, contrast: Any, paper: Any, paper_32: Any, paper_128: Any,
    cell_dark: Any, cell_darkest: Any, dark: Any, threshold: Any, sharpness: Any,
) -> None:  # fmt: skip
    """Threshold = paper - contrast o0..3 - o4 (paper - darkest nearby) ... + o7 (far - paper)."""
    rows, columns = contrast.shape
    weights, biases = packed(weight, bias)
    o, pairs = channel_rows(len(biases), columns), channel_rows(x.shape[1], columns)
    far, farther = np.empty(columns, np.float32), np.empty(columns, np.float32)
    base = np.empty(columns, np.float32)
    for y in range(rows):
        layers.leave_row(x[y], weights, biases, pairs, o)
        enlarged_row(paper_32, y, 4, far)
        enlarged_row(paper_128, y, 16, farther)
        p, d, s = paper[y], dark[y], sharpness[y]
        for i in range(columns):
            b = np.float32(p[i])
            v = np.float32(o[7, i]) * (far[i] - b) + np.float32(o[8, i]) * (farther[i] - b)
            base[i] = b * _FINE + v - np.float32(o[6, i]) * (b - np.float32(d[i]))
        for i in range(columns):
            v = np.float32(o[9, i]) * _25TH + _ROUND - _ROUND
            s[i] = max(min(v, _MOST_SHARP), -_MOST_SHARP)
        for j in range(2):
            at = 2 * y + j
            _less_contrast(base, contrast[y], o[2 * j], o[2 * j + 1], threshold[at])
            _less_depths(p, cell_dark[at], o[4], cell_darkest[at], o[5], threshold[at])


def provenance(path: Path = WEIGHTS_FILE) -> str:
    """The origin of the weights, as JSON."""
    with np.load(path) as file:
        return str(file["provenance"])


Bytes = NDArray[np.uint8]
