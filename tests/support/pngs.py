"""Small PNGs made by hand, so that every byte is known."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def ihdr(width: int, height: int, *, depth: int = 8, color: int = 0, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def idat(rows: list[bytes]) -> bytes:
    return chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))


def phys(pixels_per_metre: int) -> bytes:
    return chunk(b"pHYs", struct.pack(">IIB", pixels_per_metre, pixels_per_metre, 1))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND")


def gray_png(rows: list[bytes], *extra: bytes) -> bytes:
    """An 8-bit grayscale PNG of these rows, *extra* chunks before the pixels."""
    return png(ihdr(len(rows[0]), len(rows)), *extra, idat(rows))


def page_png(width: int = 40, height: int = 30) -> bytes:
    """White paper with a black bar of 8 x 20 pixels, 300 dpi."""
    bar = b"\xdc" * 10 + b"\x20" * 20 + b"\xdc" * (width - 30)
    paper = b"\xdc" * width
    return gray_png([bar if 4 <= y < 12 else paper for y in range(height)], phys(11811))
