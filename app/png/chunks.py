"""Read the sequence of chunks in a PNG, and check that each is complete.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import CorruptPngError, UnsupportedPngError
from .format import MAX_UINT31, SIGNATURE
from .zlibs import crc32

_LENGTH_TYPE: Final = struct.Struct(">I4s")
_CRC: Final = struct.Struct(">I")
_LENGTH_TYPE_CRC_BYTES: Final = _LENGTH_TYPE.size + _CRC.size


class Chunk(NamedTuple):
    """A chunk of a file; *is_sound* tells whether its CRC is valid."""

    type: bytes
    data: memoryview
    offset: int
    is_sound: bool

    @property
    def place(self) -> str:
        return f"{self.type.decode()} at offset {self.offset}"

    @property
    def start(self) -> int:
        """The offset of its data in the file."""
        return self.offset + _LENGTH_TYPE.size

    @property
    def end(self) -> int:
        """The offset of the next chunk."""
        return self.offset + _LENGTH_TYPE_CRC_BYTES + len(self.data)


def chunks_of(view: memoryview, max_chunks: int) -> Iterator[Chunk]:
    """The chunks up to IEND, each complete.

    Raises:
        CorruptPngError: the file breaks off, or a chunk type is invalid.
        UnsupportedPngError: the file has more than *max_chunks* chunks.
    """
    offset, checked = len(SIGNATURE), set[bytes]()
    for _ in range(max_chunks):
        end = _end_of_chunk(view, offset)
        kind = bytes(view[offset + 4 : offset + 8])
        if kind not in checked:
            _check_type(kind, offset)
            checked.add(kind)
        is_sound = crc32(view[offset + 4 : end]) == _CRC.unpack_from(view, end)[0]  # section 5.5
        yield Chunk(kind, view[offset + 8 : end], offset, is_sound)
        if kind == b"IEND":
            return
        offset = end + _CRC.size
    raise UnsupportedPngError(f"The file has more than {max_chunks} chunks.", limit=max_chunks)


def _end_of_chunk(view: memoryview, offset: int) -> int:
    """The offset at which the data of a chunk ends and its CRC begins (section 5.3)."""
    left = len(view) - offset - _LENGTH_TYPE_CRC_BYTES
    if left < 0:
        raise CorruptPngError(f"The file breaks off at offset {offset}, before IEND.")
    length, kind = _LENGTH_TYPE.unpack_from(view, offset)
    # Never trust the length: decoders that do allocate gigabytes for a 65-byte file.
    if length > left or length > MAX_UINT31:
        _check_type(kind, offset)
        raise CorruptPngError(
            f"Chunk {kind.decode()} at offset {offset} claims {length} bytes; {left} are left."
        )
    return int(offset + _LENGTH_TYPE.size + length)


def _check_type(kind: bytes, offset: int) -> None:
    """Raise CorruptPngError unless *kind* is ASCII letters (5.3), the third upper-case (5.4)."""
    if not kind.isalpha() or not kind[2:3].isupper():
        raise CorruptPngError(
            f"The chunk type at offset {offset} is not four letters with a capital third."
        )
