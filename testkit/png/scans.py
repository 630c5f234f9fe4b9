"""Small grayscale scans made by hand, so that every byte is known."""

from __future__ import annotations

import struct
import zlib

from testkit.png.pngs import GRAY, IEND, SIGNATURE, chunk, idat, ihdr


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + IEND


def header(width: int, height: int) -> bytes:
    return ihdr(width, height, color_type=GRAY)


def pixels(rows: list[bytes]) -> bytes:
    """Rows of 8-bit gray, without filters."""
    return idat(zlib.compress(b"".join(b"\0" + row for row in rows)))


def page_png(width: int = 40, height: int = 30) -> bytes:
    """White paper with a black bar of 20 x 8 pixels, 300 dpi."""
    bar = b"\xdc" * 10 + b"\x20" * 20 + b"\xdc" * (width - 30)
    paper = b"\xdc" * width
    rows = [bar if 4 <= y < 12 else paper for y in range(height)]
    dots_per_metre = chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))
    return png(header(width, height), dots_per_metre, pixels(rows))


def result_png(
    width: int = 12, height: int = 2, *, dots_per_metre: tuple[int, int] | None = (11811, 11811)
) -> bytes:
    """1-bit gray as the service makes it, white in the left half."""
    white = width // 2
    bits = ((1 << white) - 1) << (width - white + -width % 8)
    row = b"\0" + bits.to_bytes((width + 7) // 8, "big")
    size = [chunk(b"pHYs", struct.pack(">IIB", *dots_per_metre, 1))] if dots_per_metre else []
    header = ihdr(width, height, bit_depth=1, color_type=GRAY)
    return png(header, *size, idat(zlib.compress(row * height)))
