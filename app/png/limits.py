"""The limits of a PNG, checked before any pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from ..errors import CorruptPngError, TooManyPixelsError, UnsupportedPngError
from .format import PngInfo

#: The maximum that deflate expands one byte to: 258 bytes per two-bit match (RFC 1951, 3.2.5).
_MAX_DEFLATE_RATIO: Final = 1032
#: Pixel data that is stored, or flushed after each row, takes less than twice its inflated size.
#: But deflate allows empty blocks: 32 MiB of empty blocks take ISA-L 11 s for a single pixel.
_MAX_INFLATED_RATIO: Final = 2
_MAX_DEFLATE_SLACK_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class PngLimits:
    """The limits of a file, checked before any pixel is decoded."""

    max_bytes: int = 32 * 1024 * 1024
    #: A4 at 600 dpi is 34.8 million.
    max_pixels: int = 40_000_000
    max_side: int = 20_000
    #: A file of 32 MiB in chunks of 2 KiB. Checking a chunk takes about 2 us, so these take 30 ms;
    #: 700,000 empty chunks would take 1.3 s.
    max_chunks: int = 16 * 1024


def check_size(header: PngInfo, limits: PngLimits) -> None:
    """Raise TooManyPixelsError if the size in *header* is over *limits*."""
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


def check_pixel_data(data: bytes, info: PngInfo) -> None:
    """Check the zlib header and the size of the pixel data (section 10.1), without inflating.

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
