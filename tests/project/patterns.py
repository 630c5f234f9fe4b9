"""Find regular expressions that need more than linear time for some text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

#: A repetition with at most this many turns costs constant time.
_BOUNDED = 64
_CATEGORIES = {
    c.CATEGORY_DIGIT: r"\d",
    c.CATEGORY_NOT_DIGIT: r"\D",
    c.CATEGORY_SPACE: r"\s",
    c.CATEGORY_NOT_SPACE: r"\S",
    c.CATEGORY_WORD: r"\w",
    c.CATEGORY_NOT_WORD: r"\W",
}
_ALL = frozenset(range(256))
_SINGLE = (c.LITERAL, c.NOT_LITERAL)


@dataclass
class _Part:
    """The repetitions that a part of a pattern can begin and end with, and its faults."""

    first: list[frozenset[int]] = field(default_factory=list)
    last: list[frozenset[int]] = field(default_factory=list)
    can_be_empty: bool = False
    has_adjacent: bool = False


def has_adjacent_repetitions(pattern: re.Pattern[str] | re.Pattern[bytes]) -> bool:
    """Whether two repetitions over the same characters follow or enclose each other."""
    return _sequence(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)).has_adjacent


def _sequence(items: Iterable[Any]) -> _Part:
    whole = _Part(can_be_empty=True)
    for item in items:
        part = _item(item)
        whole.has_adjacent |= part.has_adjacent or _overlap(whole.last, part.first)
        whole.first += part.first if whole.can_be_empty else []
        whole.last = [*whole.last, *part.last] if part.can_be_empty else part.last
        whole.can_be_empty &= part.can_be_empty
    return whole


def _item(item: Any) -> _Part:
    op, value = item
    if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        part = _repetition(*value)
        if op is c.POSSESSIVE_REPEAT:
            part.last = []  # a possessive repetition never backtracks
        return part
    if op is c.SUBPATTERN:
        return _sequence(value[3])
    if op is c.ATOMIC_GROUP:
        return _sequence(value)
    if op is c.BRANCH:
        return _branch([_sequence(way) for way in value[1]])
    if op in (c.ASSERT, c.ASSERT_NOT):
        return _Part(can_be_empty=True, has_adjacent=_sequence(value[1]).has_adjacent)
    return _Part(can_be_empty=op is c.AT)


def _repetition(least: int, most: int, body: Any) -> _Part:
    part = _sequence(body)
    part.can_be_empty |= least == 0
    if most > _BOUNDED:
        part.has_adjacent |= _overlap(part.last, part.first)
        part.first = part.last = [_beginnings(body)[0]]
    return part


def _branch(ways: list[_Part]) -> _Part:
    return _Part(
        first=[one for way in ways for one in way.first],
        last=[one for way in ways for one in way.last],
        can_be_empty=any(way.can_be_empty for way in ways),
        has_adjacent=any(way.has_adjacent for way in ways),
    )


def _overlap(left: list[frozenset[int]], right: list[frozenset[int]]) -> bool:
    return any(one & other for one in left for other in right)


def _beginnings(items: Iterable[Any]) -> tuple[frozenset[int], bool]:
    """The characters, of the first 256, that *items* can begin with; whether they can be empty."""
    found: frozenset[int] = frozenset()
    for item in items:
        characters, can_be_empty = _beginnings_of(*item)
        found |= characters
        if not can_be_empty:
            return found, False
    return found, True


def _beginnings_of(op: Any, value: Any) -> tuple[frozenset[int], bool]:
    if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        found, can_be_empty = _beginnings(value[2])
        return found, can_be_empty or value[0] == 0
    if op is c.SUBPATTERN:
        return _beginnings(value[3])
    if op is c.ATOMIC_GROUP:
        return _beginnings(value)
    if op is c.BRANCH:
        ways = [_beginnings(way) for way in value[1]]
        return frozenset().union(*(way[0] for way in ways)), any(way[1] for way in ways)
    if op in (c.ASSERT, c.ASSERT_NOT, c.AT):
        return frozenset(), True
    kinds = {c.LITERAL: {value}, c.NOT_LITERAL: _ALL - {value}} if op in _SINGLE else {}
    return frozenset(_class(value) if op is c.IN else kinds.get(op, _ALL)), False


def _class(items: Iterable[Any]) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    is_negated = False
    for op, value in items:
        if op is c.NEGATE:
            is_negated = True
        elif op is c.LITERAL:
            found |= {value}
        elif op is c.RANGE:
            found |= frozenset(range(value[0], value[1] + 1))
        elif op is c.CATEGORY:
            kind = re.compile(_CATEGORIES[value])
            found |= {number for number in _ALL if kind.match(chr(number))}
    return _ALL - found if is_negated else found & _ALL
