"""Check the structure of a PNG file before any decoder sees it.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). Nothing here inflates: the check reads chunks and their CRCs,
because decoders trust lengths that the file only claims. `png_decoder` does the pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final, NamedTuple

from .errors import (
    CorruptPngError,
    FileTooLargeError,
    NotAPngError,
    TooManyPixelsError,
    UnsupportedPngError,
)
from .fast_zlib import crc32
from .png_format import GRAY, GRAY_ALPHA, MAX_UINT31, PALETTE, RGB, SIGNATURE, parse_header
from .png_format import PhysicalSize as PhysicalSize
from .png_format import PngInfo as PngInfo

#: Section 11.3.1.1: how many bytes of tRNS each colour type takes (palette: one per entry).
_TRNS_BYTES: Final = {GRAY: 2, RGB: 6}
_LENGTH_TYPE_CRC_BYTES: Final = 12
#: Signature, length, type, width and height.
_HEADER_END: Final = 24
_CRITICAL: Final = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
_ANIMATION: Final = frozenset((b"acTL", b"fcTL", b"fdAT"))
#: The most that deflate makes of one byte: 258 bytes from a two-bit match (RFC 1951, 3.2.5).
_MAX_DEFLATE_RATIO: Final = 1032
#: Stored, or flushed after each row, pixel data still stays under twice its size and some slack.
#: But deflate allows blocks of nothing: 32 MiB of them cost any decoder 12 s for a single pixel.
_MAX_INFLATED_RATIO: Final = 2
_MAX_DEFLATE_SLACK_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class PngLimits:
    """What a file may ask of us before we look at a single pixel."""

    max_bytes: int = 32 * 1024 * 1024
    #: A4 at 600 dpi is 34.8 million.
    max_pixels: int = 40_000_000
    max_side: int = 20_000
    #: libpng writes IDAT chunks of 8 KiB: 4096 are a file of 32 MiB. 700,000 empty chunks cost
    #: other decoders seconds.
    max_chunks: int = 4096
    #: All chunks that hold no pixels: text, colour profiles, thumbnails. We read none of it.
    max_metadata_bytes: int = 2 * 1024 * 1024


class _Chunk(NamedTuple):
    type: bytes
    data: memoryview
    offset: int

    @property
    def place(self) -> str:
        return f"{self.type.decode()} at offset {self.offset}"


def claimed_pixels(data: bytes) -> int:
    """Width times height as the header of *data* says, unchecked; 0 for what has no header."""
    if len(data) < _HEADER_END:
        return 0
    width, height = struct.unpack_from(">II", data, _HEADER_END - 8)
    return int(width * height)


def inspect(data: bytes, limits: PngLimits) -> PngInfo:
    """Check the structure of *data* from signature to IEND, inflating nothing.

    Raises:
        FileTooLargeError: over `limits.max_bytes`.
        NotAPngError: the signature is missing.
        TooManyPixelsError: width, height or their product is over the limits.
        UnsupportedPngError: animated, an unknown critical chunk, over `limits.max_chunks` or
            `limits.max_metadata_bytes`, or pixel data that is far larger than the pixels.
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
    inspection = _Inspection(limits)
    for chunk in _chunks(data, limits):
        inspection.take(chunk)
    return inspection.result(data)


def _chunks(data: bytes, limits: PngLimits) -> Iterator[_Chunk]:
    """Yield each chunk whose bytes are really there and whose CRC is right, up to IEND."""
    view, offset = memoryview(data), len(SIGNATURE)
    for _ in range(limits.max_chunks):
        chunk = _chunk_at(view, offset)
        yield chunk
        offset += _LENGTH_TYPE_CRC_BYTES + len(chunk.data)
        if chunk.type == b"IEND":
            # Section 5.6 makes IEND the last chunk. What follows is a second file, or hides one.
            if offset != len(data):
                raise CorruptPngError(f"{len(data) - offset} bytes follow IEND at offset {offset}.")
            return
    raise UnsupportedPngError(
        f"The file has more than {limits.max_chunks} chunks.", limit=limits.max_chunks
    )


def _chunk_at(view: memoryview, offset: int) -> _Chunk:
    """Section 5.3: length, type, data, CRC."""
    left = len(view) - offset - _LENGTH_TYPE_CRC_BYTES
    if left < 0:
        raise CorruptPngError(f"The file breaks off at offset {offset}, before IEND.")
    (length,) = struct.unpack_from(">I", view, offset)
    kind = bytes(view[offset + 4 : offset + 8])
    if not kind.isalpha():  # section 5.3: ASCII letters only
        raise CorruptPngError(f"The chunk type at offset {offset} is not four letters.")
    # The length is a claim: decoders that believe it allocate gigabytes for a 65-byte file.
    if length > min(left, MAX_UINT31):
        raise CorruptPngError(
            f"Chunk {kind.decode()} at offset {offset} claims {length} bytes; {left} are left."
        )
    end = offset + 8 + length
    (crc,) = struct.unpack_from(">I", view, end)
    if crc32(view[offset + 4 : end]) != crc:  # section 5.5
        raise CorruptPngError(f"Chunk {kind.decode()} at offset {offset} has a wrong CRC.")
    return _Chunk(kind, view[offset + 8 : end], offset)


class _Inspection:
    """The rules on which chunks may stand where (section 5.6) and what they may say."""

    def __init__(self, limits: PngLimits) -> None:
        self._limits = limits
        self._header: PngInfo | None = None
        self._palette = b""
        self._transparency = b""
        self._physical_size: PhysicalSize | None = None
        self._pixel_data: list[slice] = []
        self._metadata_bytes = 0
        self._seen: set[bytes] = set()
        self._last = b""

    def take(self, chunk: _Chunk) -> None:
        """Check the next chunk."""
        if chunk.type not in _CRITICAL:
            self._check_ancillary(chunk)
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
                self._take_pixel_data(chunk)
            case b"IEND":
                self._take_end(chunk)
        self._seen.add(chunk.type)
        self._last = chunk.type

    def result(self, data: bytes) -> PngInfo:
        """What the chunks said, once IEND is taken."""
        info = replace(
            self._require_header(),
            physical_size=self._physical_size,
            palette=self._palette,
            transparency=self._transparency,
            pixel_data=tuple(self._pixel_data),
        )
        _check_pixel_data(data, info)
        return info

    def _require_header(self) -> PngInfo:
        if self._header is None:  # section 5.6: IHDR is first
            raise CorruptPngError("The first chunk is not IHDR.")
        return self._header

    def _check_ancillary(self, chunk: _Chunk) -> None:
        self._require_header()
        if chunk.type in _ANIMATION:  # section 11.3.6
            raise UnsupportedPngError("The PNG is animated; send one page as one still image.")
        if not chunk.type[0] & 0x20:  # section 5.4: an upper-case first letter is critical
            raise UnsupportedPngError(f"Critical chunk {chunk.place} is not known.")
        self._metadata_bytes += len(chunk.data)
        if self._metadata_bytes > self._limits.max_metadata_bytes:
            raise UnsupportedPngError(
                f"The chunks without pixels, up to {chunk.place}, have {self._metadata_bytes} "
                f"bytes; the limit is {self._limits.max_metadata_bytes}.",
                limit=self._limits.max_metadata_bytes,
            )

    def _take_header(self, chunk: _Chunk) -> None:
        self._once(chunk)
        self._length_is(chunk, 13)
        self._header = parse_header(chunk.data)
        _check_size(self._header, self._limits)

    def _take_palette(self, chunk: _Chunk) -> None:
        header = self._require_header()
        self._once(chunk)
        self._before(chunk, b"IDAT", b"tRNS")
        entries, rest = divmod(len(chunk.data), 3)
        most = 1 << header.bit_depth if header.color_type == PALETTE else 256
        # Section 11.2.2: forbidden in grayscale images; whole entries; never more than fit.
        if header.color_type in (GRAY, GRAY_ALPHA) or rest or not 0 < entries <= most:
            raise CorruptPngError(
                f"{chunk.place} has {len(chunk.data)} bytes, wrong for colour type "
                f"{header.color_type} at depth {header.bit_depth}."
            )
        self._palette = bytes(chunk.data)

    def _take_transparency(self, chunk: _Chunk) -> None:
        header = self._require_header()
        self._once(chunk)
        self._before(chunk, b"IDAT")
        size = len(chunk.data)
        if header.color_type == PALETTE:
            fits = 0 < size <= len(self._palette) // 3
        else:
            fits = size == _TRNS_BYTES.get(header.color_type)
        if not fits:
            raise CorruptPngError(
                f"{chunk.place} has {size} bytes, wrong for colour type {header.color_type}."
            )
        self._transparency = bytes(chunk.data)

    def _take_physical_size(self, chunk: _Chunk) -> None:
        self._once(chunk)
        self._before(chunk, b"IDAT")
        self._length_is(chunk, 9)
        x, y, unit = struct.unpack(">IIB", chunk.data)
        if unit <= 1 and 0 < x <= MAX_UINT31 and 0 < y <= MAX_UINT31:
            self._physical_size = PhysicalSize(x, y, unit)

    def _take_pixel_data(self, chunk: _Chunk) -> None:
        if self._require_header().color_type == PALETTE and not self._palette:
            raise CorruptPngError("A palette image has no PLTE before IDAT.")
        if b"IDAT" in self._seen and self._last != b"IDAT":
            raise CorruptPngError(f"{chunk.place} does not follow the IDAT before.")
        start = chunk.offset + 8
        self._pixel_data.append(slice(start, start + len(chunk.data)))

    def _take_end(self, chunk: _Chunk) -> None:
        self._require_header()
        self._length_is(chunk, 0)  # section 11.2.4
        if b"IDAT" not in self._seen:
            raise CorruptPngError("The file has no IDAT.")

    def _once(self, chunk: _Chunk) -> None:
        if chunk.type in self._seen:
            raise CorruptPngError(f"{chunk.place} is the second of its type.")

    def _before(self, chunk: _Chunk, *others: bytes) -> None:
        for other in others:
            if other in self._seen:
                raise CorruptPngError(f"{chunk.place} follows {other.decode()}.")

    def _length_is(self, chunk: _Chunk, size: int) -> None:
        if len(chunk.data) != size:
            raise CorruptPngError(f"{chunk.place} has {len(chunk.data)} bytes, not {size}.")


def _check_size(header: PngInfo, limits: PngLimits) -> None:
    width, height = header.width, header.height
    if max(width, height) > limits.max_side:
        fault, limit = f"has a side over {limits.max_side} pixels", limits.max_side
    elif header.pixels > limits.max_pixels:
        fault, limit = f"is over {limits.max_pixels} pixels", limits.max_pixels
    else:
        return
    raise TooManyPixelsError(
        f"{width} x {height} {fault}.", width=width, height=height, limit=limit
    )


def _check_pixel_data(data: bytes, info: PngInfo) -> None:
    """Section 10.1, as far as it goes without inflating: a zlib header, and enough to go with it.

    RFC 1950, section 2.2: method 8, a window of at most 32 KiB, a check of both bytes, and no
    preset dictionary, which PNG does not allow.
    """
    size = sum(part.stop - part.start for part in info.pixel_data)
    view = memoryview(data)
    head = bytes(islice(chain.from_iterable(view[part] for part in info.pixel_data), 2))
    if len(head) < 2 or head[0] & 15 != 8 or head[0] >> 4 > 7:
        raise CorruptPngError("The pixel data does not start with a zlib header.")
    if (head[0] << 8 | head[1]) % 31 or head[1] & 0x20:
        raise CorruptPngError("The pixel data does not start with a zlib header.")
    if info.inflated_bytes > size * _MAX_DEFLATE_RATIO:
        raise CorruptPngError(
            f"{size} bytes of pixel data cannot inflate to the {info.inflated_bytes} bytes that "
            f"{info.width} x {info.height} pixels take."
        )
    most = info.inflated_bytes * _MAX_INFLATED_RATIO + _MAX_DEFLATE_SLACK_BYTES
    if size > most:
        raise UnsupportedPngError(
            f"{size} bytes of pixel data for {info.width} x {info.height} pixels are over {most}.",
            limit=most,
        )
