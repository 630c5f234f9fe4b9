"""Read the orientation of a page from EXIF, the only EXIF entry used here.

The chunk eXIf (PNG, third edition, section 11.3.3.1) holds a TIFF file (TIFF 6.0, section 2) whose
first directory may have the tag Orientation (EXIF 2.32, section 4.6.4).
"""

from __future__ import annotations

import struct
from itertools import islice
from typing import Final, Literal

UPRIGHT: Final = 1
Turn = Literal[0, 90, 180, 270]
#: Degrees clockwise that turn each orientation upright. Orientations 2, 4, 5 and 7 must be mirrored
#: left to right first.
TURNS: Final[dict[int, Turn]] = {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_HEADER_BYTES: Final = 8
#: Cameras and scanners write directories of 10 to 60 entries.
_MAX_ENTRIES: Final = 1024


def orientation_of(exif: bytes | memoryview) -> int:
    """The orientation of the stored page, 1 to 8; 1, upright, if *exif* has no valid one.

    As in Chromium, the first entry with one value of type SHORT from 1 to 8 counts.
    """
    order = _BYTE_ORDERS.get(bytes(exif[:4]))
    if order is None or len(exif) < _TIFF_HEADER_BYTES:
        return UPRIGHT
    (start,) = struct.unpack_from(order + "I", exif, 4)
    if start < _TIFF_HEADER_BYTES or start + 2 > len(exif):
        return UPRIGHT
    (count,) = struct.unpack_from(order + "H", exif, start)
    entry = struct.Struct(order + "HHIH2x")
    entries = memoryview(exif)[start + 2 :]
    whole = len(entries) // entry.size * entry.size
    found = islice(entry.iter_unpack(entries[:whole]), min(count, _MAX_ENTRIES))
    return next((value for *kind, value in found if _is_orientation(kind, value)), UPRIGHT)


def _is_orientation(kind: list[int], value: int) -> bool:
    return kind == [_ORIENTATION, _SHORT, 1] and value in TURNS
