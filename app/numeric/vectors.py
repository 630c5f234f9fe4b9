"""Vectors of small integers for compiled loops, with sums of two products in one instruction.

A vector has 32 int16 values; for sums of products it has 16 int32 values, each in the place of two
neighbours. On x86-64 `dot` is the instruction pmaddwd, which LLVM does not generate for loops over
columns; elsewhere `dot` multiplies and adds. Results are modulo 2^32 or 2^16, the same everywhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.extending import models, register_model

#: The number of sums in a vector, and of values.
SUMS: Final = 16
VALUES: Final = 2 * SUMS

_SHORT, _WHOLE, _FLOAT = ir.IntType(16), ir.IntType(32), ir.FloatType()
_WHOLES, _SHORT_SUMS = ir.VectorType(_WHOLE, SUMS), ir.VectorType(_SHORT, SUMS)
#: The forms of pmaddwd: the number of sums, the required processor feature, and LLVM's name.
_PMADDWD: Final = (
    (16, "+avx512bw", "llvm.x86.avx512.pmaddw.d.512"),
    (8, "+avx2", "llvm.x86.avx2.pmadd.wd"),
    (4, "", "llvm.x86.sse2.pmadd.wd"),
)
#: Adding 1.5 * 2^23 to a float32 rounds it and leaves the result in the last bits.
_ROUND: Final = 12582912.0


#: Typed as Any, because the decorated function is called without the context.
_intrinsic: Final[Any] = extending.intrinsic


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__("Vector")


VECTOR: Final = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _WHOLES)


# --- to and from memory --------------------------------------------------------------------------


@_intrinsic
def load(typing: Any, row: Any, at: Any) -> Any:
    """The VALUES of *row*, an array of int16, from index *at* on."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load(_place(context, builder, signature, given, _WHOLES), align=2)

    return VECTOR(row, at), build


@_intrinsic
def load_sums(typing: Any, row: Any, at: Any) -> Any:
    """SUMS values of *row*, an array of int16, from index *at* on, widened to int32."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given, _SHORT_SUMS)
        return builder.sext(builder.load(place, align=2), _WHOLES)

    return VECTOR(row, at), build


@_intrinsic
def store(typing: Any, row: Any, at: Any, vector: Any) -> Any:
    """Write the VALUES of *vector* to *row*, an array of int16, from index *at* on."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        builder.store(given[2], _place(context, builder, signature, given, _WHOLES), align=2)
        return context.get_dummy_value()

    return types.none(row, at, vector), build


@_intrinsic
def store_sums(typing: Any, row: Any, at: Any, vector: Any) -> Any:
    """Write the SUMS of *vector*, as int16, to *row* from index *at* on."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given, _SHORT_SUMS)
        builder.store(builder.trunc(given[2], _SHORT_SUMS), place, align=2)
        return context.get_dummy_value()

    return types.none(row, at, vector), build


def _place(context: Any, builder: Any, signature: Any, given: Any, kind: Any) -> Any:
    row = context.make_array(signature.args[0])(context, builder, given[0])
    return builder.bitcast(builder.gep(row.data, [given[1]]), kind.as_pointer())


# --- arithmetic ----------------------------------------------------------------------------------


def makes_vector(build: Callable[..., Any]) -> Any:
    """A decorator: *build* generates the instructions of a function that returns a vector."""

    def typed_as(typing: Any, *kinds: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return build(context, builder, *given)

        return VECTOR(*kinds), code

    typed: Any = typed_as
    names = [*inspect.signature(build).parameters.values()]
    typed.__signature__ = inspect.Signature(names[1:])
    typed.__name__, typed.__doc__ = build.__name__, build.__doc__
    return _intrinsic(typed)


@makes_vector
def spread(context: Any, builder: Any, number: Any) -> Any:
    """*number*, of 32 bits, in each place: SUMS copies, or VALUES in pairs."""
    return _everywhere(builder, number)


@makes_vector
def dot(context: Any, builder: Any, sums: Any, x: Any, y: Any) -> Any:
    """*sums* plus, in each place, the products of both values of *x* with those of *y*."""
    triple, _, features = context.codegen().magic_tuple()
    if triple.startswith("x86_64-"):
        return dot_by_pmaddwd(builder, sums, x, y, features.split(","))
    return dot_anywhere(builder, sums, x, y)


@makes_vector
def rounded(context: Any, builder: Any, sums: Any, part: Any) -> Any:
    """*sums*, below 2^24, times *part*, a power of two; rounded to nearest, ties to even."""
    exact = builder.sitofp(sums, ir.VectorType(_FLOAT, SUMS))
    size = builder.fmul(exact, _everywhere(builder, part, _FLOAT), flags=("contract",))
    shifted = builder.fadd(size, _constant(_FLOAT, _ROUND), flags=("contract",))
    bits = builder.bitcast(shifted, _WHOLES)
    return builder.sub(bits, builder.bitcast(_constant(_FLOAT, _ROUND), _WHOLES))


@makes_vector
def clamped(context: Any, builder: Any, sums: Any, least: Any, most: Any) -> Any:
    """*sums*, limited to *least* and *most*."""
    least, most = _everywhere(builder, least), _everywhere(builder, most)
    sums = builder.select(builder.icmp_signed("<", sums, least), least, sums)
    return builder.select(builder.icmp_signed(">", sums, most), most, sums)


@makes_vector
def lows(context: Any, builder: Any, first: Any, second: Any) -> Any:
    """The low values of *first* and *second*, interleaved."""
    low = builder.and_(first, _constant(_WHOLE, 0xFFFF))
    return builder.or_(low, builder.shl(second, _constant(_WHOLE, 16)))


@makes_vector
def highs(context: Any, builder: Any, first: Any, second: Any) -> Any:
    """The high values of *first* and *second*, interleaved."""
    high = builder.and_(second, _constant(_WHOLE, 0xFFFF0000))
    return builder.or_(builder.lshr(first, _constant(_WHOLE, 16)), high)


@makes_vector
def added(context: Any, builder: Any, x: Any, y: Any, most: Any) -> Any:
    """The sums of the values of *x* and *y*, at most *most*."""
    total = builder.add(_values(builder, x), _values(builder, y))
    limit = _everywhere(builder, most, _SHORT, VALUES)
    total = builder.select(builder.icmp_signed(">", total, limit), limit, total)
    return builder.bitcast(total, _WHOLES)


def dot_anywhere(builder: Any, sums: Any, x: Any, y: Any) -> Any:
    """The code of `dot` for every processor."""
    for side in range(2):
        one, other = (
            builder.sext(_part(builder, _values(builder, each), range(side, VALUES, 2)), _WHOLES)
            for each in (x, y)
        )
        sums = builder.add(sums, builder.mul(one, other))
    return sums


def dot_by_pmaddwd(builder: Any, sums: Any, x: Any, y: Any, features: Iterable[str]) -> Any:
    """The code of `dot` for x86-64, in the widest registers that the processor has."""
    size, name = next((n, name) for n, feature, name in _PMADDWD if feature in ("", *features))
    kind = ir.FunctionType(ir.VectorType(_WHOLE, size), 2 * [ir.VectorType(_SHORT, 2 * size)])
    pmaddwd = cgutils.get_or_insert_function(builder.module, kind, name)
    x, y = _values(builder, x), _values(builder, y)
    parts = [
        builder.call(pmaddwd, [_part(builder, each, range(at, at + 2 * size)) for each in (x, y)])
        for at in range(0, VALUES, 2 * size)
    ]
    while len(parts) > 1:
        both = _places(range(2 * parts[0].type.count))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [builder.shuffle_vector(first, second, both) for first, second in pairs]
    return builder.add(sums, parts[0])


def _values(builder: Any, vector: Any) -> Any:
    return builder.bitcast(vector, ir.VectorType(_SHORT, VALUES))


def _part(builder: Any, vector: Any, places: range) -> Any:
    return builder.shuffle_vector(vector, vector, _places(places))


def _places(numbers: range) -> Any:
    return ir.Constant(ir.VectorType(_WHOLE, len(numbers)), [*map(_WHOLE, numbers)])


def _everywhere(builder: Any, number: Any, of: Any = _WHOLE, count: int = SUMS) -> Any:
    """*number* as *of* in each of *count* places; numba's literals are wider."""
    if number.type != of:
        number = builder.trunc(number, of)
    kind = ir.VectorType(of, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, _WHOLE(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_WHOLE, count), None))


def _constant(kind: Any, number: float) -> Any:
    return ir.Constant(ir.VectorType(kind, SUMS), [kind(number)] * SUMS)
