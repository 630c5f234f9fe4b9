"""Vectors in compiled loops, against numpy."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numba.core.registry import cpu_target

from app.numeric import vectors
from app.numeric.vectors import SUMS, VALUES

RNG = np.random.default_rng(7)
X, Y = RNG.integers(-(2**15), 2**15, (2, VALUES)).astype(np.int16)

TRIPLE, _, FEATURES = cpu_target.target_context.codegen().magic_tuple()


def run(program: Any, *given: Any) -> Any:
    """What *program* leaves in a row for two vectors."""
    out = np.zeros(2 * VALUES, np.int16)
    numba.njit(program)(X, Y, out, *given)
    return out


def as_sums(pairs: Any) -> Any:
    """The int32 that int16 *pairs* are."""
    return pairs.view(np.int32)


def products() -> Any:
    return (X.astype(np.int64) * Y).reshape(SUMS, 2).sum(1)


def dot_of(width: str) -> Any:
    def code(context, builder, sums, x, y):
        if width == "anywhere":
            return vectors.dot_anywhere(builder, sums, x, y)
        return vectors.dot_by_pmaddwd(builder, sums, x, y, [width])

    return vectors.makes_vector(code)


def widths() -> list[str]:
    """The instructions of this processor that can sum two products."""
    if not TRIPLE.startswith("x86_64-"):
        return ["anywhere"]
    wide = [width for width in ("+avx2", "+avx512bw") if width in FEATURES.split(",")]
    return ["anywhere", "no feature", *wide]


@pytest.mark.parametrize("width", widths())
def test_every_instruction_sums_two_products_alike(width: str) -> None:
    dot = dot_of(width)

    def program(x, y, out):
        one = vectors.load(x, 0)
        vectors.store(out, 0, dot(vectors.spread(70_000), one, vectors.load(y, 0)))
        vectors.store(out, 32, vectors.dot(vectors.spread(70_000), one, vectors.load(y, 0)))

    found = as_sums(run(program)).reshape(2, SUMS)

    assert (found == products() + 70_000).all()


def test_sums_are_rounded_to_the_nearest_and_halves_to_the_even_one() -> None:
    def program(x, y, out, number):
        sums = vectors.rounded(vectors.spread(number), np.float32(1 / 8))
        vectors.store_sums(out, 0, sums)

    for number in (*range(-30, 31), 2**18 - 12, 12 - 2**18):
        assert (run(program, number)[:SUMS] == round(number / 8)).all()


def test_what_is_out_of_bounds_ends_there() -> None:
    def program(x, y, out, number):
        vectors.store_sums(out, 0, vectors.clamped(vectors.spread(number), -3, 5))
        vectors.store(out, 32, vectors.added(vectors.load(x, 0), vectors.load(y, 0), 100))

    found = [run(program, number)[0] for number in (-9, -3, 0, 5, 2**20)]

    assert found == [-3, -3, 0, 5, 5]
    sums = (X.astype(np.int32) + Y).astype(np.int16)
    assert (run(program, 0)[VALUES:] == np.minimum(sums, 100)).all()


def test_values_are_put_side_by_side_and_taken_apart() -> None:
    def program(x, y, out):
        one, other = vectors.load(x, 0), vectors.load(y, 0)
        low, high = vectors.lows(one, other), vectors.highs(one, other)
        vectors.store(out, 0, vectors.lows(low, high))
        vectors.store(out, 32, vectors.highs(low, high))

    assert (run(program) == np.concatenate([X, Y])).all()


def test_sums_are_kept_as_values_and_read_again() -> None:
    def program(x, y, out):
        vectors.store_sums(out, 3, vectors.load_sums(x, 5))
        vectors.store(out, 32, vectors.load_sums(x, 5))

    found = run(program)

    assert (found[3 : 3 + SUMS] == X[5 : 5 + SUMS]).all()
    assert (as_sums(found[VALUES:]) == X[5 : 5 + SUMS]).all()
    assert not found[:3].any()
    assert not found[3 + SUMS : VALUES].any()
