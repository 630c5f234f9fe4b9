"""The layers of a small network over the rows of a map, in integers of 16 bits.

Activations are whole numbers of 1 / 64 up to MOST_ACTIVATION, weights of 1 / 256. Sums of products
stay below 2^24, stored values below 2^15. So sums in int32, their rounding in float32 and results
in int16 are exact in any order, and the same on every processor.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ...numeric import vectors
from ...numeric.compiled import compiled
from ...numeric.vectors import SUMS, VALUES, clamped, dot, load, lows, rounded, spread, store
from .channels import channel_rows, continue_border, copy, empty_map, mixed, packed, pair, pair_up

#: The upper limit of activations; the learned network stays far below.
MOST_ACTIVATION: Final = 1023
#: Weights are whole numbers of 1 / WEIGHT_STEPS.
WEIGHT_STEPS: Final = 256

_PART: Final = np.float32(1 / WEIGHT_STEPS)
#: Sums of the last layer are in 1 / 16384, outputs in 1 / 512 up to 8.
_OUTPUT_PART: Final = np.float32(1 / 32)
_MOST_SUM: Final = 32 * 4096

_ROWS, _ROW, _MAP = "float32[:,::1]", "float32[::1]", "int16[:,:,::1]"


@compiled()
def _activated(sums: Any, most: int) -> Any:
    """The activations for *sums*: rounded, and between 0 and *most*."""
    return rounded(clamped(sums, 0, most * WEIGHT_STEPS), _PART)


@compiled()
def _put(row: Any, at: int, sums: Any) -> None:
    even, odd = sums
    store(row, at, lows(_activated(even, MOST_ACTIVATION), _activated(odd, MOST_ACTIVATION)))


@compiled()
def enter_row(found: Any, columns: int, weights: Any, biases: Any, pairs: Any, out: Any) -> None:
    """Fill *out* with the activations of the mixed rows *found*, which have no borders.

    The weights are packed.
    """
    pair_up(found, 0, pairs)
    for i in range(0, pairs.shape[1], VALUES):
        for c in range(0, out.shape[0], 2):
            sums, sums_1 = mixed(pairs, i, weights, biases, c)
            _put(out[c], i + 1, sums)
            _put(out[c + 1], i + 1, sums_1)
    continue_border(out, columns)


@compiled()
def _put_output(row: Any, at: int, sums: Any) -> None:
    even, odd = clamped(sums[0], -_MOST_SUM, _MOST_SUM), clamped(sums[1], -_MOST_SUM, _MOST_SUM)
    store(row, at, lows(rounded(even, _OUTPUT_PART), rounded(odd, _OUTPUT_PART)))


@compiled()
def leave_row(row: Any, weights: Any, biases: Any, pairs: Any, out: Any) -> None:
    """Fill *out* with the mix of *row* in 1 / 512, without borders; the weights are packed."""
    pair_up(row, 1, pairs)
    for i in range(0, pairs.shape[1], VALUES):
        for c in range(0, out.shape[0], 2):
            sums, sums_1 = mixed(pairs, i, weights, biases, c)
            _put_output(out[c], i, sums)
            _put_output(out[c + 1], i, sums_1)


@compiled()
def _taps(weights: Any) -> Any:
    """The 3 x 3 weights of a filter, paired by neighbours: for even and for odd columns."""
    w = weights
    none = np.float32(0)
    return (
        (spread(pair(w[0], w[1])), spread(pair(w[2], none)),
         spread(pair(none, w[0])), spread(pair(w[1], w[2]))),
        (spread(pair(w[3], w[4])), spread(pair(w[5], none)),
         spread(pair(none, w[3])), spread(pair(w[4], w[5]))),
        (spread(pair(w[6], w[7])), spread(pair(w[8], none)),
         spread(pair(none, w[6])), spread(pair(w[7], w[8]))),
    )  # fmt: skip


@compiled()
def _filter_rows(above: Any, here: Any, below: Any, filters: Any, pairs: Any) -> None:
    """Fill *pairs*, as `pair_up` does, with each channel filtered and rounded."""
    for c in range(0, here.shape[0], 2):
        taps, taps_1 = _taps(filters[c]), _taps(filters[c + 1])
        for i in range(0, pairs.shape[1], VALUES):
            even, odd = _filtered(above[c], here[c], below[c], i, taps)
            even_1, odd_1 = _filtered(above[c + 1], here[c + 1], below[c + 1], i, taps_1)
            store(pairs[c], i, lows(even, even_1))
            store(pairs[c + 1], i, lows(odd, odd_1))


@compiled()
def _filtered(above: Any, here: Any, below: Any, at: int, taps: Any) -> Any:
    """The filtered row of one channel: the even columns and the odd ones."""
    none = spread(0)
    even, odd = _with_row(none, none, above, at, taps[0])
    even, odd = _with_row(even, odd, here, at, taps[1])
    even, odd = _with_row(even, odd, below, at, taps[2])
    return rounded(even, _PART), rounded(odd, _PART)


@compiled()
def _with_row(even: Any, odd: Any, row: Any, at: int, taps: Any) -> Any:
    left, right = load(row, at), load(row, at + 2)
    even = dot(dot(even, left, taps[0]), right, taps[1])
    return even, dot(dot(odd, left, taps[2]), right, taps[3])


@compiled()
def _add(row: Any, before: Any, at: int, sums: Any) -> None:
    # No value is below -MOST_ACTIVATION, so adding more than twice that has no further effect.
    even, odd = sums
    more = lows(_activated(even, 2 * MOST_ACTIVATION), _activated(odd, 2 * MOST_ACTIVATION))
    store(row, at, vectors.added(load(before, at), more, MOST_ACTIVATION))


@compiled(f"void({_MAP}, int64, {_ROWS}, {_ROWS}, {_ROW})")
def block(x: Any, columns: int, filters: Any, weights: Any, biases: Any) -> None:
    """Add to *x* the activations of the mix of its filtered channels."""
    rows, channels, length = x.shape
    packed_weights, packed_biases = packed(weights, biases)
    # Copies of this row and of the row above, from before the addition.
    kept = empty_map(2, channels, length - VALUES)
    pairs = channel_rows(channels, length - VALUES)
    for y in range(rows):
        here, row = kept[y % 2], x[y]
        copy(row, here)
        above = kept[(y + 1) % 2] if y else here
        below = x[y + 1] if y + 1 < rows else here
        _filter_rows(above, here, below, filters, pairs)
        for i in range(0, length - VALUES, VALUES):
            for c in range(0, channels, 2):
                sums, sums_1 = mixed(pairs, i, packed_weights, packed_biases, c)
                _add(row[c], here[c], i + 1, sums)
                _add(row[c + 1], here[c + 1], i + 1, sums_1)
        continue_border(row, columns)


@compiled()
def _mean(upper: Any, lower: Any, at: int) -> Any:
    """The mean of each 2 x 2 values of two rows, rounded."""
    ones = spread(pair(1, 1))
    total = dot(dot(spread(0), load(upper, at), ones), load(lower, at), ones)
    return rounded(total, np.float32(0.25))


@compiled()
def _put_apart(row: Any, at: int, sums: Any) -> None:
    first, second = sums
    vectors.store_sums(row, at, _activated(first, MOST_ACTIVATION))
    vectors.store_sums(row, at + SUMS, _activated(second, MOST_ACTIVATION))


@compiled(f"{_MAP}({_MAP}, int64, {_ROWS}, {_ROW})")
def narrowed(x: Any, columns: int, weights: Any, biases: Any) -> Any:
    """The activations of the mix of *x* at half its size; *columns* is half of its columns."""
    rows, channels = x.shape[0] // 2, x.shape[1]
    packed_weights, packed_biases = packed(weights, biases)
    out = empty_map(rows, weights.shape[0], columns)
    length = out.shape[2] - VALUES
    pairs = channel_rows(channels, length)
    for y in range(rows):
        row, upper, lower = out[y], x[2 * y], x[2 * y + 1]
        # Row c of pairs gets the first half of every VALUES columns, row c + 1 the second half.
        for c in range(0, channels, 2):
            for i in range(0, columns, SUMS):
                at = 2 * i + 1
                mean, mean_1 = _mean(upper[c], lower[c], at), _mean(upper[c + 1], lower[c + 1], at)
                store(pairs[c + i // SUMS % 2], i // VALUES * VALUES, lows(mean, mean_1))
        for i in range(0, length, VALUES):
            for c in range(0, row.shape[0], 2):
                sums, sums_1 = mixed(pairs, i, packed_weights, packed_biases, c)
                _put_apart(row[c], i + 1, sums)
                _put_apart(row[c + 1], i + 1, sums_1)
        continue_border(row, columns)
    return out


@compiled()
def _put_mix(row: Any, at: int, sums: Any) -> None:
    even, odd = sums
    store(row, at, lows(rounded(even, _PART), rounded(odd, _PART)))


@compiled()
def _add_between(near: Any, far: Any, columns: int, out: Any) -> None:
    """Add to *out* 3/4 of *near* and 1/4 of *far*, interpolated linearly to twice the columns."""
    nearest, beside = spread(pair(9, 3)), spread(pair(3, 1))
    for k in range(0, columns, SUMS):
        at = 2 * k + 1
        before = load(out, at)
        left, here, right = (
            _beside(near, far, k), _beside(near, far, k + 1), _beside(near, far, k + 2),
        )  # fmt: skip
        even = dot(dot(spread(0), before, spread(pair(16, 0))), here, nearest)
        odd = dot(dot(spread(0), before, spread(pair(0, 16))), here, nearest)
        store(out, at, lows(_between(dot(even, left, beside)), _between(dot(odd, right, beside))))


@compiled()
def _beside(near: Any, far: Any, at: int) -> Any:
    return lows(vectors.load_sums(near, at), vectors.load_sums(far, at))


@compiled()
def _between(sums: Any) -> Any:
    return clamped(rounded(sums, np.float32(1 / 16)), -MOST_ACTIVATION, MOST_ACTIVATION)


@compiled(f"void({_MAP}, {_MAP}, int64, {_ROWS})")
def add_enlarged(x: Any, small: Any, columns: int, weights: Any) -> None:
    """Add to *x* the mix of *small*, interpolated linearly to twice its size.

    *columns* is the number of columns of *small*.
    """
    rows, channels, length = small.shape[0], x.shape[1], small.shape[2]
    packed_weights, none = packed(weights, np.zeros(channels, np.float32))
    pairs = channel_rows(small.shape[1], length - VALUES)
    mixes = empty_map(rows, channels, columns)
    for y in range(rows):
        row = mixes[y]
        pair_up(small[y], 1, pairs)
        for i in range(0, length - VALUES, VALUES):
            for c in range(0, channels, 2):
                sums, sums_1 = mixed(pairs, i, packed_weights, none, c)
                _put_mix(row[c], i + 1, sums)
                _put_mix(row[c + 1], i + 1, sums_1)
        continue_border(row, columns)
    for y in range(2 * rows):
        i = y // 2
        j = max(i - 1, 0) if y % 2 == 0 else min(i + 1, rows - 1)
        for c in range(channels):
            _add_between(mixes[i, c], mixes[j, c], columns, x[y, c])
        continue_border(x[y], 2 * columns)


def largest_sum(weights: Any, biases: Any) -> float:
    """The largest possible sum of this layer, which must stay below 2^24."""
    return float((np.abs(weights).sum(1) * MOST_ACTIVATION + np.abs(biases)).max())
