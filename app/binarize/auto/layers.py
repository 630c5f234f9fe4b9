"""Layers of a small network over rows of a map, in whole numbers that float32 holds exactly.

A map is (rows, channels, columns), its columns continued to a multiple of COLUMN_STEP with numbers
that do not matter: loops over whole steps leave no rest, which takes longer than the steps.

Activations are whole numbers of 1 / 64 up to MOST_ACTIVATION,
weights of 1 / 256; no sum comes to 2^24. So every product and sum is exact, in whatever order,
fused or not, and the result is the same on every processor. After each layer it is rounded.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ...numeric.compiled import compiled
from .page_maps import Layers

#: Activations end here; what was learned stays far below.
MOST_ACTIVATION: Final = 1023
#: Weights are whole numbers of one part of this.
WEIGHT_STEPS: Final = 256

#: Two registers of sixteen.
COLUMN_STEP: Final = 32

_MOST: Final = np.float32(MOST_ACTIVATION)
_PART: Final = np.float32(1 / WEIGHT_STEPS)
#: Adding and taking away 1.5 * 2^23 rounds a float32 to a whole number.
_ROUND: Final = np.float32(12582912)
_ZERO: Final = np.float32(0)

_ROWS, _ROW, _MAP = "float32[:,::1]", "float32[::1]", "float32[:,:,::1]"


def whole(columns: int) -> int:
    """*columns*, continued to whole steps."""
    return -(-columns // COLUMN_STEP) * COLUMN_STEP


@compiled(f"void({_ROWS}, {_ROW}, {_ROWS}, {_ROWS})", may_fuse=True)
def mix(weights: Any, biases: Any, inputs: Any, out: Any) -> None:
    """out[c] = biases[c] + sum over k of weights[c, k] inputs[k].

    Rows of out come in pairs and inputs in sixes: an input that is loaded counts twice, and twelve
    weights stay in registers.
    """
    columns = out.shape[1] // COLUMN_STEP * COLUMN_STEP
    for c in range(0, weights.shape[0], 2):
        o, p, w, v = out[c], out[c + 1], weights[c], weights[c + 1]
        bias_o, bias_p = biases[c], biases[c + 1]
        for k in range(0, weights.shape[1], 6):
            w0, w1, w2, w3, w4, w5 = w[k], w[k + 1], w[k + 2], w[k + 3], w[k + 4], w[k + 5]
            v0, v1, v2, v3, v4, v5 = v[k], v[k + 1], v[k + 2], v[k + 3], v[k + 4], v[k + 5]
            x0, x1, x2 = inputs[k], inputs[k + 1], inputs[k + 2]
            x3, x4, x5 = inputs[k + 3], inputs[k + 4], inputs[k + 5]
            if k == 0:
                for i in range(columns):
                    y0, y1, y2, y3, y4, y5 = x0[i], x1[i], x2[i], x3[i], x4[i], x5[i]
                    o[i] = bias_o + w0 * y0 + w1 * y1 + w2 * y2 + w3 * y3 + w4 * y4 + w5 * y5
                    p[i] = bias_p + v0 * y0 + v1 * y1 + v2 * y2 + v3 * y3 + v4 * y4 + v5 * y5
            else:
                for i in range(columns):
                    y0, y1, y2, y3, y4, y5 = x0[i], x1[i], x2[i], x3[i], x4[i], x5[i]
                    o[i] = o[i] + w0 * y0 + w1 * y1 + w2 * y2 + w3 * y3 + w4 * y4 + w5 * y5
                    p[i] = p[i] + v0 * y0 + v1 * y1 + v2 * y2 + v3 * y3 + v4 * y4 + v5 * y5


@compiled(f"void({_ROWS})", may_fuse=True)
def activate(rows: Any) -> None:
    """Sums become activations: rounded, nothing below zero."""
    for c in range(rows.shape[0]):
        r = rows[c]
        for i in range(r.size // COLUMN_STEP * COLUMN_STEP):
            r[i] = min(max(r[i] * _PART + _ROUND - _ROUND, _ZERO), _MOST)


@compiled(f"void({_ROWS}, {_ROWS})", may_fuse=True)
def add_activated(sums: Any, rows: Any) -> None:
    """rows += activations of *sums*."""
    for c in range(rows.shape[0]):
        s, r = sums[c], rows[c]
        for i in range(r.size // COLUMN_STEP * COLUMN_STEP):
            r[i] = min(r[i] + max(s[i] * _PART + _ROUND - _ROUND, _ZERO), _MOST)


@compiled(f"void({_ROWS}, int64, {_ROWS})")
def frame(row: Any, columns: int, out: Any) -> None:
    """A copy of the *columns* of a row with its first and last value before and after them."""
    for c in range(row.shape[0]):
        r, o = row[c], out[c]
        inner = o[1:]
        for i in range(r.size // COLUMN_STEP * COLUMN_STEP):
            inner[i] = r[i]
        o[0], o[columns + 1] = r[0], r[columns - 1]


@compiled(f"void({_ROWS}, {_ROWS}, {_ROWS}, {_ROWS}, {_ROWS})", may_fuse=True)
def filter_row(above: Any, here: Any, below: Any, weights: Any, out: Any) -> None:
    """Each channel of framed rows through its 3 x 3 weights, rounded."""
    for c in range(here.shape[0]):
        w, o = weights[c], out[c]
        w0, w1, w2, w3, w4, w5, w6, w7, w8 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]
        a0, a1, a2 = above[c], above[c, 1:], above[c, 2:]
        b0, b1, b2 = here[c], here[c, 1:], here[c, 2:]
        d0, d1, d2 = below[c], below[c, 1:], below[c, 2:]
        for i in range(o.size // COLUMN_STEP * COLUMN_STEP):
            o[i] = (
                w0 * a0[i] + w1 * a1[i] + w2 * a2[i]
                + w3 * b0[i] + w4 * b1[i] + w5 * b2[i]
                + w6 * d0[i] + w7 * d1[i] + w8 * d2[i]
            ) * _PART + _ROUND - _ROUND  # fmt: skip


@compiled(f"void({_MAP}, int64, {_ROWS}, {_ROWS}, {_ROW})", may_fuse=True)
def block(x: Any, columns: int, filters: Any, weights: Any, biases: Any) -> None:
    """x += activations of the mix of the filtered x, in place; borders are continued."""
    rows, channels, wide = x.shape
    # Framed copies of the row above, of this one and of the next.
    framed = np.zeros((3, channels, wide + 2), np.float32)
    filtered, sums = np.empty((channels, wide), np.float32), np.empty((channels, wide), np.float32)
    frame(x[0], columns, framed[0])
    for y in range(rows):
        if y + 1 < rows:
            frame(x[y + 1], columns, framed[(y + 1) % 3])
        here = framed[y % 3]
        above = framed[(y + 2) % 3] if y else here
        below = framed[(y + 1) % 3] if y + 1 < rows else here
        filter_row(above, here, below, filters, filtered)
        mix(weights, biases, filtered, sums)
        add_activated(sums, x[y])


@compiled(f"{_MAP}({_MAP}, int64, {_ROWS}, {_ROW})", may_fuse=True)
def narrowed(x: Any, columns: int, weights: Any, biases: Any) -> Any:
    """Activations of the mix of x at half its size; *columns* is half its columns."""
    rows, channels = x.shape[0] // 2, x.shape[1]
    wide = -(-columns // COLUMN_STEP) * COLUMN_STEP
    out = np.empty((rows, weights.shape[0], wide), np.float32)
    mean = np.zeros((channels, wide), np.float32)
    quarter = np.float32(0.25)
    for y in range(rows):
        for c in range(channels):
            a, b, m = x[2 * y, c], x[2 * y + 1, c], mean[c]
            for i in range(columns):
                total = a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1]
                m[i] = total * quarter + _ROUND - _ROUND
        mix(weights, biases, mean, out[y])
        activate(out[y])
    return out


@compiled(f"void({_MAP}, {_MAP}, int64, {_ROWS})", may_fuse=True)
def add_enlarged(x: Any, small: Any, columns: int, weights: Any) -> None:
    """x += the mix of *small*, of so many columns, twice as large: linear between its values."""
    rows, channels, wide = small.shape[0], x.shape[1], small.shape[2]
    mixed = np.empty((rows, channels, wide), np.float32)
    none = np.zeros(channels, np.float32)
    for y in range(rows):
        mix(weights, none, small[y], mixed[y])
        for c in range(channels):
            m = mixed[y, c]
            for i in range(wide // COLUMN_STEP * COLUMN_STEP):
                m[i] = m[i] * _PART + _ROUND - _ROUND
    three, part = np.float32(3), np.float32(1 / 16)
    row = np.empty(wide + 2, np.float32)
    for y in range(2 * rows):
        i = y // 2
        j = max(i - 1, 0) if y % 2 == 0 else min(i + 1, rows - 1)
        for c in range(channels):
            a, b, o, inner = mixed[i, c], mixed[j, c], x[y, c], row[1:]
            for k in range(wide // COLUMN_STEP * COLUMN_STEP):
                inner[k] = three * a[k] + b[k]
            row[0], row[columns + 1] = row[1], row[columns]
            after = row[2:]
            for k in range(columns):
                m = three * inner[k]
                left, right = 2 * k, 2 * k + 1
                v = (m + row[k]) * part + o[left] + _ROUND - _ROUND
                w = (m + after[k]) * part + o[right] + _ROUND - _ROUND
                o[left] = max(min(v, _MOST), -_MOST)
                o[right] = max(min(w, _MOST), -_MOST)


def largest_sum(weights: Layers, biases: Layers) -> float:
    """The most that a sum of this layer can come to: it has to stay below 2^24."""
    return float((np.abs(weights).sum(1) * MOST_ACTIVATION + np.abs(biases)).max())
