"""Check the ancillary chunks of a PNG, and keep a short list of ignored faults.

A faulty ancillary chunk never causes a refusal. It is ignored under the same conditions as in
libpng 1.6, so that tRNS and pHYs, the two such chunks used here, apply exactly when they do there.
Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

from .format import GRAY, PALETTE, RGB, PngInfo

#: With up to two lines about the pixel data from the decoder and one summary, nine lines in all:
#: `representation.MAX_IGNORED`.
MAX_LINES: Final = 6
#: Section 11.3.1.1: the bytes of tRNS by colour type (palette: one per entry).
_TRNS_BYTES: Final = {GRAY: 2, RGB: 6}


class _Rule(NamedTuple):
    """The rule for a chunk that may occur once: *least* to *most* bytes, *before* some others."""

    least: int
    most: int | None
    before: tuple[bytes, ...]


_ANYWHERE: Final = ()
_BEFORE_IDAT: Final = (b"IDAT",)
_BEFORE_PLTE: Final = (b"PLTE", b"IDAT")
#: Sections 5.6 and 11.3. A chunk that is not listed may repeat and have any size.
RULES: Final = {
    b"bKGD": _Rule(1, 6, _BEFORE_IDAT),
    b"cHRM": _Rule(32, 32, _BEFORE_PLTE),
    b"cICP": _Rule(4, 4, _BEFORE_PLTE),
    b"cLLI": _Rule(8, 8, _BEFORE_PLTE),
    b"eXIf": _Rule(4, None, _ANYWHERE),
    b"gAMA": _Rule(4, 4, _BEFORE_PLTE),
    b"hIST": _Rule(2, 512, _BEFORE_IDAT),
    b"iCCP": _Rule(1, None, _BEFORE_PLTE),
    b"mDCV": _Rule(24, 24, _BEFORE_PLTE),
    b"pHYs": _Rule(9, 9, _BEFORE_IDAT),
    b"sBIT": _Rule(1, 4, _BEFORE_PLTE),
    b"sRGB": _Rule(1, 1, _BEFORE_PLTE),
    b"tIME": _Rule(7, 7, _ANYWHERE),
    b"tRNS": _Rule(1, 256, _BEFORE_IDAT),
}


class Notes:
    """The ignored faults, each once, in bounded memory."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._more = 0

    def add(self, text: str) -> None:
        """Note *text*.

        It must be ASCII and, with " (x1000000)", have at most `representation.MAX_IGNORED_CHARS`.
        """
        if text in self._counts or len(self._counts) < MAX_LINES:
            self._counts[text] = self._counts.get(text, 0) + 1
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """At most MAX_LINES lines, and a summary of the rest."""
        lines = [f"{text} (x{n})" if n > 1 else text for text, n in self._counts.items()]
        return (*lines, f"and {self._more} more") if self._more else tuple(lines)


def fault_of(kind: bytes, size: int, seen: Container[bytes]) -> str | None:
    """Why a reader ignores an ancillary chunk with a valid CRC, by its place and its *size*.

    *seen* holds the types of the accepted chunks before it.
    """
    rule = RULES.get(kind)
    if rule is None:
        return None
    for other in rule.before:
        if other in seen:
            return f"after {other.decode()}"
    if kind in seen:
        return "repeated"
    if size < rule.least or (rule.most is not None and size > rule.most):
        return _wrong_size(size, rule)
    return None


def transparency_fault(header: PngInfo, size: int) -> str | None:
    """Why a reader ignores a tRNS of *size* bytes; *header* includes any palette.

    libpng ignores the whole tRNS if it is too long for the palette: the image is opaque.
    """
    if header.color_type == PALETTE:
        colors = len(header.palette) // 3
        if not colors:
            return "before PLTE"
        return f"{size} entries for {colors} colours" if size > colors else None
    if header.color_type not in _TRNS_BYTES:
        return "beside alpha"
    fitting = _TRNS_BYTES[header.color_type]
    return f"{size} bytes, not {fitting}" if size != fitting else None


def _wrong_size(size: int, rule: _Rule) -> str:
    if rule.least == rule.most:
        return f"{size} bytes, not {rule.least}"
    if size < rule.least:
        return f"{size} bytes, at least {rule.least}"
    return f"{size} bytes, at most {rule.most}"
