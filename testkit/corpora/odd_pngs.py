"""Odd PNGs as real programs write them, with unambiguous pixels.

    python -m testkit.corpora.odd_pngs OUTDIR

writes all of them and a manifest.json. Each has one peculiarity: bytes appended by mail gateways
and upload forms, metadata cut or edited without a new CRC, chunks repeated or moved by tools that
copy them, or palettes and transparency longer than allowed.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np

from testkit.corpora.png_cases import ACCEPT, REJECT, Case, write_cases
from testkit.png.pngs import (
    GRAY,
    GRAY_ALPHA,
    IEND,
    PALETTE,
    RGB,
    RGBA,
    SIGNATURE,
    Picture,
    chunk,
    idat,
    ihdr,
)

HEIGHT, WIDTH = 13, 21
DPI_300 = struct.pack(">IIB", 11811, 11811, 1)
DPI_72 = struct.pack(">IIB", 2835, 2835, 1)
#: Valid contents of the ancillary chunks of an RGB image.
CONTENTS = {
    b"tEXt": b"Software\0scanner",
    b"zTXt": b"Comment\0\0" + zlib.compress(b"a page"),
    b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>",
    b"iCCP": b"ICC Profile\0\0" + zlib.compress(bytes(132)),
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"sRGB": b"\0",
    b"pHYs": DPI_300,
    b"tIME": struct.pack(">HBBBBB", 2019, 5, 17, 10, 30, 0),
    b"eXIf": b"II*\0\x08\0\0\0\0\0\0\0\0\0",
    b"bKGD": struct.pack(">HHH", 255, 255, 255),
    b"sBIT": b"\x08\x08\x08",
    b"sPLT": b"few\0\x08" + bytes(6),
}


@cache
def cases() -> tuple[Case, ...]:
    """All odd PNGs; every call returns the same bytes."""
    return tuple(_all())


def _all() -> Iterator[Case]:
    yield from _after_the_end()
    yield from _wrong_checksums()
    yield from _physical_sizes()
    yield from _palettes()
    yield from _transparency()
    yield from _misplaced()
    yield from _many_and_large()
    yield from _behind_the_pixels()
    yield from _refused()


def _picture(color_type: int = RGB, bit_depth: int = 8, **how: bytes) -> Picture:
    channels = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}[color_type]
    samples = np.random.default_rng(7).integers(0, 1 << bit_depth, (HEIGHT, WIDTH, channels))
    if color_type == PALETTE and "palette" not in how:
        how["palette"] = bytes(i * 37 & 255 for i in range(3 << bit_depth))
    return Picture(samples, bit_depth, color_type, **how)  # type: ignore[arg-type]


def _png(
    picture: Picture | None = None,
    *,
    before: bytes = b"",
    behind: bytes = b"",
    after: bytes = b"",
    stream: bytes | None = None,
    split: int | None = None,
) -> bytes:
    """*before* comes before IDAT and after PLTE, *behind* after IDAT, *after* after IEND."""
    picture = picture or _picture()
    palette = chunk(b"PLTE", picture.palette) if picture.palette else b""
    pixels = idat(stream or zlib.compress(picture.filtered()), split=split)
    return SIGNATURE + picture.header + palette + before + pixels + behind + IEND + after


def _damaged(kind: bytes, contents: bytes) -> bytes:
    return chunk(kind, contents, crc=zlib.crc32(kind + contents) ^ 0xFF00)


def _after_the_end() -> Iterator[Case]:
    for name, tail in {
        "two zero bytes": b"\0\0",
        "a line end": b"\r\n",
        "an HTML page": b"\r\n<!DOCTYPE html><html></html>",
        "a second PNG": _png(_picture(GRAY)),
        "a sector of zero bytes": bytes(4096),
    }.items():
        yield Case(f"end_{name.replace(' ', '_')}", ACCEPT, f"{name} after IEND", _png(after=tail))


def _wrong_checksums() -> Iterator[Case]:
    for kind, contents in CONTENTS.items():
        name = kind.decode()
        data = _png(before=_damaged(kind, contents))
        yield Case(f"crc_{name}", ACCEPT, f"a wrong CRC in {name}", data)
    palette = _picture(PALETTE, 4)
    histogram = _damaged(b"hIST", struct.pack(">16H", *range(16)))
    yield Case("crc_hIST", ACCEPT, "a wrong CRC in hIST", _png(palette, before=histogram))
    alpha = _damaged(b"tRNS", bytes(16))
    yield Case("crc_tRNS", ACCEPT, "a wrong CRC in tRNS: opaque", _png(palette, before=alpha))
    suggestion = _damaged(b"PLTE", bytes(range(48)))
    yield Case(
        "crc_PLTE_rgb", ACCEPT, "a wrong CRC in an RGB image's PLTE", _png(before=suggestion)
    )


def _physical_sizes() -> Iterator[Case]:
    first, second = chunk(b"pHYs", DPI_300), chunk(b"pHYs", DPI_72)
    yield Case("phys_twice", ACCEPT, "two pHYs, the first counts", _png(before=first + second))
    damaged = _damaged(b"pHYs", DPI_72) + first
    yield Case("phys_second_sound", ACCEPT, "a damaged pHYs, a sound one", _png(before=damaged))
    yield Case("phys_late", ACCEPT, "pHYs after IDAT", _png(behind=first))
    yield Case("phys_short", ACCEPT, "pHYs of 8 bytes", _png(before=chunk(b"pHYs", DPI_300[:8])))
    yield Case(
        "phys_long", ACCEPT, "pHYs of 10 bytes", _png(before=chunk(b"pHYs", DPI_300 + b"\0"))
    )
    yield Case("phys_zero", ACCEPT, "pHYs of zeros", _png(before=chunk(b"pHYs", bytes(9))))


def _palettes() -> Iterator[Case]:
    palette = chunk(b"PLTE", bytes(range(48)))
    gray, with_alpha = _picture(GRAY), _picture(GRAY_ALPHA)
    yield Case("plte_gray", ACCEPT, "PLTE in a gray image", _png(gray, before=palette))
    yield Case(
        "plte_gray_alpha", ACCEPT, "PLTE in gray with alpha", _png(with_alpha, before=palette)
    )
    long = chunk(b"PLTE", bytes(771))
    yield Case("plte_long_rgb", ACCEPT, "PLTE of 257 entries in RGB", _png(before=long))
    odd = chunk(b"PLTE", bytes(49))
    yield Case("plte_odd_rgb", ACCEPT, "PLTE of 16 1/3 entries in RGB", _png(before=odd))
    yield Case("plte_twice_rgb", ACCEPT, "two PLTE in RGB", _png(before=palette * 2))
    yield Case("plte_late_rgb", ACCEPT, "PLTE after IDAT in RGB", _png(behind=palette))
    after_key = chunk(b"tRNS", bytes(6)) + palette
    yield Case("plte_after_trns_rgb", ACCEPT, "PLTE after tRNS in RGB", _png(before=after_key))
    full = _picture(PALETTE, 4, palette=bytes(i & 255 for i in range(768)))
    yield Case("plte_256_for_16", ACCEPT, "256 colours, 16 of them in reach", _png(full))


def _transparency() -> Iterator[Case]:
    few = _picture(PALETTE, 4)
    long = chunk(b"tRNS", bytes(range(256)))
    yield Case("trns_256_for_16", ACCEPT, "tRNS of 256 for 16 colours", _png(few, before=long))
    short = chunk(b"tRNS", b"\0\x40")
    yield Case("trns_twice", ACCEPT, "two tRNS, the first counts", _png(few, before=short + long))
    second = _damaged(b"tRNS", bytes(16)) + short
    yield Case("trns_second_sound", ACCEPT, "a damaged tRNS, a sound one", _png(few, before=second))
    yield Case("trns_late", ACCEPT, "tRNS after IDAT", _png(few, behind=short))
    early = SIGNATURE + few.header + short + _png(few)[33:]
    yield Case("trns_before_plte", ACCEPT, "tRNS before PLTE", early)
    yield Case("trns_empty", ACCEPT, "tRNS of no bytes", _png(few, before=chunk(b"tRNS")))
    key = chunk(b"tRNS", bytes(6))
    yield Case("trns_rgba", ACCEPT, "tRNS in RGBA", _png(_picture(RGBA), before=key))
    gray = chunk(b"tRNS", bytes(2))
    yield Case(
        "trns_gray_alpha", ACCEPT, "tRNS beside alpha", _png(_picture(GRAY_ALPHA), before=gray)
    )
    yield Case("trns_rgb_for_gray", ACCEPT, "tRNS of RGB in gray", _png(_picture(GRAY), before=key))


def _misplaced() -> Iterator[Case]:
    for kind in (b"iCCP", b"gAMA", b"bKGD", b"sPLT", b"sBIT"):
        name = kind.decode()
        data = _png(behind=chunk(kind, CONTENTS[kind]))
        yield Case(f"late_{name}", ACCEPT, f"{name} after IDAT", data)
    palette = chunk(b"PLTE", bytes(range(48)))
    gamma = chunk(b"gAMA", CONTENTS[b"gAMA"])
    yield Case("late_gAMA_plte", ACCEPT, "gAMA after PLTE", _png(before=palette + gamma))
    yield Case("twice_gAMA", ACCEPT, "two gAMA", _png(before=gamma * 2))
    profile = chunk(b"iCCP", CONTENTS[b"iCCP"])
    yield Case("twice_iCCP", ACCEPT, "two profiles", _png(before=profile * 2))
    unsound = chunk(b"iCCP", b"ICC Profile\0\0not deflated")
    yield Case("bad_iCCP", ACCEPT, "a profile that is none", _png(before=unsound))
    short = chunk(b"tIME", bytes(6))
    yield Case("short_tIME", ACCEPT, "tIME of 6 bytes", _png(before=short))
    private = chunk(b"vpAg", bytes(9)) + chunk(b"caNv", bytes(16))
    yield Case("private", ACCEPT, "chunks of ImageMagick", _png(before=private))


def _many_and_large() -> Iterator[Case]:
    packet = b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * (3 * 1024 * 1024)
    yield Case("xmp_3_mb", ACCEPT, "3 MB of XMP, padded", _png(before=chunk(b"iTXt", packet)))
    noise = np.random.default_rng(3).integers(0, 256, (859, 867, 1))
    page = Picture(noise, 8, GRAY)
    stored = zlib.compress(page.filtered(), 0)
    many = _png(page, stream=stored, split=100)
    yield Case("idat_7457", ACCEPT, "7,457 IDAT of 100 bytes", many)
    empty = chunk(b"IDAT")
    yield Case(
        "idat_empty", ACCEPT, "empty IDAT before and after", _png(before=empty, behind=empty)
    )
    texts = chunk(b"tEXt", b"Comment\0a") * 500
    yield Case("text_500", ACCEPT, "500 texts", _png(before=texts))


def _behind_the_pixels() -> Iterator[Case]:
    picture = _picture(GRAY)
    stream, rows = zlib.compress(picture.filtered()), picture.filtered()
    yield Case(
        "idat_tail", ACCEPT, "four bytes after Adler-32", _png(picture, stream=stream + b"\0" * 4)
    )
    more = zlib.compress(rows + rows[: WIDTH + 1])
    yield Case("idat_extra_row", ACCEPT, "a row too many", _png(picture, stream=more))
    part = zlib.compress(rows + b"\0")
    yield Case("idat_extra_byte", ACCEPT, "a byte too many", _png(picture, stream=part))
    second = idat(stream)
    yield Case("idat_second_stream", ACCEPT, "a second stream", _png(picture, behind=second))


def _refused() -> Iterator[Case]:
    apple = SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\x06") + _png()[8:]
    yield Case("cgbi", REJECT, "Apple's private variant", apple)
    stream = zlib.compress(_picture().filtered())
    yield Case("no_adler", REJECT, "no Adler-32", _png(stream=stream[:-4]))
    few = zlib.compress(_picture().filtered()[: -WIDTH * 3 - 1])
    yield Case("row_missing", REJECT, "a row too few", _png(stream=few))
    yield Case("narrow_window", REJECT, "distances over the window it declares", _narrow())
    lower = _png(before=chunk(b"tExt", b"a\0b"))
    yield Case("reserved_bit", REJECT, "a type with a small third letter", lower)


def _narrow() -> bytes:
    """A zlib stream that declares a window of 256 bytes but refers back 5,000."""
    noise = random.Random(5)
    row = bytes([0, *(noise.randrange(256) for _ in range(4999))])
    stream = zlib.compress(row * 3)
    flags = (31 - 0x08 * 256 % 31) % 31
    header = ihdr(4999, 3, 8, GRAY)
    return SIGNATURE + header + idat(bytes([0x08, flags]) + stream[2:]) + IEND


if __name__ == "__main__":
    write_cases(cases())
