"""Decode the pixel data of an inspected PNG to gray values, one strip of rows at a time.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). The size in the header bounds memory and time. The pixel data is
inflated to that size, in strips that fit the processor's cache, and to at most twice that size to
find the checksum. The result takes one byte per pixel, two with transparency.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptPngError, UnsupportedPngError
from . import zlibs
from .filters import undo_filters
from .format import CHANNELS, Pass, PngInfo
from .pixels import Pixels, color_channels, pixel_rule

Bytes = NDArray[np.uint8]
#: The bit depths below 16 that 16-bit samples can turn out to have.
_FEW_BITS: Final = (8, 10, 12, 14)
#: In smaller images, such as icons, the greatest sample does not reveal the bit depth.
_LEAST_PIXELS: Final = 1000
#: The filtered and the restored rows of one strip together fit the second-level cache.
_STRIP_BYTES: Final = 256 * 1024
#: Pieces are small because their unread rest is copied each time the output is full.
_PIECE_BYTES: Final = 64 * 1024
#: Bytes that may follow the pixels, in addition to as many bytes as the pixels take. A few extra
#: rows are inflated to find the checksum; a decompression bomb is refused.
_MAX_EXTRA_BYTES: Final = 64 * 1024
_MAX_WINDOW_BYTES: Final = 32 * 1024
#: zlib detects a distance beyond the declared window only if those bytes have left its output.
#: Streams with a small window are therefore read in the same pieces as in libpng, a row and at most
#: 8 KiB of one IDAT (PNG_IDAT_READ_SIZE), so that the same files are refused.
_LIBPNG_PIECE_BYTES: Final = 8 * 1024
#: CPU time after which inflating restarts with the library of linear time. ISA-L takes 2 to 4 ns
#: per byte of noisy pages, twice as much on a slow machine.
_PATIENCE_S: Final = 0.1
_PATIENCE_S_A_BYTE: Final = 10e-9


@dataclass(frozen=True)
class Decoded:
    """A page on white, in (H, W) uint8 arrays; gray is 0 for black to 255 for white.

    None stands for an opacity of 255 and a chroma of 0 everywhere.
    """

    gray: Bytes
    alpha: Bytes | None = None
    chroma: Bytes | None = None


def decode(
    data: bytes,
    info: PngInfo,
    on_ignored: Callable[[str], None] | None = None,
    *,
    with_chroma: bool = False,
) -> Decoded:
    """The page in gray; *info* is the result of `inspect` for *data*.

    *on_ignored* is called with a short sentence about each kind of extra data inside IDAT.

    The rules, in this order, all in whole numbers:

    1. 1, 2 and 4-bit gray v becomes v * 255 / (2^depth - 1), which is exact.
    2. Of 16-bit samples the high byte counts (section 13.12). But where no gray or colour sample of
       an image of 1,000 pixels or more reaches 2^14, as in raw data of scanners, the depth is 8,
       10, 12 or 14 bits, the least that holds the greatest sample, and the highest 8 bits count.
    3. A palette index past the end of PLTE is black, as in libpng.
    4. Gray is (9798 R + 19235 G + 3735 B + 16384) >> 15, the luma of ITU-R BT.601.
    5. Alpha a over white: (gray * a + 255 * (255 - a) + 127) // 255. A pixel that equals the tRNS
       colour at full depth is white.

    6. Chroma, where asked for, is the largest minus the smallest of R, G and B, times a.

    Gamma and colour profiles are ignored. `light_ink`, `binarize.color` and `binarize.turning` have
    the rules for light ink on transparency, for coloured ink and for the orientation of pages.

    Raises:
        CorruptPngError: the pixel data is damaged, or less than the header promises.
        UnsupportedPngError: the pixel data is several times what the header promises.
    """
    stream, page = _PixelStream(data, info), Planes(info)
    rule = pixel_rule(info, _sample_bits(data, info), with_chroma=with_chroma)
    for each in info.passes:
        for top, rows in _strips(stream, info, each):
            page.put(_places(each, top, len(rows)), rule(rows, each.width))
    for ignored in stream.finish():
        if on_ignored:
            on_ignored(ignored)
    return Decoded(page.gray, page.alpha, page.chroma)


class Planes:
    """A page being decoded; opacity and chroma are allocated when a strip first has them."""

    def __init__(self, info: PngInfo) -> None:
        self.gray: Bytes = np.empty((info.height, info.width), np.uint8)
        self.alpha: Bytes | None = None
        self.chroma: Bytes | None = None

    def put(self, at: tuple[slice, slice], pixels: Pixels) -> None:
        """Store *pixels* at the image positions *at*."""
        self.gray[at] = pixels.gray
        if pixels.alpha is not None:
            self.alpha = np.full_like(self.gray, 255) if self.alpha is None else self.alpha
            self.alpha[at] = pixels.alpha
        if pixels.chroma is not None:
            self.chroma = np.zeros_like(self.gray) if self.chroma is None else self.chroma
            self.chroma[at] = pixels.chroma


def _sample_bits(data: bytes, info: PngInfo) -> int:
    """The number of bits that samples use; reads only one strip of ordinary 16-bit images."""
    if not _may_be_few(info):
        return info.bit_depth
    stream, greatest = _PixelStream(data, info), 0
    for each in info.passes:
        for _, rows in _strips(stream, info, each):
            samples = rows.view(">u2").reshape(-1, CHANNELS[info.color_type])
            greatest = max(greatest, int(samples[:, : color_channels(info)].max()))
            if greatest >> _FEW_BITS[-1]:
                return 16
    return few_bits(info, greatest)


def few_bits(info: PngInfo, greatest: int) -> int:
    """The number of bits that samples use, of which *greatest* is the greatest."""
    if not _may_be_few(info):
        return info.bit_depth
    return next((bits for bits in _FEW_BITS if not greatest >> bits), info.bit_depth)


def _may_be_few(info: PngInfo) -> bool:
    return info.bit_depth == 16 and info.pixels >= _LEAST_PIXELS


def _places(each: Pass, top: int, count: int) -> tuple[slice, slice]:
    """The image positions of the pixels in *count* rows of a pass, from its row *top* on."""
    first = each.y + top * each.dy
    return slice(first, first + count * each.dy, each.dy), slice(each.x, None, each.dx)


class _PixelStream:
    """A stream that inflates the IDAT chunks in order, only as far as it is read (section 10.1)."""

    def __init__(self, data: bytes, info: PngInfo) -> None:
        self._promised_bytes = info.inflated_bytes
        view = memoryview(data)
        window_bits = _window_bits(view, info)
        #: Whether a distance can exceed the window that the stream declares.
        self.has_narrow_window = self._promised_bytes > 1 << window_bits < _MAX_WINDOW_BYTES
        piece_bytes = _LIBPNG_PIECE_BYTES if self.has_narrow_window else _PIECE_BYTES
        self._all_pieces = partial(_pieces, view, info.pixel_data, piece_bytes)
        self._pieces = self._all_pieces()
        self._inflater = self._inflater_for(info, window_bits)
        self._rest: bytes | memoryview = b""
        self._inflated_bytes, self._spent_s = 0, 0.0
        self._is_steady = zlibs.is_steady(self._inflater)

    def _inflater_for(self, info: PngInfo, window_bits: int) -> Any:
        if self.has_narrow_window:
            return zlibs.narrow_decompressor(window_bits)
        deflated_bytes = sum(part.stop - part.start for part in info.pixel_data)
        return zlibs.decompressor(ratio=self._promised_bytes / max(1, deflated_bytes))

    def read_into(self, target: memoryview) -> None:
        """Fill *target*. Raises CorruptPngError if the stream is damaged or ends too early."""
        filled = 0
        while filled < len(target):
            out = self._inflate(len(target) - filled)
            if not out:
                raise CorruptPngError(
                    f"The pixel data ends before the {self._promised_bytes} bytes that the header "
                    f"promises."
                )
            target[filled : filled + len(out)] = out
            filled += len(out)

    def finish(self) -> Iterator[str]:
        """Read to the end of the stream; yield a sentence for each kind of extra data.

        Raises:
            CorruptPngError: the rest of the stream is damaged, or there is no Adler-32.
            UnsupportedPngError: the rest is larger than the image itself.
        """
        extra_bytes, limit = 0, self._promised_bytes + _MAX_EXTRA_BYTES
        while out := self._inflate(_PIECE_BYTES):
            extra_bytes += len(out)
            if extra_bytes > limit:
                raise UnsupportedPngError(
                    f"Over {limit} bytes of pixel data follow the {self._promised_bytes} that the "
                    f"header promises.",
                    limit=limit,
                )
        if not self._inflater.eof:
            raise CorruptPngError("The pixel data breaks off before its checksum.")
        if extra_bytes:
            yield "IDAT: more rows than the header says"
        if self._inflater.unused_data or self._rest:
            yield "IDAT: bytes after the pixel data"

    def _inflate(self, most: int) -> bytes:
        """Some inflated bytes, at most *most*; empty at the end of the stream or of the file."""
        while not self._inflater.eof:
            out = self._inflate_piece(most)
            if out or not self._rest:
                return out
        return b""

    def _inflate_piece(self, most: int) -> bytes:
        """The inflated bytes of the next piece, at most *most*; may be empty."""
        began_at = time.thread_time()
        try:
            out: bytes = self._inflater.decompress(self._rest, most)
        except zlibs.ERRORS as exc:
            raise CorruptPngError("The pixel data is not a valid zlib stream.") from exc
        self._rest = self._inflater.unconsumed_tail or next(self._pieces, b"")
        self._inflated_bytes += len(out)
        self._spent_s += time.thread_time() - began_at
        if not self._is_steady and self._spent_s > self._patience_s():
            self._begin_again()
        return out

    def _patience_s(self) -> float:
        return _PATIENCE_S + self._inflated_bytes * _PATIENCE_S_A_BYTE

    def _begin_again(self) -> None:
        """Continue with the library of linear time, which must inflate all bytes so far again."""
        known_bytes, self._inflated_bytes, self._is_steady = self._inflated_bytes, 0, True
        self._inflater = zlibs.steady_decompressor()
        self._pieces = self._all_pieces()
        self._rest = next(self._pieces, b"")
        while (left := known_bytes - self._inflated_bytes) > 0:
            if not self._inflate(min(_PIECE_BYTES, left)):
                return


def _pieces(view: memoryview, parts: tuple[slice, ...], most: int) -> Iterator[memoryview]:
    for part in parts:
        for start in range(part.start, part.stop, most):
            yield view[start : min(start + most, part.stop)]


def _window_bits(view: memoryview, info: PngInfo) -> int:
    """The base-2 logarithm of the window size in the zlib header (RFC 1950, section 2.2)."""
    first = next(part.start for part in info.pixel_data if part.stop > part.start)
    return int(view[first] >> 4) + 8


def _strips(stream: _PixelStream, info: PngInfo, each: Pass) -> Iterator[tuple[int, Bytes]]:
    """Pairs (first row, unfiltered rows) that cover a pass; the rows are (n, row bytes) uint8."""
    row_bytes = info.row_bytes(each.width)
    strip_rows = min(each.height, max(1, _STRIP_BYTES // (1 + row_bytes)))
    filtered = np.empty((strip_rows, 1 + row_bytes), np.uint8)
    rows = np.zeros((strip_rows + 1, row_bytes), np.uint8)
    for top in range(0, each.height, strip_rows):
        count = min(strip_rows, each.height - top)
        if stream.has_narrow_window:
            for row in filtered[:count]:
                stream.read_into(row.data)
        else:
            stream.read_into(filtered[:count].data.cast("B"))
        # Filters work on whole bytes, whatever the depth (section 9.1).
        undo_filters(filtered[:count], rows[: count + 1], max(1, info.bits_per_pixel // 8))
        yield top, rows[1 : count + 1]
        rows[0] = rows[count]
