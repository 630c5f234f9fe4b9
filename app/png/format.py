"""The parts of a PNG, named as in its specification; reads headers and writes files.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import CorruptPngError
from .exif import UPRIGHT
from .zlibs import crc32

#: Section 5.2.
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
#: Section 11.2.1, colour types.
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS: Final = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
#: Section 11.2.1: the bit depths that each colour type allows.
_BIT_DEPTHS: Final = {
    GRAY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GRAY_ALPHA: (8, 16),
    RGBA: (8, 16),
}
#: Section 5.3: a length is at most 2^31 - 1, and so are width and height (section 7.1).
MAX_UINT31: Final = 0x7FFFFFFF
#: Section 8.2, Adam7: first column, first row, column step and row step of each pass.
_ADAM7: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_METRES_PER_INCH: Final = 0.0254


@dataclass(frozen=True)
class PhysicalSize:
    """The pHYs chunk (section 11.3.4.3): pixels per unit; *unit* 1 is the metre, 0 is unknown."""

    x: int
    y: int
    unit: int

    @property
    def dpi(self) -> int | None:
        """Horizontal dots per inch, rounded; None when the unit is unknown."""
        return round(self.x * _METRES_PER_INCH) if self.unit == 1 else None

    def turned_sideways(self) -> PhysicalSize:
        """The size of the same pixels after a quarter turn."""
        return PhysicalSize(self.y, self.x, self.unit)


class Pass(NamedTuple):
    """A sub-image: every *dx*-th pixel of every *dy*-th row, starting at *x*, *y*."""

    x: int
    y: int
    dx: int
    dy: int
    width: int
    height: int


@dataclass(frozen=True)
class PngInfo:
    """The contents of the chunks of a valid PNG."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    is_interlaced: bool
    physical_size: PhysicalSize | None
    #: The contents of PLTE and tRNS; empty if the chunk is missing.
    palette: bytes = field(default=b"", repr=False)
    transparency: bytes = field(default=b"", repr=False)
    #: The positions of the contents of the IDAT chunks in the file.
    pixel_data: tuple[slice, ...] = field(default=(), repr=False)
    #: Faults of the file that cannot change a pixel, such as "iCCP: wrong CRC".
    ignored: tuple[str, ...] = ()
    #: The EXIF orientation of the stored page, 1 to 8; 1 is upright.
    orientation: int = UPRIGHT

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def dpi(self) -> int | None:
        return self.physical_size.dpi if self.physical_size else None

    @property
    def bits_per_pixel(self) -> int:
        return self.bit_depth * CHANNELS[self.color_type]

    @property
    def passes(self) -> list[Pass]:
        """The sub-images in file order, without those that have no pixel."""
        grids = _ADAM7 if self.is_interlaced else ((0, 0, 1, 1),)
        passes = (
            Pass(x, y, dx, dy, -((x - self.width) // dx), -((y - self.height) // dy))
            for x, y, dx, dy in grids
        )
        return [each for each in passes if each.width > 0 and each.height > 0]

    def row_bytes(self, width: int) -> int:
        """The bytes of a row of *width* pixels, without the filter type (section 7.2)."""
        return (width * self.bits_per_pixel + 7) // 8

    @property
    def inflated_bytes(self) -> int:
        """The exact inflated size of the pixel data: one filter type and the bytes of each row."""
        return sum(each.height * (1 + self.row_bytes(each.width)) for each in self.passes)


def parse_header(data: memoryview) -> PngInfo:
    """The contents of the 13 bytes of IHDR (section 11.2.1).

    Raises:
        CorruptPngError: a value is not in the specification.
    """
    width, height, depth, color, compression, filtering, interlace = struct.unpack(">IIBBBBB", data)
    if not 0 < width <= MAX_UINT31 or not 0 < height <= MAX_UINT31:
        raise CorruptPngError(f"IHDR says {width} x {height} pixels.")
    if depth not in _BIT_DEPTHS.get(color, ()):
        raise CorruptPngError(f"IHDR pairs colour type {color} with bit depth {depth}.")
    if compression or filtering or interlace > 1:
        raise CorruptPngError(
            f"IHDR names compression {compression}, filter {filtering}, interlace {interlace}; "
            f"only 0, 0 and 0 or 1 are defined."
        )
    return PngInfo(width, height, depth, color, bool(interlace), None)


def write(
    pixel_data: bytes,
    *,
    width: int,
    height: int,
    bit_depth: int,
    color_type: int,
    physical_size: PhysicalSize | None = None,
) -> bytes:
    """A PNG that contains only pixels and, if known, their physical size.

    *pixel_data* is the zlib stream (section 10.1) of a filter type and the bytes of each row.
    """
    header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    chunks = [_pack(b"IHDR", header)]
    if physical_size:
        size = physical_size
        chunks.append(_pack(b"pHYs", struct.pack(">IIB", size.x, size.y, size.unit)))
    chunks += [_pack(b"IDAT", pixel_data), _pack(b"IEND", b"")]
    return SIGNATURE + b"".join(chunks)


def _pack(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))
