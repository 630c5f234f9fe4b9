"""Check the structure of a PNG file before any decoder sees it.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). Nothing here inflates: the check reads chunks and their CRCs,
because decoders trust lengths that the file only claims. `decode` handles the pixels.

Critical chunks must meet the specification. A fault that cannot change a pixel is ignored
(`ancillary`), as in libpng 1.6, and the file is accepted.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Final

from ..errors import (
    CorruptPngError,
    FileTooLargeError,
    NotAPngError,
    UnsupportedPngError,
)
from .ancillary import Notes, fault_of, transparency_fault
from .chunks import Chunk, chunks_of
from .exif import UPRIGHT, orientation_of
from .format import GRAY, GRAY_ALPHA, MAX_UINT31, PALETTE, SIGNATURE, parse_header
from .format import PhysicalSize as PhysicalSize
from .format import PngInfo as PngInfo
from .limits import PngLimits, check_pixel_data, check_size

#: Signature, length, type, width and height.
_HEADER_END: Final = 24
_ANIMATION: Final = frozenset((b"acTL", b"fcTL", b"fdAT"))
_MAX_PALETTE_BYTES: Final = 3 * 256


def claimed_pixels(data: bytes) -> int:
    """Width times height in the header of *data*, unchecked; 0 without a header."""
    if len(data) < _HEADER_END:
        return 0
    width, height = struct.unpack_from(">II", data, _HEADER_END - 8)
    return int(width * height)


def inspect(data: bytes, limits: PngLimits) -> PngInfo:
    """The header and the chunks of *data*, checked from signature to IEND, inflating nothing.

    `ignored` of the result lists the faults of the file that cannot change a pixel.

    Raises:
        FileTooLargeError: over `limits.max_bytes`.
        NotAPngError: the signature is missing.
        TooManyPixelsError: width, height or their product is over the limits.
        UnsupportedPngError: animated, an unknown critical chunk, over `limits.max_chunks`, or
            compressed pixel data far larger than the pixels.
        CorruptPngError: a critical chunk breaks the specification, or the file breaks off.
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
    for chunk in chunks_of(memoryview(data), limits.max_chunks):
        inspection.take(chunk)
    return inspection.result(data)


class _Inspection:
    """The rules for the order (section 5.6) and the contents of chunks."""

    def __init__(self, limits: PngLimits) -> None:
        self._limits = limits
        self._header: PngInfo | None = None
        self._transparency = b""
        self._physical_size: PhysicalSize | None = None
        self._orientation = UPRIGHT
        self._pixel_data: list[slice] = []
        self._end = 0
        self._notes = Notes()
        #: The types of all accepted chunks.
        self._seen: set[bytes] = set()
        self._last = b""

    def take(self, chunk: Chunk) -> None:
        """Check the next chunk."""
        if chunk.type == b"IHDR":
            self._take_header(chunk)
        elif chunk.type == b"IDAT":
            self._take_pixel_data(chunk)
        elif chunk.type == b"IEND":
            self._take_end(chunk)
        elif chunk.type == b"PLTE":
            self._take_palette(chunk)
        else:
            self._take_ancillary(chunk)
        self._last = chunk.type

    def result(self, data: bytes) -> PngInfo:
        """The contents of the chunks, after IEND."""
        if after := len(data) - self._end:
            self._notes.add(f"{after} bytes after IEND")
        info = replace(
            self._require_header(),
            physical_size=self._physical_size,
            orientation=self._orientation,
            transparency=self._transparency,
            pixel_data=tuple(self._pixel_data),
            ignored=self._notes.lines(),
        )
        check_pixel_data(data, info)
        return info

    def _require_header(self) -> PngInfo:
        if self._header is None:  # section 5.6: IHDR is first
            raise CorruptPngError("The first chunk is not IHDR.")
        return self._header

    # --- critical chunks: strict -------------------------------------------------

    def _take_header(self, chunk: Chunk) -> None:
        self._critical(chunk)
        self._check_is_first(chunk)
        self._check_length(chunk, 13)
        self._header = parse_header(chunk.data)
        self._seen.add(chunk.type)
        check_size(self._header, self._limits)

    def _take_palette(self, chunk: Chunk) -> None:
        header = self._require_header()
        if header.color_type != PALETTE:
            self._take_suggested_palette(chunk, header)
            return
        self._critical(chunk)
        self._check_is_first(chunk)
        entries, rest = divmod(len(chunk.data), 3)
        if rest or not entries or len(chunk.data) > _MAX_PALETTE_BYTES:  # section 11.2.2
            raise CorruptPngError(f"{chunk.place} has {len(chunk.data)} bytes.")
        colors = 1 << header.bit_depth
        if entries > colors:  # no pixel value can select these entries
            self._notes.add(f"PLTE: {entries} entries for {colors} colours")
        self._header = replace(header, palette=bytes(chunk.data[: 3 * colors]))
        self._seen.add(chunk.type)

    def _take_pixel_data(self, chunk: Chunk) -> None:
        if self._last != b"IDAT":
            self._begin_pixel_data(chunk)
        self._critical(chunk)
        self._pixel_data.append(slice(chunk.start, chunk.start + len(chunk.data)))

    def _begin_pixel_data(self, chunk: Chunk) -> None:
        header = self._require_header()
        if header.color_type == PALETTE and not header.palette:
            raise CorruptPngError("A palette image has no PLTE before IDAT.")
        if chunk.type in self._seen:
            raise CorruptPngError(f"{chunk.place} is not directly after the previous IDAT.")
        self._seen.add(chunk.type)

    def _take_end(self, chunk: Chunk) -> None:
        self._require_header()
        self._critical(chunk)
        self._check_length(chunk, 0)  # section 11.2.4
        if b"IDAT" not in self._seen:
            raise CorruptPngError("The file has no IDAT.")
        self._end = chunk.end

    def _critical(self, chunk: Chunk) -> None:
        if not chunk.is_sound:
            raise CorruptPngError(
                f"Chunk {chunk.type.decode()} at offset {chunk.offset} has a wrong CRC."
            )

    def _check_is_first(self, chunk: Chunk) -> None:
        if chunk.type in self._seen:
            raise CorruptPngError(f"{chunk.place} is the second of its type.")

    def _check_length(self, chunk: Chunk, size: int) -> None:
        if len(chunk.data) != size:
            raise CorruptPngError(f"{chunk.place} has {len(chunk.data)} bytes, not {size}.")

    # --- ancillary chunks: ignored where faulty ------------------------------------

    def _take_ancillary(self, chunk: Chunk) -> None:
        header = self._require_header()
        if chunk.type in _ANIMATION:  # section 11.3.6
            raise UnsupportedPngError("The PNG is animated; send one page as one still image.")
        if not chunk.type[0] & 0x20:  # section 5.4: an upper-case first letter is critical
            self._critical(chunk)
            raise UnsupportedPngError(f"The critical chunk {chunk.place} is unknown.")
        if fault := self._fault_of(chunk, header):
            self._notes.add(f"{chunk.type.decode()}: {fault}")
            return
        if chunk.type == b"tRNS":
            self._transparency = bytes(chunk.data)
        elif chunk.type == b"pHYs":
            self._take_physical_size(chunk)
        elif chunk.type == b"eXIf":
            self._take_orientation(chunk)
        self._seen.add(chunk.type)

    def _fault_of(self, chunk: Chunk, header: PngInfo) -> str | None:
        if not chunk.is_sound:
            return "wrong CRC"
        size = len(chunk.data)
        fault = fault_of(chunk.type, size, self._seen)
        if fault is None and chunk.type == b"tRNS":
            return transparency_fault(header, size)
        return fault

    def _take_physical_size(self, chunk: Chunk) -> None:
        x, y, unit = struct.unpack(">IIB", chunk.data)
        if unit <= 1 and 0 < x <= MAX_UINT31 and 0 < y <= MAX_UINT31:
            self._physical_size = PhysicalSize(x, y, unit)
        else:
            self._notes.add("pHYs: no size")

    def _take_orientation(self, chunk: Chunk) -> None:
        """Take the orientation of the first eXIf chunk if it is before IDAT, as in Chromium."""
        orientation = orientation_of(chunk.data)
        if b"IDAT" not in self._seen:
            self._orientation = orientation
        elif orientation != UPRIGHT:
            self._notes.add("eXIf: after IDAT")

    def _take_suggested_palette(self, chunk: Chunk, header: PngInfo) -> None:
        """Ignore PLTE outside palette images: only a suggestion, forbidden in gray (11.2.2)."""
        if fault := self._fault_of_suggestion(chunk, header):
            self._notes.add(f"PLTE: {fault}")
            return
        if not len(chunk.data):  # libpng refuses a file only for this fault
            raise CorruptPngError(f"{chunk.place} has 0 bytes.")
        if not chunk.is_sound:
            self._notes.add("PLTE: wrong CRC")
        self._seen.add(chunk.type)

    def _fault_of_suggestion(self, chunk: Chunk, header: PngInfo) -> str | None:
        if header.color_type in (GRAY, GRAY_ALPHA):
            return "in a gray image"
        for other in (b"IDAT", b"tRNS", b"bKGD"):
            if other in self._seen:
                return f"after {other.decode()}"
        if chunk.type in self._seen:
            return "repeated"
        size = len(chunk.data)
        return f"{size} bytes" if size > _MAX_PALETTE_BYTES or size % 3 else None
