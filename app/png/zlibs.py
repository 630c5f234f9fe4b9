"""Choose the fastest zlib for the work in hand, of those that are installed.

ISA-L (https://pypi.org/project/isal/) is fastest on literals, so on noisy scans, and at CRCs;
zlib-ng (https://pypi.org/project/zlib-ng/) on long matches, so on clean pages, and at compressing
well. Both have wheels for Linux, macOS and Windows on x86-64 and arm64, free the GIL, and offer
what the standard library's zlib offers, which stands in where they are missing. Figures:
docs/engine.md.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Final


def _import_or_zlib(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return zlib


_isal: Final = _import_or_zlib("isal.isal_zlib")
_zlib_ng: Final = _import_or_zlib("zlib_ng.zlib_ng")
#: Clean pages are 12 to 30 times smaller than their pixels, pages with camera noise 2 to 3 times.
_LONG_MATCHES_RATIO: Final = 8
#: Of zlib-ng, 9 is eight times as slow and saves 4 percent; 1 is four times as fast, half as large
#: again.
_LEVEL: Final = 5

crc32: Final = _isal.crc32
#: What the `decompress` of a decompressor raises on a damaged stream.
ERRORS: Final[tuple[type[Exception], ...]] = (zlib.error, _isal.error, _zlib_ng.error)


def decompressor(*, ratio: float) -> Any:
    """A `zlib.decompressobj()` for data that grows *ratio* times."""
    is_clean = ratio > _LONG_MATCHES_RATIO and _zlib_ng is not zlib
    return steady_decompressor() if is_clean else _isal.decompressobj()


def steady_decompressor() -> Any:
    """A `zlib.decompressobj()` whose time is linear in the sizes of input and output.

    That of ISA-L is not: it takes 330 ns for each byte of empty blocks, 10 s for 30 MiB of them.
    """
    return _zlib_ng.decompressobj()


def is_steady(inflater: Any) -> bool:
    """Whether *inflater* is not of ISA-L."""
    return not type(inflater).__module__.startswith("isal")


def narrow_decompressor(window_bits: int) -> Any:
    """A `zlib.decompressobj()` that remembers no more than 2^*window_bits* bytes.

    Always the standard library's: the others differ in which distances they notice.
    """
    return zlib.decompressobj(window_bits)


def compress(data: bytes) -> bytes:
    """Make a zlib stream: the same bytes for the same data and the same library."""
    compressed: bytes = _zlib_ng.compress(data, _LEVEL)
    return compressed


def store(data: bytes) -> bytes:
    """Make a zlib stream that is not compressed at all, but soon made and soon read."""
    return zlib.compress(data, 0)
