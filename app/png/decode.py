"""Turn the pixel data of an inspected PNG into gray values, a strip of rows at a time.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). What the header promises bounds everything: the pixel data is
inflated to that size, into strips that stay in the processor's cache, and at most to twice that
size to find the checksum, so the cost is one byte of memory a pixel, two where there is
transparency, and a time that the number of pixels limits.
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
from . import zlibs as fast_zlib
from .filters import undo_filters
from .format import CHANNELS, Pass, PngInfo
from .pixels import Pixels, color_channels, pixel_rule

Bytes = NDArray[np.uint8]
#: How many bits 16-bit samples may be found to have.
_FEW_BITS: Final = (8, 10, 12, 14)
#: In smaller images the greatest sample says nothing: icons, not pages.
_LEAST_PIXELS: Final = 1000
#: Rows of one strip, filtered and restored, fit the second-level cache together.
_STRIP_BYTES: Final = 256 * 1024
#: The unread rest of a piece is copied each time the output is full, so pieces are small.
_PIECE_BYTES: Final = 64 * 1024
#: What may lie behind the pixels, beside as many bytes as they take themselves: a few rows more
#: are read to find the checksum behind them, a bomb is not.
_MAX_EXTRA_BYTES: Final = 64 * 1024
_MAX_WINDOW_BYTES: Final = 32 * 1024
#: Where a stream reaches back further than its own header says, zlib finds out only if the bytes
#: are no longer in its output. We read such streams in the pieces in which libpng reads them, a
#: row and at most 8 KiB of one IDAT (PNG_IDAT_READ_SIZE), and so refuse what it refuses.
_LIBPNG_PIECE_BYTES: Final = 8 * 1024
#: CPU time that inflating may take before it begins again with the steady library: ISA-L needs 2 to
#: 4 ns a byte of noisy pages, on a slow machine twice as much.
_PATIENCE_S: Final = 0.1
_PATIENCE_S_A_BYTE: Final = 10e-9


@dataclass(frozen=True)
class Decoded:
    """A page on white: gray, 0 black to 255 white; None is opacity of 255, and chroma of 0.

    All are (H, W) uint8.
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
    """Decode to gray; *info* is what `inspect` said of *data*.

    *on_ignored* is told, in a few words each, what lies behind the pixels inside IDAT.

    The rules, in this order, all in whole numbers:

    1. 1, 2 and 4-bit gray v becomes v * 255 / (2^depth - 1), which is exact.
    2. Of 16-bit samples the high byte counts (section 13.12). But where no gray or colour sample of
       an image of 1,000 pixels or more reaches 2^14, as in raw data of scanners, they have 8, 10,
       12 or 14 bits, the fewest that hold the greatest of them, and the highest 8 of these count.
    3. A palette index past the end of PLTE is black, as in libpng.
    4. Gray is (9798 R + 19235 G + 3735 B + 16384) >> 15, the luma of ITU-R BT.601.
    5. Alpha a over white: (gray * a + 255 * (255 - a) + 127) // 255. A pixel that equals the tRNS
       colour at full depth is white.

    6. Chroma, where asked for, is the largest minus the smallest of R, G and B, times a.

    Gamma and colour profiles are ignored. `light_ink`, `color` and `turning` have the rules for
    light ink on transparency, for ink in colour and for pages that lie on their side.

    Raises:
        CorruptPngError: the pixel data is damaged, or less than the header promises.
        UnsupportedPngError: the pixel data is several times what the header promises.
    """
    stream, page = _PixelStream(data, info), _Planes(info)
    rule = pixel_rule(info, _sample_bits(data, info), with_chroma=with_chroma)
    for each in info.passes:
        for top, rows in _strips(stream, info, each):
            page.put(_places(each, top, len(rows)), rule(rows, each.width))
    for ignored in stream.finish():
        if on_ignored:
            on_ignored(ignored)
    return Decoded(page.gray, page.alpha, page.chroma)


class _Planes:
    """A page in the making; what is not plain is kept from where it is first met."""

    def __init__(self, info: PngInfo) -> None:
        self.gray: Bytes = np.empty((info.height, info.width), np.uint8)
        self.alpha: Bytes | None = None
        self.chroma: Bytes | None = None

    def put(self, at: tuple[slice, slice], pixels: Pixels) -> None:
        """Keep *pixels*, whose places in the image are *at*."""
        self.gray[at] = pixels.gray
        if pixels.alpha is not None:
            self.alpha = np.full_like(self.gray, 255) if self.alpha is None else self.alpha
            self.alpha[at] = pixels.alpha
        if pixels.chroma is not None:
            self.chroma = np.zeros_like(self.gray) if self.chroma is None else self.chroma
            self.chroma[at] = pixels.chroma


def _sample_bits(data: bytes, info: PngInfo) -> int:
    """How many bits the samples use; of ordinary 16-bit images this reads one strip."""
    if info.bit_depth < 16 or info.pixels < _LEAST_PIXELS:
        return info.bit_depth
    stream, greatest = _PixelStream(data, info), 0
    for each in info.passes:
        for _, rows in _strips(stream, info, each):
            samples = rows.view(">u2").reshape(-1, CHANNELS[info.color_type])
            greatest = max(greatest, int(samples[:, : color_channels(info)].max()))
            if greatest >> _FEW_BITS[-1]:
                return 16
    return next(bits for bits in _FEW_BITS if not greatest >> bits)


def _places(each: Pass, top: int, count: int) -> tuple[slice, slice]:
    """Where in the image the pixels of *count* rows of a pass belong, from its row *top* on."""
    first = each.y + top * each.dy
    return slice(first, first + count * each.dy, each.dy), slice(each.x, None, each.dx)


class _PixelStream:
    """What the IDAT chunks inflate to, in order and only as much as is asked for (section 10.1)."""

    def __init__(self, data: bytes, info: PngInfo) -> None:
        self._promised_bytes = info.inflated_bytes
        view = memoryview(data)
        window_bits = _window_bits(view, info)
        #: Whether distances can reach back further than the window that the stream declares.
        self.has_narrow_window = self._promised_bytes > 1 << window_bits < _MAX_WINDOW_BYTES
        piece_bytes = _LIBPNG_PIECE_BYTES if self.has_narrow_window else _PIECE_BYTES
        self._all_pieces = partial(_pieces, view, info.pixel_data, piece_bytes)
        self._pieces = self._all_pieces()
        self._inflater = self._inflater_for(info, window_bits)
        self._rest: bytes | memoryview = b""
        self._inflated_bytes, self._spent_s = 0, 0.0
        self._is_steady = fast_zlib.is_steady(self._inflater)

    def _inflater_for(self, info: PngInfo, window_bits: int) -> Any:
        if self.has_narrow_window:
            return fast_zlib.narrow_decompressor(window_bits)
        deflated_bytes = sum(part.stop - part.start for part in info.pixel_data)
        return fast_zlib.decompressor(ratio=self._promised_bytes / max(1, deflated_bytes))

    def read_into(self, target: memoryview) -> None:
        """Fill *target*. Raises CorruptPngError if the stream is damaged or ends before."""
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
        """Read on to the end of the stream; yield what is there that the header does not promise.

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
        """Some bytes, at most *most*; none at the end of the stream or of the file."""
        while not self._inflater.eof:
            out = self._inflate_piece(most)
            if out or not self._rest:
                return out
        return b""

    def _inflate_piece(self, most: int) -> bytes:
        """What the next piece inflates to, at most *most* bytes; it may be none."""
        began_at = time.thread_time()
        try:
            out: bytes = self._inflater.decompress(self._rest, most)
        except fast_zlib.ERRORS as exc:
            raise CorruptPngError("The pixel data is not a sound zlib stream.") from exc
        self._rest = self._inflater.unconsumed_tail or next(self._pieces, b"")
        self._inflated_bytes += len(out)
        self._spent_s += time.thread_time() - began_at
        if not self._is_steady and self._spent_s > self._patience_s():
            self._begin_again()
        return out

    def _patience_s(self) -> float:
        return _PATIENCE_S + self._inflated_bytes * _PATIENCE_S_A_BYTE

    def _begin_again(self) -> None:
        """Go on with the steady library, from where we are: it has to inflate what went before."""
        known_bytes, self._inflated_bytes, self._is_steady = self._inflated_bytes, 0, True
        self._inflater = fast_zlib.steady_decompressor()
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
    """The logarithm of the window that the zlib header declares (RFC 1950, section 2.2)."""
    first = next(part.start for part in info.pixel_data if part.stop > part.start)
    return int(view[first] >> 4) + 8


def _strips(stream: _PixelStream, info: PngInfo, each: Pass) -> Iterator[tuple[int, Bytes]]:
    """Yield (first row, rows without filters) for the rows of a pass, (n, row bytes) uint8."""
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
