"""Compute the inputs of the network: the maps, scaled to a similar range on every page."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ...numeric.compiled import compiled
from .channels import Map
from .page_maps import FEATURE_LIMIT, FEATURE_STEPS, FEATURES, LEAST_CONTRAST, Layers, PageMaps

_STEPS: Final = np.float32(FEATURE_STEPS)
_LIMIT: Final = np.float32(FEATURE_STEPS * FEATURE_LIMIT)
_LEAST: Final = np.float32(LEAST_CONTRAST)
#: Adding and subtracting 1.5 * 2^23 rounds a float32 to a whole number.
_ROUND: Final = np.float32(12582912)


def features(maps: PageMaps) -> tuple[Map, Layers]:
    """(rows, FEATURES, columns) in 1 / FEATURE_STEPS, and the contrast in gray values."""
    rows, columns = maps.paper.shape
    out = np.empty((rows, FEATURES, columns), np.int16)
    contrast = np.empty((rows, columns), np.float32)
    given, scratch = arrays(maps), scratch_rows(maps)
    for y in range(rows):
        feature_row(y, *given, out[y], contrast[y], scratch)
    return out, contrast


def scratch_rows(maps: PageMaps) -> Layers:
    """Scratch memory for `feature_row`."""
    return np.empty((7, maps.paper.shape[1]), np.float32)


def arrays(maps: PageMaps) -> tuple[Any, ...]:
    """The maps in the order in which `feature_row` takes them."""
    return (
        maps.cell_low,
        maps.cell_mean,
        maps.cell_high,
        maps.paper,
        widened(maps.paper_32, 4),
        widened(maps.paper_128, 16),
        widened(maps.depth_32, 4),
        widened(maps.depth_64, 8),
        widened(maps.noise_32, 4),
        maps.dark,
        maps.darkest,
        maps.mean,
    )


@compiled("float32[:,::1](uint8[:,::1], int64)")
def widened(small: Any, factor: int) -> Any:
    """*small* times 2 *factor*, interpolated linearly to *factor* (even) times its columns."""
    rows, columns = small.shape
    out = np.empty((rows, factor * columns), np.float32)
    framed = np.empty(columns + 2, np.float32)
    for y in range(rows):
        for x in range(columns):
            framed[x + 1] = np.float32(small[y, x])
        framed[0], framed[columns + 1] = framed[1], framed[columns]
        for step in range(factor):
            shift = 2 * step + 1 - factor
            beside, w = framed[0 if shift < 0 else 2 :], np.float32(abs(shift))
            u = np.float32(2 * factor) - w
            for x in range(columns):
                out[y, factor * x + step] = framed[x + 1] * u + beside[x] * w
    return out


@compiled("void(float32[:,::1], int64, int64, float32[::1])")
def enlarged_row(wide: Any, y: int, factor: int, out: Any) -> None:
    """Write row *y* of an enlarged map into *out*, rounded; *wide* is `widened` by *factor*."""
    i = y // factor
    offset = 2 * (y - i * factor) + 1 - factor
    j = max(i - 1, 0) if offset < 0 else min(i + 1, wide.shape[0] - 1)
    two = np.float32(2 * factor)
    v = np.float32(abs(offset)) / (two * two)
    u = two / (two * two) - v
    a, b = wide[i], wide[j]
    for x in range(out.size):
        out[x] = a[x] * u + b[x] * v + _ROUND - _ROUND


@compiled()
def _whole(value: Any) -> Any:
    """*value* as a feature: limited and rounded."""
    return np.int16(max(min(value, _LIMIT), -_LIMIT) + _ROUND - _ROUND)


# The compiler vectorizes only loops over few arrays.


@compiled()
def _below(bright: Any, gray: Any, scale: Any, out: Any) -> None:
    for x in range(out.size):
        out[x] = _whole((bright[x] - np.float32(gray[x])) * scale[x])


@compiled()
def _cells_below(bright: Any, cells: Any, scale: Any, left: Any, right: Any) -> None:
    for x in range(left.size):
        left[x] = _whole((bright[x] - np.float32(cells[2 * x])) * scale[x])
        right[x] = _whole((bright[x] - np.float32(cells[2 * x + 1])) * scale[x])


@compiled()
def _over(far: Any, bright: Any, scale: Any, out: Any, plain: Any) -> None:
    for x in range(out.size):
        out[x], plain[x] = _whole((far[x] - bright[x]) * scale[x]), _whole(far[x] - bright[x])


@compiled()
def _depths(near: Any, far: Any, bright: Any, out: Any, compared: Any, grays: Any) -> None:
    four = np.float32(4)
    for x in range(out.size):
        out[x] = np.int16(near[x] - np.float32(96))
        compared[x] = _whole(_STEPS * (near[x] + four) / (far[x] + four)) - FEATURE_STEPS
        grays[x] = _whole(bright[x] - np.float32(128))


_MAP, _WIDE = "uint8[:,::1], ", "float32[:,::1], "


@compiled(
    f"void(int64, {4 * _MAP} {5 * _WIDE} {3 * _MAP} int16[:,::1], float32[::1], float32[:,::1])"
)
def feature_row(
    y: int, low: Any, mean: Any, high: Any, paper: Any, paper_32: Any, paper_128: Any,
    depth_32: Any, depth_64: Any, noise_32: Any, dark: Any, darkest: Any, mean_8: Any,
    out: Any, contrast: Any, scratch: Any,
) -> None:  # fmt: skip
    """Fill *out*, (FEATURES, columns), and *contrast* with row *y*."""
    bright, scale, far, farther, near_depth, far_depth, noise = (
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], scratch[6],
    )  # fmt: skip
    enlarged_row(paper_32, y, 4, far)
    enlarged_row(paper_128, y, 16, farther)
    enlarged_row(depth_32, y, 4, near_depth)
    enlarged_row(depth_64, y, 8, far_depth)
    enlarged_row(noise_32, y, 4, noise)
    part = np.float32(1 / 256)
    for x in range(contrast.size):
        b = np.float32(paper[y, x])
        c = b * near_depth[x] * part + _LEAST + _ROUND - _ROUND
        bright[x], contrast[x], scale[x] = b, c, _STEPS / c
    for j in range(2):
        at, k = 2 * y + j, 2 * j
        _cells_below(bright, mean[at], scale, out[k], out[k + 1])
        _cells_below(bright, low[at], scale, out[4 + k], out[5 + k])
        _cells_below(bright, high[at], scale, out[8 + k], out[9 + k])
    _below(bright, dark[y], scale, out[12])
    _below(bright, darkest[y], scale, out[13])
    _below(bright, mean_8[y], scale, out[14])
    for x in range(contrast.size):
        out[15, x], out[16, x] = _whole(noise[x] * scale[x]), _whole(noise[x] * np.float32(2))
    _over(far, bright, scale, out[17], out[18])
    _over(farther, bright, scale, out[19], out[20])
    _depths(near_depth, far_depth, bright, out[22], out[23], out[21])
