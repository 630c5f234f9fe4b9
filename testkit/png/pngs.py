"""Write PNGs, valid and invalid, from the specification; shares no code with `app`.

Section numbers are those of the PNG specification, third edition (https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
BIT_DEPTHS = {
    GRAY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GRAY_ALPHA: (8, 16),
    RGBA: (8, 16),
}
#: Figure "Adam7 interlace" (section 8.1): the pass in which each pixel of an 8 x 8 tile is sent.
ADAM7 = np.array(
    [
        [1, 6, 4, 6, 2, 6, 4, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [3, 6, 4, 6, 3, 6, 4, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
    ]
)
Samples = NDArray[np.int64]


def chunk(kind: bytes, data: bytes = b"", *, crc: int | None = None, length: int | None = None):
    """A chunk (section 5.3); *crc* and *length* override the correct values."""
    true_crc = zlib.crc32(kind + data)
    head = struct.pack(">I", len(data) if length is None else length)
    return head + kind + data + struct.pack(">I", true_crc if crc is None else crc)


def ihdr(width, height, bit_depth=8, color_type=RGB, compression=0, filtering=0, interlace=0):
    fields = (width, height, bit_depth, color_type, compression, filtering, interlace)
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


IEND = chunk(b"IEND")


def idat(stream: bytes, *, split: int | None = None) -> bytes:
    """One IDAT chunk, or several of *split* bytes each."""
    if not split:
        return chunk(b"IDAT", stream)
    return b"".join(chunk(b"IDAT", stream[i : i + split]) for i in range(0, len(stream), split))


@dataclass(frozen=True)
class Picture:
    """Samples and how to send them: (H, W, channels) of 0 to 2^bit_depth - 1."""

    samples: Samples
    bit_depth: int = 8
    color_type: int = GRAY
    is_interlaced: bool = False
    palette: bytes = b""
    transparency: bytes = b""
    #: Filter types, used in turn, row after row.
    filters: Sequence[int] = (0,)
    split: int | None = None
    #: Chunks between IHDR and the rest.
    metadata: bytes = b""

    @property
    def header(self) -> bytes:
        height, width = self.samples.shape[:2]
        return ihdr(
            width, height, self.bit_depth, self.color_type, interlace=int(self.is_interlaced)
        )

    def encode(self) -> bytes:
        return self.wrap(zlib.compress(self.filtered()))

    def wrap(self, stream: bytes) -> bytes:
        """A PNG whose IDAT chunks hold *stream*."""
        extras = [chunk(b"PLTE", self.palette)] if self.palette else []
        if self.transparency:
            extras.append(chunk(b"tRNS", self.transparency))
        body = b"".join(extras) + idat(stream, split=self.split) + IEND
        return SIGNATURE + self.header + self.metadata + body

    def filtered(self) -> bytes:
        """The inflated pixel data: each row with its filter type (section 7.2)."""
        pixel_bytes = max(1, self.bit_depth * CHANNELS[self.color_type] // 8)
        out, count = bytearray(), 0
        for sub_image in self._passes():
            above = None
            for row in sub_image:
                packed = self._pack(row)
                kind = self.filters[count % len(self.filters)]
                out.append(kind)
                out += apply_filter(kind, packed, above or bytes(len(packed)), pixel_bytes)
                above, count = packed, count + 1
        return bytes(out)

    def gray(self) -> Samples:
        """The picture in gray on white: (H, W) of 0 to 255, by the rules of `app.png`."""
        colors, alpha = self._colors()
        high = colors >> 8 if self.bit_depth == 16 else colors
        gray = luma(high) if high.shape[2] == 3 else high[..., 0]
        return (gray * alpha + 255 * (255 - alpha) + 127) // 255

    def _colors(self) -> tuple[Samples, Samples]:
        opaque = np.full(self.samples.shape[:2], 255)
        if self.color_type == PALETTE:
            entries = np.zeros((256, 3), np.int64)
            entries[: len(self.palette) // 3] = np.reshape(list(self.palette), (-1, 3))
            alpha = np.array(list(self.transparency) + [255] * 256)
            return entries[self.samples[..., 0]], alpha[self.samples[..., 0]]
        if self.color_type in (GRAY_ALPHA, RGBA):
            alpha = self.samples[..., -1] >> (self.bit_depth - 8)
            return self.samples[..., :-1], alpha
        if self.transparency:
            key = np.array(struct.unpack(f">{CHANNELS[self.color_type]}H", self.transparency))
            key &= (1 << self.bit_depth) - 1
            opaque = np.where((self.samples == key).all(axis=2), 0, 255)
        if self.bit_depth < 8:
            return self.samples * 255 // ((1 << self.bit_depth) - 1), opaque
        return self.samples, opaque

    def _passes(self) -> Iterator[Samples]:
        if not self.is_interlaced:
            yield self.samples
            return
        for number in range(1, 8):
            is_sent = np.equal(ADAM7, number)
            rows, columns = np.flatnonzero(is_sent.any(axis=1)), np.flatnonzero(is_sent.any(axis=0))
            height, width = self.samples.shape[:2]
            ys = [y for y in range(height) if y % 8 in rows]
            xs = [x for x in range(width) if x % 8 in columns]
            if ys and xs:
                yield self.samples[np.ix_(ys, xs)]

    def _pack(self, row: Samples) -> bytes:
        """Section 7.2: samples one after the other, the leftmost in the high bits."""
        bits = "".join(f"{sample:0{self.bit_depth}b}" for sample in row.reshape(-1).tolist())
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def luma(colors: Samples) -> Samples:
    """ITU-R BT.601 in 15 bits: (..., 3) to (...)."""
    red, green, blue = colors[..., 0], colors[..., 1], colors[..., 2]
    return (9798 * red + 19235 * green + 3735 * blue + 16384) >> 15


def apply_filter(kind: int, row: bytes, above: bytes, pixel_bytes: int) -> bytes:
    """Filter a row (section 9.2); *above* is the row above, unfiltered."""
    left = bytes(pixel_bytes) + row
    corner = bytes(pixel_bytes) + above
    predictions: Iterable[int] = {
        0: lambda: bytes(len(row)),
        1: lambda: left,
        2: lambda: above,
        3: lambda: ((a + b) // 2 for a, b in zip(left, above, strict=False)),
        4: lambda: map(paeth, left, above, corner),
    }[kind]()
    return bytes((x - p) % 256 for x, p in zip(row, predictions, strict=False))


def paeth(a: int, b: int, c: int) -> int:
    """Section 9.4, word for word."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


def rgb_row(*colors: tuple[int, int, int]) -> bytes:
    """The smallest RGB picture: one row of *colors*."""
    return Picture(np.array([colors]), 8, RGB).encode()


def gray_png(samples: Sequence[Sequence[int]], **how: object) -> bytes:
    """An 8-bit gray PNG of *samples*."""
    return Picture(np.array(samples)[..., np.newaxis], **how).encode()  # type: ignore[arg-type]
