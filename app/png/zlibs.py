"""The fastest installed zlib implementation for each task.

ISA-L (https://pypi.org/project/isal/) is fastest for literals, that is for noisy scans, and for
CRCs. zlib-ng (https://pypi.org/project/zlib-ng/) is fastest for long matches, that is for clean
pages, and for good compression. Both have wheels for Linux, macOS and Windows on x86-64 and arm64,
release the GIL, and have the interface of the standard library's zlib, which is the fallback.
Figures: docs/engine.md.
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
#: Clean pages compress 12 to 30 times, pages with camera noise 2 to 3 times.
_LONG_MATCHES_RATIO: Final = 8
#: In zlib-ng, level 9 takes eight times as long and saves 4 percent; level 1 takes a quarter of the
#: time and makes files 1.5 times as large.
_LEVEL: Final = 5

crc32: Final = _isal.crc32
#: The exceptions of `decompress` for a damaged stream.
ERRORS: Final[tuple[type[Exception], ...]] = (zlib.error, _isal.error, _zlib_ng.error)


def decompressor(*, ratio: float) -> Any:
    """A `zlib.decompressobj()` for data that expands *ratio* times."""
    is_clean = ratio > _LONG_MATCHES_RATIO and _zlib_ng is not zlib
    return steady_decompressor() if is_clean else _isal.decompressobj()


def steady_decompressor() -> Any:
    """A `zlib.decompressobj()` whose time is linear in the sizes of input and output.

    ISA-L's time is not linear: each byte of empty blocks takes 330 ns, and 30 MiB of them 10 s.
    """
    return _zlib_ng.decompressobj()


def is_steady(inflater: Any) -> bool:
    """Whether the time of *inflater* is linear: it is not ISA-L's."""
    return not type(inflater).__module__.startswith("isal")


def narrow_decompressor(window_bits: int) -> Any:
    """A `zlib.decompressobj()` with a window of 2^*window_bits* bytes.

    Always the standard library's: the others differ in which invalid distances they detect.
    """
    return zlib.decompressobj(window_bits)


def compress(data: bytes | memoryview) -> bytes:
    """A compressed zlib stream; deterministic for the same data and library."""
    compressed: bytes = _zlib_ng.compress(data, _LEVEL)
    return compressed


def store(data: bytes) -> bytes:
    """An uncompressed zlib stream, which is fast to write and to read."""
    return zlib.compress(data, 0)
