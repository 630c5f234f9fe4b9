"""Store the maps of a small network, and mix their channels, in integers of 16 bits.

A map is (rows, channels, length), from `empty_map`. The first and the last value of each row are
repeated before and after its columns, which replicates the border of the map. The values from there
to the end of the row are padding, so that loops need no step for a partial vector.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...numeric.compiled import compiled
from ...numeric.vectors import VALUES, dot, highs, load, lows, spread, store

Map = NDArray[np.int16]

_LINE_BYTES: Final = 64


@compiled("int16[:,:,::1](int64, int64, int64)")
def empty_map(rows: int, channels: int, columns: int) -> Any:
    """A map whose rows begin at cache lines: a vector in two lines takes twice as long to load."""
    length = VALUES * (-(-columns // VALUES) + 1)
    size = rows * channels * length
    room = np.empty(size + _LINE_BYTES // 2, np.int16)
    start = int(-room.ctypes.data % _LINE_BYTES) // 2
    return room[start : start + size].reshape((rows, channels, length))


@compiled()
def channel_rows(channels: int, columns: int) -> Any:
    """One row for each channel, padded to whole vectors, without borders."""
    return empty_map(1, channels, columns - VALUES)[0]


# --- weights -------------------------------------------------------------------------------------


@compiled()
def pair(first: Any, second: Any) -> Any:
    """Two weights as one number, for two neighbouring values of a vector."""
    return np.int32(np.int32(second) << 16 | np.int32(first) & 0xFFFF)


@compiled()
def packed(weights: Any, biases: Any) -> Any:
    """The weights, paired by input, and the biases in the form that `mixed` takes."""
    outputs, inputs = weights.shape
    pairs = np.empty((outputs, inputs // 2), np.int32)
    for c in range(outputs):
        for k in range(inputs // 2):
            pairs[c, k] = pair(weights[c, 2 * k], weights[c, 2 * k + 1])
    return pairs, biases.astype(np.int32)


# --- the mix of channels -------------------------------------------------------------------------


@compiled()
def pair_up(rows: Any, at: int, pairs: Any) -> None:
    """Fill *pairs* from *rows*, from index *at* on, with the values of two rows interleaved.

    Of the rows k and k + 1, row k of *pairs* gets the even columns, row k + 1 the odd ones.
    """
    for k in range(0, rows.shape[0], 2):
        for i in range(0, pairs.shape[1], VALUES):
            first, second = load(rows[k], at + i), load(rows[k + 1], at + i)
            store(pairs[k], i, lows(first, second))
            store(pairs[k + 1], i, highs(first, second))


@compiled()
def mixed(pairs: Any, at: int, weights: Any, biases: Any, c: int) -> Any:
    """bias + the sum over k of weight k times row k, for the outputs *c* and *c* + 1.

    Each is a pair of sums for even and for odd columns. Two outputs share each loaded vector.
    *weights* and *biases* are packed.
    """
    a = b = spread(biases[c])
    d = e = spread(biases[c + 1])
    for k in range(weights.shape[1]):
        x, y = load(pairs[2 * k], at), load(pairs[2 * k + 1], at)
        w, v = spread(weights[c, k]), spread(weights[c + 1, k])
        a, b, d, e = dot(a, x, w), dot(b, y, w), dot(d, x, v), dot(e, y, v)
    return (a, b), (d, e)


@compiled()
def continue_border(rows: Any, columns: int) -> None:
    for c in range(rows.shape[0]):
        rows[c, 0], rows[c, columns + 1] = rows[c, 1], rows[c, columns]


@compiled()
def copy(rows: Any, out: Any) -> None:
    # Several times as fast as out[:] = rows, which checks whether the arrays overlap.
    for c in range(rows.shape[0]):
        for i in range(0, rows.shape[1], VALUES):
            store(out[c], i, load(rows[c], i))
