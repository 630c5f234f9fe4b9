"""Make PNGs that are valid except for what the arguments change, and damage them."""

from __future__ import annotations

import random
import struct
import zlib

from testkit.png.pngs import CHANNELS, IEND, PALETTE, RGB, SIGNATURE, chunk, idat, ihdr

MIB = 1 << 20


def row_bytes(width, bit_depth, color_type):
    return (width * bit_depth * CHANNELS[color_type] + 7) // 8


def plain_rows(width, height, bit_depth, color_type, noise=None):
    """Rows without filters: noise, or a pattern that stays within a palette."""
    noise = noise or random.Random(1)
    size = row_bytes(width, bit_depth, color_type)
    out = bytearray()
    for y in range(height):
        out.append(0)
        if color_type == PALETTE:
            out += bytes((x * 7 + y * 13) % 256 if bit_depth == 8 else 0 for x in range(size))
        else:
            out += bytes(noise.randrange(256) for _ in range(size))
    return bytes(out)


_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def interlaced_rows(width, height, bit_depth, color_type):
    """The seven passes, all noise; a palette of 2^bit_depth entries has every index."""
    noise = random.Random(1)
    out = bytearray()
    for x, y, dx, dy in _ADAM7:
        columns, rows = len(range(x, width, dx)), len(range(y, height, dy))
        for _ in range(rows if columns else 0):
            size = row_bytes(columns, bit_depth, color_type)
            out += bytes([0, *(noise.randrange(256) for _ in range(size))])
    return bytes(out)


def palette(entries):
    return chunk(b"PLTE", bytes(i * 37 & 255 for i in range(3 * entries)))


def png(
    width=33,
    height=17,
    bit_depth=8,
    color_type=RGB,
    *,
    interlace=0,
    before=b"",
    after=b"",
    stream=None,
    rows=None,
    level=6,
    split=None,
):
    """A PNG that is valid except for what the arguments change."""
    if rows is None:
        make = interlaced_rows if interlace else plain_rows
        rows = make(width, height, bit_depth, color_type)
    if stream is None:
        stream = zlib.compress(rows, level)
    colours = b""
    if color_type == PALETTE and b"PLTE" not in before:
        colours = palette(1 << bit_depth)
    head = SIGNATURE + ihdr(width, height, bit_depth, color_type, interlace=interlace)
    return head + colours + before + idat(stream, split=split) + IEND + after


def zeros(size):
    """A zlib stream of *size* zero bytes, at 1000 to 1."""
    compressor = zlib.compressobj(9)
    block = bytes(MIB)
    parts = [compressor.compress(block[: min(MIB, size - i)]) for i in range(0, size, MIB)]
    return b"".join(parts) + compressor.flush()


def black(width, height, bit_depth, color_type):
    """A valid black picture of any size."""
    stream = zeros(height * (1 + row_bytes(width, bit_depth, color_type)))
    return SIGNATURE + ihdr(width, height, bit_depth, color_type) + chunk(b"IDAT", stream) + IEND


def apng(pixels, stream, *, frames=2, second=None):
    head = SIGNATURE + ihdr(33, 17) + chunk(b"acTL", struct.pack(">II", frames, 0))
    last = chunk(b"fdAT", struct.pack(">I", 2) + stream)
    return head + frame(0) + pixels + (second or frame(1)) + last + IEND


def frame(sequence, width=33, height=17, x=0):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, width, height, x, 0, 1, 10, 0, 0))


def with_wrong_crc(png, kind):
    """*png* with the CRC of its first chunk of this type inverted in the first byte."""
    start = png.index(kind) - 4
    (length,) = struct.unpack_from(">I", png, start)
    return xor(png, start + 8 + length, 0xFF)


def xor(data, offset, mask):
    return data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1 :]
