"""What the network sees of a page: the maps as numbers of about the same size on every page."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ...numeric.compiled import compiled
from .page_maps import FEATURE_LIMIT, FEATURE_STEPS, FEATURES, LEAST_CONTRAST, Layers, PageMaps

_STEPS: Final = np.float32(FEATURE_STEPS)
_LIMIT: Final = np.float32(FEATURE_STEPS * FEATURE_LIMIT)
_LEAST: Final = np.float32(LEAST_CONTRAST)
#: Adding and taking away 1.5 * 2^23 rounds a float32 to a whole number.
_ROUND: Final = np.float32(12582912)


def features(maps: PageMaps) -> tuple[Layers, Layers]:
    """(rows, FEATURES, columns) in steps of 1 / FEATURE_STEPS, and the contrast in gray values."""
    rows, columns = maps.paper.shape
    out = np.empty((rows, FEATURES, columns), np.float32)
    contrast = np.empty((rows, columns), np.float32)
    scratch = scratch_rows(maps)
    for y in range(rows):
        feature_row(y, *arrays(maps), out[y], contrast[y], scratch)
    return out, contrast


def scratch_rows(maps: PageMaps) -> Layers:
    """Room for the rows that `feature_row` enlarges."""
    return np.empty((6, 16 * maps.paper_128.shape[1]), np.float32)


def arrays(maps: PageMaps) -> tuple[Any, ...]:
    """The maps in the order in which `feature_row` takes them."""
    return (
        maps.cell_low,
        maps.cell_mean,
        maps.cell_high,
        maps.paper,
        maps.paper_32,
        maps.paper_128,
        maps.depth_32,
        maps.depth_64,
        maps.noise_32,
        maps.dark,
        maps.darkest,
        maps.mean,
    )


@compiled("void(uint8[:,::1], int64, int64, float32[::1])")
def enlarged_row(small: Any, y: int, factor: int, out: Any) -> None:
    """Row *y* of *small*, *factor* (even) times as large: linear between its values, rounded.

    *out* may be longer than the row that is needed, and takes whole steps of *factor*.
    """
    rows, columns = small.shape
    i = y // factor
    offset = 2 * (y - i * factor) + 1 - factor
    j = max(i - 1, 0) if offset < 0 else min(i + 1, rows - 1)
    other, two = np.float32(abs(offset)), np.float32(2 * factor)
    share = np.float32(1) / (two * two)
    a, b = small[i], small[j]
    mixed = np.empty(columns + 2, np.float32)
    inner = mixed[1:]
    for x in range(columns):
        inner[x] = (np.float32(a[x]) * (two - other) + np.float32(b[x]) * other) * share
    mixed[0], mixed[columns + 1] = mixed[1], mixed[columns]
    for step in range(factor):
        shift = 2 * step + 1 - factor
        beside = mixed if shift < 0 else mixed[2:]
        w = np.float32(abs(shift))
        u = two - w
        for x in range(min(columns, out.size // factor)):
            out[factor * x + step] = inner[x] * u + beside[x] * w + _ROUND - _ROUND


_MAP = "uint8[:,::1], "


@compiled(f"void(int64, {12 * _MAP} float32[:,::1], float32[::1], float32[:,::1])")
def feature_row(
    y: int,
    low: Any,
    mean: Any,
    high: Any,
    paper: Any,
    paper_32: Any,
    paper_128: Any,
    depth_32: Any,
    depth_64: Any,
    noise_32: Any,
    dark: Any,
    darkest: Any,
    mean_8: Any,
    out: Any,
    contrast: Any,
    scratch: Any,
) -> None:
    columns = contrast.size
    far, farther, near_depth, far_depth, noise = (
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[4],
    )  # fmt: skip
    enlarged_row(paper_32, y, 4, far)
    enlarged_row(paper_128, y, 16, farther)
    enlarged_row(depth_32, y, 4, near_depth)
    enlarged_row(depth_64, y, 8, far_depth)
    enlarged_row(noise_32, y, 4, noise)
    p, d, dd, m = paper[y], dark[y], darkest[y], mean_8[y]
    scale = scratch[5]
    part = np.float32(1 / 256)
    for x in range(columns):
        c = np.float32(p[x]) * near_depth[x] * part + _LEAST
        c = c + _ROUND - _ROUND
        contrast[x] = c
        scale[x] = _STEPS / c
    for j in range(4):
        at = 2 * y + j // 2
        side = j % 2
        cells_mean, cells_low, cells_high = mean[at], low[at], high[at]
        out_mean, out_low, out_high = out[j], out[4 + j], out[8 + j]
        for x in range(columns):
            b, s = np.float32(p[x]), scale[x]
            v = (b - np.float32(cells_mean[2 * x + side])) * s
            out_mean[x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
            v = (b - np.float32(cells_low[2 * x + side])) * s
            out_low[x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
            v = (b - np.float32(cells_high[2 * x + side])) * s
            out_high[x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
    one, two, four = np.float32(1), np.float32(2), np.float32(4)
    for x in range(columns):
        b, s, f, g = np.float32(p[x]), scale[x], far[x], farther[x]
        v = (b - np.float32(d[x])) * s
        out[12, x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
        v = (b - np.float32(dd[x])) * s
        out[13, x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
        v = (b - np.float32(m[x])) * s
        out[14, x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
        out[15, x] = min(noise[x] * s, _LIMIT) + _ROUND - _ROUND
        out[16, x] = min(noise[x] * two, _LIMIT)
        v = (f - b) * s
        out[17, x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
        out[18, x] = max(min(f - b, _LIMIT), -_LIMIT)
        v = (g - b) * s
        out[19, x] = max(min(v, _LIMIT), -_LIMIT) + _ROUND - _ROUND
        out[20, x] = max(min(g - b, _LIMIT), -_LIMIT)
        out[21, x] = min(np.float32(p[x]) - np.float32(128), _LIMIT)
        out[22, x] = near_depth[x] - np.float32(96)
        out[23, x] = (
            min(_STEPS * (near_depth[x] + four) / (far_depth[x] + four), _LIMIT) + _ROUND - _ROUND
        )
        out[23, x] = out[23, x] - _STEPS * one
