"""The structure of a PNG file: check it on the way in, write it on the way out.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). Nothing here decodes pixels: the check reads chunks and
their CRCs, because decoders trust lengths that the file only claims.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from .errors import (
    CorruptPngError,
    FileTooLargeError,
    NotAPngError,
    TooManyPixelsError,
    UnsupportedPngError,
)

#: Section 5.2.
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
#: Table 11.1: the bit depths that each colour type allows.
_BIT_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
#: Section 11.3.2.1: how many bytes of tRNS each colour type takes (type 3: one per entry).
_TRNS_BYTES: Final = {0: 2, 2: 6}
_PALETTE: Final = 3
_LENGTH_TYPE_CRC_BYTES: Final = 12
#: Section 5.3: a length is at most 2^31 - 1.
_MAX_CHUNK_BYTES: Final = 0x7FFFFFFF
_ANIMATION_CHUNKS: Final = frozenset((b"acTL", b"fcTL", b"fdAT"))
_METRES_PER_INCH: Final = 0.0254


@dataclass(frozen=True)
class PngLimits:
    """What a file may ask of us before we look at a single pixel."""

    max_bytes: int = 32 * 1024 * 1024
    #: A4 at 600 dpi is 34.8 million.
    max_pixels: int = 40_000_000
    max_side: int = 20_000
    #: Pillow takes seconds over 700,000 empty chunks.
    max_chunks: int = 4096


@dataclass(frozen=True)
class PhysicalSize:
    """The pHYs chunk (section 11.3.5.3): pixels per unit; *unit* 1 is the metre, 0 is unknown."""

    x: int
    y: int
    unit: int

    @property
    def dpi(self) -> int | None:
        """Horizontal dots per inch, rounded; None when the unit is unknown."""
        return round(self.x * _METRES_PER_INCH) if self.unit == 1 else None


@dataclass(frozen=True)
class PngInfo:
    """What the chunks of a sound PNG say about it."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    is_interlaced: bool
    physical_size: PhysicalSize | None

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def dpi(self) -> int | None:
        return self.physical_size.dpi if self.physical_size else None


class _Chunk(NamedTuple):
    type: bytes
    data: memoryview
    offset: int


def inspect(data: bytes, limits: PngLimits) -> PngInfo:
    """Check the structure of *data* from signature to IEND, inflating nothing.

    Raises:
        FileTooLargeError: over `limits.max_bytes`.
        NotAPngError: the signature is missing.
        TooManyPixelsError: width, height or their product is over the limits.
        UnsupportedPngError: animated, an unknown critical chunk, or over `limits.max_chunks`.
        CorruptPngError: anything else that the specification forbids.
    """
    if len(data) > limits.max_bytes:
        raise FileTooLargeError(
            f"The file has {len(data)} bytes; the limit is {limits.max_bytes}.",
            actual=len(data),
            limit=limits.max_bytes,
        )
    if not data.startswith(SIGNATURE):
        raise NotAPngError("The file does not start with the PNG signature.")
    return _Inspection(limits).run(_chunks(data, limits))


def _chunks(data: bytes, limits: PngLimits) -> Iterator[_Chunk]:
    """Yield each chunk whose bytes are really there and whose CRC is right, up to IEND."""
    view, offset = memoryview(data), len(SIGNATURE)
    for _ in range(limits.max_chunks):
        chunk, end = _chunk_at(view, offset)
        yield chunk
        if chunk.type == b"IEND":
            if end != len(data):
                raise CorruptPngError(f"{len(data) - end} bytes follow IEND at offset {end}.")
            return
        offset = end
    raise UnsupportedPngError(
        f"The file has more than {limits.max_chunks} chunks.", limit=limits.max_chunks
    )


def _chunk_at(view: memoryview, offset: int) -> tuple[_Chunk, int]:
    left = len(view) - offset - _LENGTH_TYPE_CRC_BYTES
    if left < 0:
        raise CorruptPngError(f"The file breaks off at offset {offset}, before IEND.")
    (length,) = struct.unpack_from(">I", view, offset)
    kind = bytes(view[offset + 4 : offset + 8])
    if not kind.isalpha():  # section 5.4: ASCII letters only
        raise CorruptPngError(f"The chunk type at offset {offset} is not four letters.")
    # The length is a claim: decoders that believe it allocate gigabytes for a 65-byte file.
    if length > min(left, _MAX_CHUNK_BYTES):
        raise CorruptPngError(
            f"Chunk {kind.decode()} at offset {offset} claims {length} bytes; {left} are left."
        )
    end = offset + 8 + length
    (crc,) = struct.unpack_from(">I", view, end)
    if zlib.crc32(view[offset + 4 : end]) != crc:
        raise CorruptPngError(f"Chunk {kind.decode()} at offset {offset} has a wrong CRC.")
    return _Chunk(kind, view[offset + 8 : end], offset), end + 4


class _Inspection:
    """The rules on which chunks may stand where (section 5.6)."""

    def __init__(self, limits: PngLimits) -> None:
        self._limits = limits
        self._seen: set[bytes] = set()
        self._last = b""
        self._palette_entries = 0
        self._header: PngInfo | None = None
        self._physical_size: PhysicalSize | None = None

    def run(self, chunks: Iterator[_Chunk]) -> PngInfo:
        for chunk in chunks:
            self._take(chunk)
        header = self._require_header()
        return PngInfo(
            header.width,
            header.height,
            header.bit_depth,
            header.color_type,
            header.is_interlaced,
            self._physical_size,
        )

    def _require_header(self) -> PngInfo:
        if self._header is None:
            raise CorruptPngError("The first chunk is not IHDR.")
        return self._header

    def _take(self, chunk: _Chunk) -> None:
        if chunk.type != b"IHDR":
            self._require_header()
        if chunk.type in _ANIMATION_CHUNKS:
            raise UnsupportedPngError("The PNG is animated; send one page as one still image.")
        match chunk.type:
            case b"IHDR":
                self._take_header(chunk)
            case b"PLTE":
                self._take_palette(chunk)
            case b"tRNS":
                self._take_transparency(chunk)
            case b"pHYs":
                self._take_physical_size(chunk)
            case b"IDAT":
                self._take_image_data(chunk)
            case b"IEND":
                self._take_end(chunk)
            case kind if not kind[0] & 0x20:  # section 5.4: an upper-case first letter is critical
                raise UnsupportedPngError(
                    f"Critical chunk {kind.decode()} at offset {chunk.offset} is not known."
                )
        self._seen.add(chunk.type)
        self._last = chunk.type

    def _take_header(self, chunk: _Chunk) -> None:
        self._once(chunk)
        self._length_is(chunk, 13)
        width, height, depth, color, compression, filtering, interlace = struct.unpack(
            ">IIBBBBB", chunk.data
        )
        if not 0 < width <= _MAX_CHUNK_BYTES or not 0 < height <= _MAX_CHUNK_BYTES:
            raise CorruptPngError(f"IHDR says {width} x {height} pixels.")
        self._check_size(width, height)
        if depth not in _BIT_DEPTHS.get(color, ()):
            raise CorruptPngError(f"IHDR pairs colour type {color} with bit depth {depth}.")
        if compression or filtering or interlace > 1:
            raise CorruptPngError(
                f"IHDR names compression {compression}, filter {filtering}, "
                f"interlace {interlace}; only 0, 0 and 0 or 1 exist."
            )
        self._header = PngInfo(width, height, depth, color, bool(interlace), None)

    def _check_size(self, width: int, height: int) -> None:
        if max(width, height) > self._limits.max_side:
            raise TooManyPixelsError(
                f"{width} x {height} has a side over {self._limits.max_side} pixels.",
                width=width,
                height=height,
                limit=self._limits.max_side,
            )
        if width * height > self._limits.max_pixels:
            raise TooManyPixelsError(
                f"{width} x {height} is over {self._limits.max_pixels} pixels.",
                width=width,
                height=height,
                limit=self._limits.max_pixels,
            )

    def _take_palette(self, chunk: _Chunk) -> None:
        header = self._require_header()
        self._once(chunk)
        self._before(chunk, b"IDAT", b"tRNS")
        entries, rest = divmod(len(chunk.data), 3)
        most = 1 << header.bit_depth if header.color_type == _PALETTE else 256
        # Section 11.2.2: forbidden in grayscale images; whole entries; never more than fit.
        if header.color_type in (0, 4) or rest or not 0 < entries <= most:
            raise CorruptPngError(
                f"PLTE at offset {chunk.offset} has {len(chunk.data)} bytes, wrong for colour type "
                f"{header.color_type} at depth {header.bit_depth}."
            )
        self._palette_entries = entries

    def _take_transparency(self, chunk: _Chunk) -> None:
        header = self._require_header()
        self._once(chunk)
        self._before(chunk, b"IDAT")
        size = len(chunk.data)
        if header.color_type == _PALETTE:
            fits = 0 < size <= self._palette_entries
        else:
            fits = size == _TRNS_BYTES.get(header.color_type)
        if not fits:
            raise CorruptPngError(
                f"tRNS at offset {chunk.offset} has {size} bytes, wrong for colour type "
                f"{header.color_type}."
            )

    def _take_physical_size(self, chunk: _Chunk) -> None:
        self._once(chunk)
        self._before(chunk, b"IDAT")
        self._length_is(chunk, 9)
        x, y, unit = struct.unpack(">IIB", chunk.data)
        if unit <= 1 and 0 < x <= _MAX_CHUNK_BYTES and 0 < y <= _MAX_CHUNK_BYTES:
            self._physical_size = PhysicalSize(x, y, unit)

    def _take_image_data(self, chunk: _Chunk) -> None:
        header = self._require_header()
        if header.color_type == _PALETTE and not self._palette_entries:
            raise CorruptPngError("A palette image has no PLTE before IDAT.")
        if b"IDAT" in self._seen and self._last != b"IDAT":
            raise CorruptPngError(f"IDAT at offset {chunk.offset} does not follow the one before.")

    def _take_end(self, chunk: _Chunk) -> None:
        self._length_is(chunk, 0)
        if b"IDAT" not in self._seen:
            raise CorruptPngError("The file has no IDAT.")

    def _once(self, chunk: _Chunk) -> None:
        if chunk.type in self._seen:
            raise CorruptPngError(
                f"A second {chunk.type.decode()} stands at offset {chunk.offset}."
            )

    def _before(self, chunk: _Chunk, *others: bytes) -> None:
        for other in others:
            if other in self._seen:
                raise CorruptPngError(
                    f"{chunk.type.decode()} at offset {chunk.offset} follows {other.decode()}."
                )

    def _length_is(self, chunk: _Chunk, size: int) -> None:
        if len(chunk.data) != size:
            raise CorruptPngError(
                f"{chunk.type.decode()} at offset {chunk.offset} has {len(chunk.data)} bytes, "
                f"not {size}."
            )


def write_bilevel(
    rows: bytes, *, width: int, height: int, physical_size: PhysicalSize | None
) -> bytes:
    """Write a 1-bit grayscale PNG with nothing in it but pixels and, if known, their size.

    *rows* is *height* times a filter byte 0 and `ceil(width / 8)` bytes, most significant bit
    leftmost, 1 = white (sections 7.2 and 9.2). Same input, same bytes.
    """
    if len(rows) != height * (1 + (width + 7) // 8):
        raise ValueError(f"{len(rows)} bytes of rows do not make {width} x {height} pixels")
    chunks = [_pack(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))]
    if physical_size:
        size = physical_size
        chunks.append(_pack(b"pHYs", struct.pack(">IIB", size.x, size.y, size.unit)))
    # zlib's own default level: on 1-bit pages 9 is six times slower for a few percent.
    chunks += [_pack(b"IDAT", zlib.compress(rows, 6)), _pack(b"IEND", b"")]
    return SIGNATURE + b"".join(chunks)


def _pack(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
