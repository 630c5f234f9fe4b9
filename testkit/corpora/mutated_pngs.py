"""Damage PNGs chunk by chunk; the same number gives the same damage.

A file with a random flipped byte fails at the first CRC. These mutations know the chunks, lengths,
checksums, palettes and the zlib stream. They correct the checksums of the bytes that they change,
or damage only the checksums. A file may have several mutations.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from testkit.corpora.odd_pngs import CONTENTS
from testkit.png.pngs import SIGNATURE

#: Larger originals would take most of the time and reveal no further fault.
MAX_BYTES = 8192
_MOST_MUTATIONS = 3


@dataclass(frozen=True)
class Part:
    """A chunk as written; its length and CRC may be wrong."""

    kind: bytes
    data: bytes
    length: int | None = None
    crc: int | None = None

    def pack(self) -> bytes:
        length = len(self.data) if self.length is None else self.length
        crc = zlib.crc32(self.kind + self.data) if self.crc is None else self.crc
        return struct.pack(">I", length) + self.kind + self.data + struct.pack(">I", crc)


Parts = list[Part]
Mutation = Callable[[Parts, random.Random], None]


def mutated(originals: Sequence[bytes], count: int, first: int = 0) -> Iterator[bytes]:
    """*count* damaged files, numbered from *first*; the number determines the damage."""
    for number in range(first, first + count):
        chance = random.Random(number)
        yield _mutate(chance.choice(originals), chance)


def fit(data: bytes) -> bool:
    """Whether *data* can be mutated: it is short and has a first chunk."""
    return len(data) <= MAX_BYTES and data.startswith(SIGNATURE) and len(parts_of(data)) >= 3


def parts_of(data: bytes) -> Parts:
    """The chunks of *data*, up to the first invalid length."""
    parts, offset = [], len(SIGNATURE)
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        end = offset + 8 + length
        if end + 4 > len(data):
            break
        (crc,) = struct.unpack_from(">I", data, end)
        kind, contents = data[offset + 4 : offset + 8], data[offset + 8 : end]
        is_sound = crc == zlib.crc32(kind + contents)
        parts.append(Part(kind, contents, crc=None if is_sound else crc))
        offset = end + 4
    return parts


def _mutate(original: bytes, chance: random.Random) -> bytes:
    parts = parts_of(original)
    for _ in range(chance.randint(1, _MOST_MUTATIONS)):
        if parts:
            chance.choice(_MUTATIONS)(parts, chance)
    data = SIGNATURE + b"".join(part.pack() for part in parts)
    return chance.choice(_TAILS)(data, chance)


# --- of chunks -------------------------------------------------------------------


def _delete(parts: Parts, chance: random.Random) -> None:
    del parts[chance.randrange(len(parts))]


def _duplicate(parts: Parts, chance: random.Random) -> None:
    parts.insert(chance.randint(0, len(parts)), chance.choice(parts))


def _move(parts: Parts, chance: random.Random) -> None:
    part = parts.pop(chance.randrange(len(parts)))
    parts.insert(chance.randint(0, len(parts)), part)


def _insert(parts: Parts, chance: random.Random) -> None:
    kind = chance.choice([*CONTENTS, b"PLTE", b"tRNS", b"hIST", b"abCd", b"ABCD", b"prVt"])
    data = CONTENTS.get(kind, chance.randbytes(chance.choice([0, 1, 2, 3, 6, 48, 256, 768])))
    # Mostly after IHDR: any chunk before it is refused.
    parts.insert(chance.randint(min(1, len(parts)), len(parts)), Part(kind, data))


def _wrong_crc(parts: Parts, chance: random.Random) -> None:
    where = chance.randrange(len(parts))
    parts[where] = replace(parts[where], crc=chance.getrandbits(32))


def _wrong_crc_of_ancillary(parts: Parts, chance: random.Random) -> None:
    places = [i for i, part in enumerate(parts) if part.kind[:1].islower()]
    if places:
        where = chance.choice(places)
        parts[where] = replace(parts[where], crc=chance.getrandbits(32))


def _wrong_length(parts: Parts, chance: random.Random) -> None:
    where = chance.randrange(len(parts))
    true = len(parts[where].data)
    lie = chance.choice([0, true + 1, max(0, true - 1), true + 12, 1 << 31, 0xFFFFFFFF])
    parts[where] = replace(parts[where], length=lie)


def _rename(parts: Parts, chance: random.Random) -> None:
    where = chance.randrange(len(parts))
    kind = bytearray(parts[where].kind)
    kind[chance.randrange(4)] ^= 0x20
    parts[where] = replace(parts[where], kind=bytes(kind))


def _resize(parts: Parts, chance: random.Random) -> None:
    """Make the contents longer or shorter, with a correct CRC."""
    where = chance.randrange(len(parts))
    data = parts[where].data
    cut = data[: chance.randint(0, len(data))]
    longer = data + chance.randbytes(chance.choice([1, 2, 3, 9, 300]))
    parts[where] = replace(parts[where], data=chance.choice([cut, longer]))


def _flip(parts: Parts, chance: random.Random) -> None:
    """Change a byte of the contents, with a correct CRC."""
    places = [i for i, part in enumerate(parts) if part.data]
    if places:
        where = chance.choice(places)
        data = bytearray(parts[where].data)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        parts[where] = replace(parts[where], data=bytes(data))


# --- of headers, palettes and transparency ------------------------------------------


def _other_header(parts: Parts, chance: random.Random) -> None:
    for where, part in enumerate(parts):
        if part.kind == b"IHDR" and len(part.data) == 13:
            data = bytearray(part.data)
            field = chance.choice([3, 7, 8, 9, 10, 11, 12])
            data[field] = chance.choice([0, 1, 2, 3, 4, 6, 8, 16, data[field] ^ 1])
            parts[where] = replace(part, data=bytes(data))


def _other_palette(parts: Parts, chance: random.Random) -> None:
    _replace_or_insert(parts, b"PLTE", chance.randbytes(3 * chance.choice([0, 1, 2, 16, 17, 256])))


def _other_transparency(parts: Parts, chance: random.Random) -> None:
    size = chance.choice([0, 1, 2, 2, 3, 6, 6, 16, 17, 256, 257])
    _replace_or_insert(parts, b"tRNS", chance.randbytes(size))


def _replace_or_insert(parts: Parts, kind: bytes, data: bytes) -> None:
    places = [i for i, part in enumerate(parts) if part.kind == kind]
    first_idat = next((i for i, part in enumerate(parts) if part.kind == b"IDAT"), len(parts))
    if places:
        parts[places[0]] = Part(kind, data)
    else:
        parts.insert(first_idat, Part(kind, data))


# --- of the pixel data ---------------------------------------------------------------


def _restream(parts: Parts, change: Callable[[bytes], bytes], pieces: int = 1) -> None:
    """Put the changed zlib stream into *pieces* IDAT chunks where the first one was."""
    places = [i for i, part in enumerate(parts) if part.kind == b"IDAT"]
    if not places:
        return
    stream = change(b"".join(parts[i].data for i in places))
    for where in reversed(places):
        del parts[where]
    step = max(1, -(-len(stream) // pieces))
    new = [Part(b"IDAT", stream[i : i + step]) for i in range(0, max(1, len(stream)), step)]
    parts[places[0] : places[0]] = new


def _split(parts: Parts, chance: random.Random) -> None:
    _restream(parts, lambda stream: stream, chance.choice([1, 2, 3, 50]))


def _more_stream(parts: Parts, chance: random.Random) -> None:
    tail = chance.randbytes(chance.choice([1, 2, 4, 100]))
    _restream(parts, lambda stream: stream + tail, chance.choice([1, 2, 5]))


def _less_stream(parts: Parts, chance: random.Random) -> None:
    cut = chance.choice([1, 2, 4, 5, 6, 20])
    _restream(parts, lambda stream: stream[: max(0, len(stream) - cut)])


def _other_rows(parts: Parts, chance: random.Random) -> None:
    """Add, remove or change row bytes, in a valid stream."""
    extra = chance.randbytes(chance.choice([0, 0, 1, 40, 1000]))
    cut, level = chance.choice([0, 0, 0, 1, 33]), chance.choice([0, 1, 6, 9])

    def change(stream: bytes) -> bytes:
        try:
            rows = bytearray(zlib.decompress(stream))
        except zlib.error:
            return stream
        if rows and chance.random() < 0.5:
            rows[chance.randrange(len(rows))] ^= 1 << chance.randrange(8)
        return zlib.compress(bytes(rows[: len(rows) - cut]) + extra, level)

    _restream(parts, change, chance.choice([1, 1, 3]))


def _other_window(parts: Parts, chance: random.Random) -> None:
    """Change the window size in the zlib header, with or without correct check bits."""
    size, is_right = chance.randrange(16), chance.random() < 0.9

    def change(stream: bytes) -> bytes:
        if len(stream) < 2:
            return stream
        first, second = size << 4 | 8, stream[1] & 0xE0
        if is_right:
            second |= (31 - (first << 8 | second) % 31) % 31
        return bytes([first, second]) + stream[2:]

    _restream(parts, change)


def _flip_stream(parts: Parts, chance: random.Random) -> None:
    def change(stream: bytes) -> bytes:
        data = bytearray(stream or b"\0")
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data)

    _restream(parts, change)


_MUTATIONS: Sequence[Mutation] = (
    _delete, _duplicate, _move, _insert, _insert, _wrong_crc, _wrong_crc_of_ancillary,
    _wrong_length, _rename, _resize, _flip, _other_header, _other_palette, _other_transparency,
    _other_transparency, _split, _more_stream, _less_stream, _other_rows, _other_window,
    _flip_stream,
)  # fmt: skip


# --- of the whole file -----------------------------------------------------------------


def _as_it_is(data: bytes, _: random.Random) -> bytes:
    return data


def _with_tail(data: bytes, chance: random.Random) -> bytes:
    return data + chance.randbytes(chance.choice([1, 2, 13, 500]))


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def _flipped(data: bytes, chance: random.Random) -> bytes:
    where = chance.randrange(len(data))
    return data[:where] + bytes([data[where] ^ 1 << chance.randrange(8)]) + data[where + 1 :]


_TAILS: Sequence[Callable[[bytes, random.Random], bytes]] = (
    *[_as_it_is] * 7, _with_tail, _cut, _flipped,
)  # fmt: skip
