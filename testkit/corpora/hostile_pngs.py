"""Hostile and odd PNGs, built byte by byte: deterministic, without third-party data.

    python -m testkit.corpora.hostile_pngs OUTDIR [--big]

writes them all, and a manifest.json with the purpose of each.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache

from testkit.corpora import png_variants as make
from testkit.corpora.png_bombs import big_bombs, bombs
from testkit.corpora.png_cases import ACCEPT, EITHER, REJECT, Case, write_cases
from testkit.png.pngs import BIT_DEPTHS, GRAY, IEND, PALETTE, RGB, SIGNATURE, chunk, ihdr


@cache
def cases(*, big: bool = False) -> tuple[Case, ...]:
    """All hostile PNGs; *big* adds files of up to 10 MB that take seconds to make."""
    return *_all(), *(big_bombs() if big else ())


def _all() -> Iterator[Case]:
    yield from _every_form()
    yield from _sound()
    yield from _other_formats()
    yield from _wrong_checksums()
    yield from _broken_off()
    yield from _wrong_pixel_data()
    yield from _wrong_headers()
    yield from _wrong_structure()
    yield from _lying_lengths()
    yield from bombs()
    yield from _animations()
    yield from _polyglots()


def _every_form():
    for color_type, bit_depths in BIT_DEPTHS.items():
        for depth in bit_depths:
            for interlace, letter in enumerate("ni"):
                yield Case(
                    f"ok_ct{color_type}_d{depth}_{letter}",
                    ACCEPT,
                    "every colour type, bit depth and interlace method",
                    make.png(bit_depth=depth, color_type=color_type, interlace=interlace),
                )


def _sound():
    yield Case("ok_1x1", ACCEPT, "one pixel", make.png(1, 1))
    yield Case("ok_1x4000", ACCEPT, "tall, one pixel wide", make.png(1, 4000, 8, GRAY))
    yield Case("ok_4000x1", ACCEPT, "wide, one pixel tall", make.png(4000, 1, 8, GRAY))
    alpha = make.palette(256) + chunk(b"tRNS", bytes(range(256)))
    yield Case(
        "ok_pal_trns", ACCEPT, "palette with alpha", make.png(color_type=PALETTE, before=alpha)
    )
    key = chunk(b"tRNS", b"\0\x7f")
    yield Case("ok_gray_trns", ACCEPT, "a transparent gray", make.png(color_type=GRAY, before=key))
    key = chunk(b"tRNS", b"\0\1\0\2\0\3")
    yield Case("ok_rgb_trns", ACCEPT, "a transparent colour", make.png(before=key))
    yield Case("ok_idat_1byte", ACCEPT, "every IDAT holds one byte", make.png(split=1))
    yield Case("ok_stored", ACCEPT, "deflate stored blocks", make.png(level=0))
    yield Case(
        "ok_idat_empty", ACCEPT, "an empty IDAT comes first", make.png(before=chunk(b"IDAT"))
    )
    text = chunk(b"tEXt", b"Comment\0hello")
    text += chunk(b"zTXt", b"k\0\0" + zlib.compress(b"v" * 100))
    text += chunk(b"iTXt", b"k\0\0\0\0\0v")
    yield Case("ok_text", ACCEPT, "a little text of each kind", make.png(before=text))
    unknown = chunk(b"abCd", b"1234")
    yield Case(
        "ok_ancillary_unknown", ACCEPT, "an unknown ancillary chunk", make.png(before=unknown)
    )
    exif = chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
    yield Case(
        "ok_exif_orient6",
        ACCEPT,
        "orientation 6, which we ignore on purpose",
        make.png(before=exif),
    )


def _other_formats():
    yield Case("bad_empty", REJECT, "no bytes", b"")
    yield Case("bad_1byte", REJECT, "one byte", b"\x89")
    yield Case("bad_sig_only", REJECT, "the signature alone", SIGNATURE)
    mangled = make.png().replace(b"\r\n\x1a\n", b"\n\x1a\n", 1)
    yield Case("bad_sig_crlf", REJECT, "line ends translated", mangled)
    yield Case("bad_sig_first", REJECT, "first byte cut to 7 bits", b"\x09" + make.png()[1:])
    jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\0" * 64
    yield Case("bad_jpeg_as_png", REJECT, "JPEG", jpeg)
    gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
    yield Case("bad_gif_as_png", REJECT, "GIF", gif)
    bmp = struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    yield Case("bad_bmp_as_png", REJECT, "BMP, which OpenCV decodes", b"BM" + bmp + b"\1\2\3\0")
    pgm = b"P5\n2 2\n255\n\0\xff\0\xff"
    yield Case("bad_pgm_as_png", REJECT, "PGM, which OpenCV decodes", pgm)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    yield Case("bad_svg_as_png", REJECT, "SVG with a script", svg)
    html = b"<!doctype html><script>alert(1)</script>"
    yield Case("bad_html_as_png", REJECT, "HTML", html)
    yield Case("bad_pdf_as_png", REJECT, "PDF", b"%PDF-1.4\n%%EOF")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    yield Case("bad_eps_as_png", REJECT, "EPS, which Pillow gives to Ghostscript", eps)
    noise = random.Random(7)
    yield Case("bad_random", REJECT, "noise", bytes(noise.randrange(256) for _ in range(2048)))


def _wrong_checksums():
    png = make.png(before=chunk(b"tEXt", b"Comment\0x"))
    for kind in (b"IHDR", b"IDAT", b"IEND"):
        yield Case(
            f"crc_{kind.decode()}", REJECT, "wrong CRC, critical", make.with_wrong_crc(png, kind)
        )
    damaged = make.with_wrong_crc(png, b"tEXt")
    yield Case("crc_tEXt", ACCEPT, "wrong CRC, ancillary: text draws no pixel", damaged)
    damaged = make.with_wrong_crc(make.png(color_type=PALETTE), b"PLTE")
    yield Case("crc_PLTE", REJECT, "wrong CRC, critical", damaged)
    flipped = make.xor(png, png.index(b"IDAT") + 20, 1)
    yield Case("idat_bitflip", REJECT, "one bit of the pixel data flipped", flipped)
    stream = zlib.compress(make.plain_rows(33, 17, 8, RGB))[:-4] + bytes(4)
    yield Case("adler_bad", REJECT, "wrong Adler-32, right CRC", make.png(stream=stream))


def _broken_off():
    png = make.png(200, 200)
    for percent in (10, 25, 50, 75, 90, 99):
        cut = png[: len(png) * percent // 100]
        yield Case(f"trunc_{percent:02d}", REJECT, f"cut at {percent}%", cut)
    for missing in (1, 4, 8):
        yield Case(f"trunc_tail_{missing}", REJECT, "IEND cut short", png[:-missing])
    yield Case("trunc_tail_12", EITHER, "IEND missing", png[:-12])


def _wrong_pixel_data():
    stream = zlib.compress(make.plain_rows(200, 200, 8, RGB))
    half = make.png(200, 200, stream=stream[: len(stream) // 2])
    yield Case("idat_short_valid_crc", REJECT, "half the stream, all CRCs right", half)
    short = make.png(200, 200, rows=make.plain_rows(200, 100, 8, RGB))
    yield Case("idat_short_rows", REJECT, "a whole stream of half the rows", short)
    long = make.png(20, 20, rows=make.plain_rows(20, 40, 8, RGB))
    yield Case("idat_extra_rows", ACCEPT, "twice the rows: the header says how many", long)
    stream = zlib.compress(make.plain_rows(33, 17, 8, RGB)) + b"garbage" * 10
    yield Case("idat_garbage_tail", ACCEPT, "bytes after the stream", make.png(stream=stream))
    rows = b"\5\0\0\0\0" * 4
    yield Case("filter_5", REJECT, "filter type 5", make.png(4, 4, 8, GRAY, rows=rows))
    tail = zlib.compress(b"x")[2:]
    yield Case("zlib_fdict", REJECT, "a preset dictionary", make.png(stream=b"\x78\xbb" + tail))
    yield Case("zlib_method", REJECT, "compression method 9", make.png(stream=b"\x79\x9c" + tail))


def _wrong_headers():
    one_pixel = chunk(b"IDAT", zlib.compress(bytes(4))) + IEND
    for name, width, height in (
        ("w0", 0, 1),
        ("h0", 1, 0),
        ("w_max", 0x7FFFFFFF, 1),
        ("h_max", 1, 0x7FFFFFFF),
        ("wh_max", 0x7FFFFFFF, 0x7FFFFFFF),
        ("w_ffffffff", 0xFFFFFFFF, 1),
        ("w_2p20p1", (1 << 20) + 1, 1),
        ("lie_30000", 30000, 30000),
        ("lie_65500", 65500, 65500),
        ("lie_20k", 20000, 20000),
    ):
        lie = SIGNATURE + ihdr(width, height) + one_pixel
        yield Case(f"ihdr_{name}", REJECT, f"{width} x {height} pixels, in words only", lie)
    forty_zeros = chunk(b"IDAT", zlib.compress(bytes(40))) + IEND
    for name, fields in {
        "depth3": {"bit_depth": 3},
        "depth0": {"bit_depth": 0},
        "depth32": {"bit_depth": 32},
        "ct1": {"color_type": 1},
        "ct5": {"color_type": 5},
        "ct7": {"color_type": 7},
        "comp1": {"compression": 1},
        "flt1": {"filtering": 1},
        "inter2": {"interlace": 2},
        "rgb_d4": {"bit_depth": 4},
        "pal_d16": {"bit_depth": 16, "color_type": PALETTE},
    }.items():
        wrong = SIGNATURE + ihdr(2, 2, **fields) + forty_zeros
        yield Case(f"ihdr_{name}", REJECT, f"IHDR with {fields}", wrong)
    short = SIGNATURE + chunk(b"IHDR", bytes(12)) + IEND
    yield Case("ihdr_short", REJECT, "IHDR of 12 bytes", short)
    yield Case("ihdr_twice", REJECT, "a second IHDR", make.png(before=ihdr(33, 17)))
    yield Case("ihdr_missing", REJECT, "no IHDR", SIGNATURE + one_pixel)
    late = SIGNATURE + chunk(b"tEXt", b"a\0b") + make.png()[8:]
    yield Case("ihdr_second", REJECT, "text before IHDR", late)
    cgbi = SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\x06") + make.png()[8:]
    yield Case("cgbi", REJECT, "Apple's private variant", cgbi)


def _wrong_structure():
    yield Case("idat_missing", REJECT, "no pixel data", SIGNATURE + ihdr(2, 2) + IEND)
    palette_header = SIGNATURE + ihdr(2, 2, 8, PALETTE)
    pixels = chunk(b"IDAT", zlib.compress(bytes(6))) + IEND
    yield Case("plte_missing", REJECT, "indices into nothing", palette_header + pixels)
    odd = palette_header + chunk(b"PLTE", bytes(7)) + pixels
    yield Case("plte_len", REJECT, "a palette of 2 1/3 entries", odd)
    indices = (b"\0" + bytes(range(8))) * 2
    beyond = make.png(8, 2, 8, PALETTE, before=make.palette(2), rows=indices)
    yield Case("plte_index_oob", EITHER, "an index past the palette's end", beyond)
    twice = make.png(color_type=PALETTE, before=make.palette(256) * 2)
    yield Case("plte_twice", REJECT, "two palettes, and colours in doubt", twice)
    alpha = make.palette(2) + chunk(b"tRNS", bytes(200))
    long = make.png(color_type=PALETTE, bit_depth=1, before=alpha)
    yield Case("trns_too_long", ACCEPT, "more alpha than palette entries: none", long)
    critical = make.png(before=chunk(b"ABCD", b"1"))
    yield Case("critical_unknown", REJECT, "an unknown critical chunk", critical)
    stream = zlib.compress(make.plain_rows(33, 17, 8, RGB))
    parts = chunk(b"IDAT", stream[:50]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", stream[50:])
    split = SIGNATURE + ihdr(33, 17) + parts + IEND
    yield Case("idat_split_by_text", REJECT, "text between two IDAT", split)
    many = make.png(before=chunk(b"tEXt", b"k\0v") * 20000)
    yield Case("many_text_20k", EITHER, "20,000 text chunks", many)


def _lying_lengths():
    for kind in (b"IDAT", b"tEXt", b"PLTE", b"tRNS", b"fdAT", b"zTXt", b"iCCP"):
        for length in (0x40000000, 0x7FFFFFFF, 0xFFFFFF00):
            lie = SIGNATURE + ihdr(1, 1) + chunk(kind, bytes(8), length=length) + IEND
            name = f"len_{kind.decode()}_{length:08x}"
            yield Case(name, REJECT, f"8 bytes of {kind.decode()} that claim to be {length}", lie)


def _animations():
    stream = zlib.compress(make.plain_rows(33, 17, 8, RGB))
    sound = chunk(b"IDAT", stream)
    wrong_crc = sound[:-4] + bytes(4)
    yield Case("apng_ok", EITHER, "two frames", make.apng(sound, stream))
    yield Case(
        "apng_crc", REJECT, "wrong CRC, which OpenCV then ignores", make.apng(wrong_crc, stream)
    )
    yield Case("apng_flip", REJECT, "a damaged frame", make.apng(make.xor(sound, 30, 0x55), stream))
    half = chunk(b"IDAT", stream[: len(stream) // 2])
    yield Case("apng_short", REJECT, "half a frame", make.apng(half, stream))
    yield Case(
        "apng_nf_max", EITHER, "2^32 - 1 frames", make.apng(sound, stream, frames=0xFFFFFFFF)
    )
    yield Case("apng_nf_zero", EITHER, "no frames", make.apng(sound, stream, frames=0))
    far = make.frame(1, 0x7FFFFFFF, 0x7FFFFFFF, x=0x7FFFFFFF)
    yield Case(
        "apng_fc_oob", EITHER, "a frame off the canvas", make.apng(sound, stream, second=far)
    )
    whole = make.apng(sound, stream)
    yield Case("apng_trunc", REJECT, "cut at 60%", whole[: int(len(whole) * 0.6)])


def _polyglots():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("evil.sh", (1980, 1, 1, 0, 0, 0)), "echo hi")
    script = b"<script>alert(1)</script>"
    yield Case("poly_zip_tail", ACCEPT, "ZIP after IEND", make.png(after=archive.getvalue()))
    yield Case("poly_html_tail", ACCEPT, "HTML after IEND", make.png(after=script))
    text = chunk(b"tEXt", b"Comment\0<script>alert(document.domain)</script>")
    yield Case("poly_html_text", EITHER, "HTML in text", make.png(before=text))
    php = chunk(b"PLTE", (b"<?php system($_GET[0]);?>" + bytes(768))[:768])
    php_png = make.png(color_type=PALETTE, before=php)
    yield Case("poly_php_plte", EITHER, "PHP in a palette", php_png)
    yield Case("poly_png_png", ACCEPT, "two PNGs in a row", make.png(after=make.png(5, 5)))
    yield Case("poly_pdf_tail", ACCEPT, "PDF after IEND", make.png(after=b"%PDF-1.4\n%%EOF"))


if __name__ == "__main__":
    write_cases(cases(big="--big" in sys.argv))
