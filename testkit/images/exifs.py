"""Write EXIF, valid and invalid; shares no code with `app`."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from testkit.png.pngs import chunk

ORIENTATION, SHORT = 0x112, 3
Entry = tuple[int, int, int, int]


def tiff(
    entries: Sequence[Entry], *, order: str = "<", magic: int = 42, start: int = 8, count: int = -1
) -> bytes:
    """A TIFF file with one directory of *entries*: tag, type, count, value.

    *start* is the offset that the header claims for the directory, *count* the claimed number of
    entries.
    """
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", magic, start)
    out = head + bytes(max(0, min(start, 100_000) - 8))
    out += struct.pack(order + "H", len(entries) if count < 0 else count)
    for tag, kind, values, value in entries:
        out += struct.pack(order + "HHI", tag, kind, values)
        out += {1: struct.pack("B3x", value), 3: struct.pack(order + "H2x", value)}.get(
            kind, struct.pack(order + "I", value)
        )
    return out + bytes(4)


def oriented(value: int, order: str = "<") -> bytes:
    return tiff([(ORIENTATION, SHORT, 1, value)], order=order)


def exif(data: bytes, **how: int) -> bytes:
    return chunk(b"eXIf", data, **how)


SIX, THREE = oriented(6), oriented(3)
#: Contents of an eXIf chunk, and the orientation at which Chromium 156 shows the image.
CONTENTS: dict[str, tuple[bytes, int]] = {
    **{f"orientation {n}": (oriented(n), n if 1 <= n <= 8 else 1) for n in range(10)},
    "the other byte order": (oriented(6, ">"), 6),
    "unsorted": (tiff([(0x11A, 4, 1, 9), (ORIENTATION, SHORT, 1, 6)]), 6),
    "the 301st entry": (tiff([(0x100, 3, 1, 1)] * 300 + [(ORIENTATION, SHORT, 1, 6)]), 6),
    "twice": (tiff([(ORIENTATION, SHORT, 1, 6), (ORIENTATION, SHORT, 1, 3)]), 6),
    "twice, the first wrong": (tiff([(ORIENTATION, SHORT, 1, 9), (ORIENTATION, SHORT, 1, 3)]), 3),
    "further back": (tiff([(ORIENTATION, SHORT, 1, 6)], start=70_000), 6),
    "at an odd place": (tiff([(ORIENTATION, SHORT, 1, 6)], start=9), 6),
    "more entries claimed": (tiff([(ORIENTATION, SHORT, 1, 6)], count=50), 6),
    "no next directory": (SIX[:-4], 6),
    "no entry": (tiff([]), 1),
    "a byte": (tiff([(ORIENTATION, 1, 1, 6)]), 1),
    "a long": (tiff([(ORIENTATION, 4, 1, 6)]), 1),
    "two values": (tiff([(ORIENTATION, SHORT, 2, 6)]), 1),
    "no value": (tiff([(ORIENTATION, SHORT, 0, 6)]), 1),
    "the prefix of JPEG": (b"Exif\0\0" + SIX, 1),
    "another magic number": (tiff([(ORIENTATION, SHORT, 1, 6)], magic=43), 1),
    "two byte orders": (b"II\0*" + SIX[4:], 1),
    "the directory in the header": (tiff([(ORIENTATION, SHORT, 1, 6)], start=0), 1),
    "the directory behind the end": (tiff([(ORIENTATION, SHORT, 1, 6)], start=0xFFFFFFF0), 1),
    "cut in the entry": (SIX[:-6], 1),
    "cut in the header": (SIX[:6], 1),
    "nothing but the byte order": (SIX[:4], 1),
    "in the second directory": (tiff([])[:10] + struct.pack("<I", 14) + SIX[8:], 1),
}
#: Chunks before and after the pixels, and the orientation at which Chromium 156 shows the image.
PLACES: dict[str, tuple[bytes, bytes, int]] = {
    "before": (exif(SIX), b"", 6),
    "after": (b"", exif(SIX), 1),
    "before and after": (exif(SIX), exif(THREE), 6),
    "two": (exif(SIX) + exif(THREE), b"", 6),
    "the first has a wrong CRC": (exif(SIX, crc=1) + exif(THREE), b"", 3),
    "the first says nothing": (exif(tiff([])) + exif(THREE), b"", 1),
    "a wrong CRC": (exif(SIX, crc=1), b"", 1),
    "as text": (
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 26\n" + SIX.hex().encode()),
        b"",
        1,
    ),
}
