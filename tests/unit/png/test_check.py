"""The structural check: each rule of `check.inspect`, and what it costs."""

from __future__ import annotations

import dataclasses
import struct
import zlib

import numpy as np
import pytest

from app.domain.representation import MAX_IGNORED, MAX_IGNORED_CHARS
from app.errors import (
    CorruptPngError,
    FileTooLargeError,
    NotAPngError,
    PipelineError,
    TooManyPixelsError,
    UnsupportedPngError,
)
from app.png import check
from app.png.ancillary import MAX_LINES, RULES, fault_of
from app.png.limits import PngLimits
from testkit.corpora import hostile_pngs
from testkit.png.pngs import GRAY, IEND, PALETTE, RGB, SIGNATURE, Picture, chunk, gray_png, ihdr

LIMITS = PngLimits()
PIXELS = chunk(b"IDAT", zlib.compress(bytes(2)))
ONE_PIXEL = SIGNATURE + ihdr(1, 1, 8, GRAY) + PIXELS + IEND


def with_chunks(*chunks: bytes, header: bytes = ihdr(1, 1, 8, GRAY)) -> bytes:
    return SIGNATURE + header + b"".join(chunks)


def test_a_sound_file_is_described() -> None:
    density = chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))
    data = Picture(np.zeros((5, 7, 3), int), 16, RGB, is_interlaced=True, metadata=density).encode()

    info = check.inspect(data, LIMITS)

    assert (info.width, info.height, info.bit_depth, info.color_type) == (7, 5, 16, RGB)
    assert info.is_interlaced
    assert info.physical_size == check.PhysicalSize(11811, 11811, 1)
    assert (info.pixels, info.dpi) == (35, 300)


def test_the_info_says_where_palette_transparency_and_pixel_data_are() -> None:
    picture = Picture(
        np.zeros((2, 2, 1), int), 8, PALETTE, palette=b"\1\2\3\4\5\6", transparency=b"\x80", split=4
    )

    data = picture.encode()
    info = check.inspect(data, LIMITS)

    assert (info.palette, info.transparency) == (b"\1\2\3\4\5\6", b"\x80")
    stream = b"".join(data[part] for part in info.pixel_data)
    assert zlib.decompress(stream) == picture.filtered()


@pytest.mark.parametrize(
    ("width", "height", "is_interlaced"),
    [(1, 1, True), (3, 2, True), (33, 17, True), (33, 9, False)],
)
def test_the_header_promises_the_size_of_the_pixel_data(width, height, is_interlaced) -> None:
    picture = Picture(np.zeros((height, width, 1), int), 2, is_interlaced=is_interlaced)

    info = check.inspect(picture.encode(), LIMITS)

    assert info.inflated_bytes == len(picture.filtered())


def test_a_file_over_the_limit_in_bytes_is_refused() -> None:
    limits = dataclasses.replace(LIMITS, max_bytes=len(ONE_PIXEL) - 1)

    with pytest.raises(FileTooLargeError) as refusal:
        check.inspect(ONE_PIXEL, limits)

    assert refusal.value.facts == {"actual": len(ONE_PIXEL), "limit": len(ONE_PIXEL) - 1}
    assert check.inspect(ONE_PIXEL, dataclasses.replace(LIMITS, max_bytes=len(ONE_PIXEL)))


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"GIF89a", b"\n" + ONE_PIXEL])
def test_a_file_without_the_signature_is_not_a_png(data) -> None:
    with pytest.raises(NotAPngError):
        check.inspect(data, LIMITS)


@pytest.mark.parametrize(
    ("width", "height", "limits"),
    [
        (11, 1, PngLimits(max_side=10)),
        (1, 11, PngLimits(max_side=10)),
        (4, 3, PngLimits(max_pixels=11)),
        (0x7FFFFFFF, 0x7FFFFFFF, LIMITS),
    ],
)
def test_an_image_over_the_limits_in_pixels_is_refused(width, height, limits) -> None:
    data = with_chunks(PIXELS, IEND, header=ihdr(width, height, 8, GRAY))

    with pytest.raises(TooManyPixelsError) as refusal:
        check.inspect(data, limits)

    assert refusal.value.facts["width"] == width
    assert f"{width} x {height}" in refusal.value.detail


def test_an_image_exactly_at_the_limits_is_accepted() -> None:
    data = gray_png([[0] * 4] * 3)

    assert check.inspect(data, PngLimits(max_pixels=12, max_side=4, max_chunks=3))


@pytest.mark.parametrize("kind", [b"acTL", b"fcTL", b"fdAT"])
def test_an_animated_png_is_refused(kind) -> None:
    with pytest.raises(UnsupportedPngError, match="animated"):
        check.inspect(with_chunks(chunk(kind, bytes(8)), PIXELS, IEND), LIMITS)


def test_an_unknown_critical_chunk_is_refused_and_an_ancillary_one_is_not() -> None:
    with pytest.raises(UnsupportedPngError, match="ABCD at offset 33 is unknown"):
        check.inspect(with_chunks(chunk(b"ABCD"), PIXELS, IEND), LIMITS)

    assert check.inspect(with_chunks(chunk(b"aBCD"), PIXELS, IEND), LIMITS).ignored == ()


def test_more_chunks_than_the_limit_are_refused() -> None:
    limits = dataclasses.replace(LIMITS, max_chunks=4)

    with pytest.raises(UnsupportedPngError, match="more than 4 chunks"):
        check.inspect(with_chunks(chunk(b"aaAa"), chunk(b"aaAa"), PIXELS, IEND), limits)

    assert check.inspect(with_chunks(chunk(b"aaAa"), PIXELS, IEND), limits)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"width": 0}, "0 x 1 pixels"),
        ({"height": 0}, "1 x 0 pixels"),
        ({"width": 0x80000000}, "2147483648 x 1 pixels"),
        ({"bit_depth": 3}, "bit depth 3"),
        ({"bit_depth": 4, "color_type": RGB}, "colour type 2 with bit depth 4"),
        ({"bit_depth": 16, "color_type": PALETTE}, "colour type 3 with bit depth 16"),
        ({"color_type": 1}, "colour type 1"),
        ({"color_type": 7}, "colour type 7"),
        ({"compression": 1}, "compression 1"),
        ({"filtering": 1}, "filter 1"),
        ({"interlace": 2}, "interlace 2"),
    ],
)
def test_a_header_that_the_specification_does_not_know_is_corrupt(fields, fault) -> None:
    header = ihdr(**{"width": 1, "height": 1, "bit_depth": 8, "color_type": GRAY, **fields})

    with pytest.raises(CorruptPngError, match=fault):
        check.inspect(with_chunks(PIXELS, IEND, header=header), LIMITS)


RGB_HEADER = ihdr(1, 1, 8, RGB)
INDEX_HEADER = ihdr(1, 1, 1, PALETTE)
PLTE, PHYS = chunk(b"PLTE", bytes(6)), chunk(b"pHYs", bytes(9))
TRNS, TRNS_RGB = chunk(b"tRNS", bytes(2)), chunk(b"tRNS", bytes(6))
LONG_PLTE, BAD_PLTE = chunk(b"PLTE", bytes(771)), chunk(b"PLTE", bytes(6), crc=0)
BAD_TRNS = chunk(b"tRNS", bytes(2), crc=0)
SIZE = chunk(b"pHYs", struct.pack(">IIB", 3, 4, 1))
GAMA, BKGD = chunk(b"gAMA", bytes(4)), chunk(b"bKGD", bytes(6))
GRAY_HEADER, ALPHA_HEADER = ihdr(1, 1, 8, GRAY), ihdr(1, 1, 8, 4)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (SIGNATURE + IEND, "first chunk is not IHDR"),
        (SIGNATURE + chunk(b"tEXt") + ONE_PIXEL[8:], "first chunk is not IHDR"),
        (SIGNATURE + PIXELS + IEND, "first chunk is not IHDR"),
        (SIGNATURE + PLTE + IEND, "first chunk is not IHDR"),
        (SIGNATURE + chunk(b"IHDR", bytes(12)) + IEND, "has 12 bytes, not 13"),
        (with_chunks(ihdr(1, 1, 8, GRAY), PIXELS, IEND), "IHDR at offset 33 is the second"),
        (with_chunks(IEND), "no IDAT"),
        (with_chunks(PIXELS, chunk(b"tEXt"), PIXELS, IEND), "not directly after the previous IDAT"),
        (with_chunks(PIXELS, chunk(b"IEND", b"x")), "has 1 bytes, not 0"),
        (with_chunks(PIXELS), "breaks off at offset 55, before IEND"),
        (with_chunks(chunk(b"a1Aa"), PIXELS, IEND), "not four letters"),
        (with_chunks(chunk(b"abcD"), PIXELS, IEND), "not four letters with a capital third"),
        (with_chunks(PIXELS, chunk(b"IEND", crc=0)), "IEND at offset 55 has a wrong CRC"),
        (with_chunks(chunk(b"ABCD", crc=0), PIXELS, IEND), "ABCD at offset 33 has a wrong CRC"),
        (with_chunks(chunk(b"tEXt", length=99), PIXELS, IEND), "claims 99 bytes; 34 are left"),
        (with_chunks(chunk(b"tEXt", length=0xFFFFFFFF), PIXELS, IEND), "claims 4294967295 bytes"),
        (with_chunks(chunk(b"PLTE"), PIXELS, IEND, header=RGB_HEADER), "has 0 bytes"),
        (with_chunks(chunk(b"PLTE", bytes(7)), PIXELS, IEND, header=INDEX_HEADER), "has 7 bytes"),
        (with_chunks(chunk(b"PLTE"), PIXELS, IEND, header=INDEX_HEADER), "has 0 bytes"),
        (with_chunks(LONG_PLTE, PIXELS, IEND, header=INDEX_HEADER), "has 771 bytes"),
        (with_chunks(BAD_PLTE, PIXELS, IEND, header=INDEX_HEADER), "PLTE at offset 33 has a wrong"),
        (with_chunks(PLTE, PLTE, PIXELS, IEND, header=INDEX_HEADER), "is the second of its type"),
        (with_chunks(PIXELS, IEND, header=INDEX_HEADER), "no PLTE before IDAT"),
        (with_chunks(PIXELS, PLTE, IEND, header=INDEX_HEADER), "no PLTE before IDAT"),
        (with_chunks(chunk(b"IDAT"), IEND), "does not start with a zlib header"),
        (with_chunks(chunk(b"IDAT", b"\x78"), IEND), "does not start with a zlib header"),
        (with_chunks(chunk(b"IDAT", b"\x79\x94" + bytes(9)), IEND), "a zlib header"),
        (with_chunks(chunk(b"IDAT", b"\x88\x1c" + bytes(9)), IEND), "a zlib header"),
        (with_chunks(chunk(b"IDAT", b"\x78\x9d" + bytes(9)), IEND), "a zlib header"),
        (with_chunks(chunk(b"IDAT", b"\x78\xbb" + bytes(9)), IEND), "a zlib header"),
        (with_chunks(PIXELS, IEND, header=ihdr(5000, 5000, 8, GRAY)), "cannot inflate to"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_file_that_breaks_the_specification_is_corrupt(data, fault) -> None:
    with pytest.raises(CorruptPngError) as refusal:
        check.inspect(data, LIMITS)

    assert fault in refusal.value.detail


@pytest.mark.parametrize(
    ("header", "chunks", "ignored"),
    [
        (GRAY_HEADER, [chunk(b"tEXt", crc=0), PIXELS], ["tEXt: wrong CRC"]),
        (GRAY_HEADER, [PIXELS, chunk(b"iCCP", bytes(9), crc=0)], ["iCCP: wrong CRC"]),
        (GRAY_HEADER, [PIXELS, chunk(b"iCCP", bytes(9))], ["iCCP: after IDAT"]),
        (RGB_HEADER, [PLTE, GAMA, PIXELS], ["gAMA: after PLTE"]),
        (GRAY_HEADER, [GAMA, GAMA, GAMA, PIXELS], ["gAMA: repeated (x2)"]),
        (GRAY_HEADER, [chunk(b"gAMA", bytes(5)), GAMA, PIXELS], ["gAMA: 5 bytes, not 4"]),
        (GRAY_HEADER, [chunk(b"eXIf", bytes(3)), PIXELS], ["eXIf: 3 bytes, at least 4"]),
        (GRAY_HEADER, [chunk(b"sBIT", bytes(5)), PIXELS], ["sBIT: 5 bytes, at most 4"]),
        (GRAY_HEADER, [SIZE, SIZE, PIXELS], ["pHYs: repeated"]),
        (GRAY_HEADER, [PIXELS, PHYS], ["pHYs: after IDAT"]),
        (GRAY_HEADER, [chunk(b"pHYs", bytes(8)), PIXELS], ["pHYs: 8 bytes, not 9"]),
        (GRAY_HEADER, [PHYS, PIXELS], ["pHYs: no size"]),
        (GRAY_HEADER, [PLTE, LONG_PLTE, PIXELS], ["PLTE: in a gray image (x2)"]),
        (ALPHA_HEADER, [chunk(b"PLTE"), PIXELS], ["PLTE: in a gray image"]),
        (RGB_HEADER, [LONG_PLTE, PIXELS], ["PLTE: 771 bytes"]),
        (RGB_HEADER, [chunk(b"PLTE", bytes(7)), PIXELS], ["PLTE: 7 bytes"]),
        (RGB_HEADER, [PLTE, PLTE, PIXELS], ["PLTE: repeated"]),
        (RGB_HEADER, [BAD_PLTE, PIXELS], ["PLTE: wrong CRC"]),
        (RGB_HEADER, [PIXELS, PLTE], ["PLTE: after IDAT"]),
        (RGB_HEADER, [BKGD, PLTE, PIXELS], ["PLTE: after bKGD"]),
        (INDEX_HEADER, [chunk(b"PLTE", bytes(9)), PIXELS], ["PLTE: 3 entries for 2 colours"]),
        (GRAY_HEADER, [BAD_TRNS, PIXELS], ["tRNS: wrong CRC"]),
        (GRAY_HEADER, [chunk(b"tRNS", bytes(3)), PIXELS], ["tRNS: 3 bytes, not 2"]),
        (GRAY_HEADER, [PIXELS, TRNS], ["tRNS: after IDAT"]),
        (RGB_HEADER, [TRNS, PIXELS], ["tRNS: 2 bytes, not 6"]),
        (ALPHA_HEADER, [TRNS, PIXELS], ["tRNS: beside alpha"]),
        (INDEX_HEADER, [TRNS, PLTE, PIXELS], ["tRNS: before PLTE"]),
        (INDEX_HEADER, [PLTE, chunk(b"tRNS"), PIXELS], ["tRNS: 0 bytes, at least 1"]),
        (INDEX_HEADER, [PLTE, TRNS_RGB, PIXELS], ["tRNS: 6 entries for 2 colours"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and isinstance(value[0], str) else "",
)  # fmt: skip
def test_faults_that_cannot_change_a_pixel_are_ignored_and_reported(
    header, chunks, ignored
) -> None:
    info = check.inspect(with_chunks(*chunks, IEND, header=header), LIMITS)

    assert list(info.ignored) == ignored
    assert info.transparency == b""


@pytest.mark.parametrize("tail", [b"\0\0", b"\r\n", b"<html>", ONE_PIXEL, bytes(70000)])
def test_bytes_after_the_end_are_ignored_and_counted(tail) -> None:
    info = check.inspect(ONE_PIXEL + tail, LIMITS)

    assert info.ignored == (f"{len(tail)} bytes after IEND",)


def test_the_first_valid_transparency_and_size_are_used() -> None:
    opaque, first, second = (chunk(b"tRNS", bytes([0, key])) for key in (1, 2, 3))
    damaged = opaque[:-1] + bytes([opaque[-1] ^ 1])
    other_size = chunk(b"pHYs", struct.pack(">IIB", 5, 5, 0))
    damaged_size = other_size[:-1] + bytes([other_size[-1] ^ 1])
    chunks = [damaged, first, second, damaged_size, SIZE, other_size, PIXELS, IEND]

    info = check.inspect(with_chunks(*chunks), LIMITS)

    assert info.transparency == b"\0\2"
    assert info.physical_size == check.PhysicalSize(3, 4, 1)
    assert info.ignored == (
        "tRNS: wrong CRC",
        "tRNS: repeated",
        "pHYs: wrong CRC",
        "pHYs: repeated",
    )


def test_a_first_size_without_meaning_hides_a_later_one() -> None:
    info = check.inspect(with_chunks(PHYS, SIZE, PIXELS, IEND), LIMITS)

    assert (info.physical_size, info.ignored) == (None, ("pHYs: no size", "pHYs: repeated"))


def test_a_palette_is_cut_where_no_index_reaches() -> None:
    long = chunk(b"PLTE", bytes(range(12)))
    alpha = chunk(b"tRNS", bytes(3))

    info = check.inspect(with_chunks(long, alpha, PIXELS, IEND, header=INDEX_HEADER), LIMITS)

    assert (info.palette, info.transparency) == (bytes(range(6)), b"")
    assert info.ignored[1] == "tRNS: 3 entries for 2 colours"


def test_the_list_of_ignored_faults_is_bounded() -> None:
    kinds = [bytes([97 + i, 97 + j, 65, 97]) for i in range(26) for j in range(26)]
    chunks = [chunk(kind, crc=0) for kind in kinds * 3]

    ignored = check.inspect(with_chunks(*chunks, PIXELS, IEND), LIMITS).ignored

    assert ignored[:2] == ("aaAa: wrong CRC (x3)", "abAa: wrong CRC (x3)")
    assert ignored[-1] == f"and {3 * (len(kinds) - MAX_LINES)} more"
    assert len(ignored) == MAX_LINES + 1
    assert len(ignored) + 2 == MAX_IGNORED  # of which two are the decoder's
    assert all(line.isascii() and len(line) <= MAX_IGNORED_CHARS for line in ignored)


def test_the_longest_line_of_the_largest_settings_fits() -> None:
    """MAX_UPLOAD_BYTES may be 1 GiB and MAX_PNG_CHUNKS a million."""
    largest = 1024**3
    faults = [f"{kind.decode()}: {fault_of(kind, largest, ())}" for kind in RULES]
    faults += [f"{largest} bytes after IEND", f"PLTE: {largest} bytes"]

    assert all(len(f"{fault} (x{1_000_000})") <= MAX_IGNORED_CHARS for fault in faults)


def test_an_animated_png_is_refused_even_where_it_is_damaged() -> None:
    with pytest.raises(UnsupportedPngError, match="animated"):
        check.inspect(with_chunks(chunk(b"acTL", bytes(8), crc=0), PIXELS, IEND), LIMITS)


def test_pixel_data_far_larger_than_the_pixels_is_refused() -> None:
    """Blocks of nothing: deflate allows any number, and each costs time."""
    most = 2 * 2 + 64 * 1024
    stream = zlib.compress(bytes(2))
    at_limit = stream[:2] + b"\0\0\0\xff\xff" * ((most - len(stream)) // 5) + stream[2:]

    assert check.inspect(with_chunks(chunk(b"IDAT", at_limit), IEND), LIMITS)
    with pytest.raises(UnsupportedPngError, match=f"for 1 x 1 pixels are over {most}"):
        check.inspect(with_chunks(chunk(b"IDAT", at_limit + bytes(5)), IEND), LIMITS)


def test_pixel_data_may_come_in_pieces_even_empty_ones() -> None:
    stream = zlib.compress(bytes(2))
    pieces = [chunk(b"IDAT"), *(chunk(b"IDAT", stream[i : i + 1]) for i in range(len(stream)))]

    assert check.inspect(with_chunks(*pieces, chunk(b"IDAT"), IEND), LIMITS)


@pytest.mark.parametrize("contents", [(0, 5, 1), (5, 0, 1), (5, 5, 2), (0x80000000, 5, 1)], ids=str)
def test_a_physical_size_that_means_nothing_is_taken_for_none(contents) -> None:
    size = chunk(b"pHYs", struct.pack(">IIB", *contents))

    assert check.inspect(with_chunks(size, PIXELS, IEND), LIMITS).physical_size is None


def test_dpi_is_unknown_without_a_unit() -> None:
    size = chunk(b"pHYs", struct.pack(">IIB", 3, 4, 0))

    info = check.inspect(with_chunks(size, PIXELS, IEND), LIMITS)

    assert info.physical_size == check.PhysicalSize(3, 4, 0)
    assert info.dpi is None


#: The only refusals that need no place, number or limit.
NOT_ABOUT_A_PLACE = {
    "The file does not start with the PNG signature.",
    "The first chunk is not IHDR.",
    "The file has no IDAT.",
    "A palette image has no PLTE before IDAT.",
    "The pixel data does not start with a zlib header.",
    "The PNG is animated; send one page as one still image.",
}


def refusal_of(data: bytes) -> str:
    try:
        check.inspect(data, LIMITS)
    except PipelineError as refusal:
        return refusal.detail
    return ""


def test_every_message_says_where_or_how_many() -> None:
    details = {refusal_of(case.data) for case in hostile_pngs.cases()} - {""}

    without_numbers = {d for d in details if not any(letter.isdigit() for letter in d)}
    assert without_numbers <= NOT_ABOUT_A_PLACE


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 5), (2**31 - 1, 2**31 - 1)])
def test_the_claimed_pixels_are_width_times_height_unchecked(width: int, height: int) -> None:
    data = SIGNATURE + ihdr(width, height, 8, GRAY)

    assert check.claimed_pixels(data) == width * height


def test_a_file_that_ends_within_its_header_claims_no_pixels() -> None:
    claims = {check.claimed_pixels(ONE_PIXEL[:length]) for length in range(24)}

    assert claims == {0}


def test_the_claim_of_a_sound_file_is_what_the_inspection_finds() -> None:
    data = gray_png(np.zeros((5, 7), np.uint8))

    assert check.claimed_pixels(data) == check.inspect(data, LIMITS).pixels
