"""Pixels: what `decode` hands on, and that no more than the promised size gets through."""

from __future__ import annotations

import struct
import time
import zlib
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import CorruptPngError, PipelineError, UnsupportedPngError
from app.png import decode as decoding
from app.png import zlibs
from app.png.check import inspect
from app.png.decode import decode
from app.png.limits import PngLimits
from testkit.png.pngs import (
    BIT_DEPTHS,
    CHANNELS,
    GRAY,
    GRAY_ALPHA,
    IEND,
    PALETTE,
    RGB,
    RGBA,
    SIGNATURE,
    Picture,
    chunk,
    gray_png,
    luma,
)
from testkit.timing.waiting import assert_within

LIMITS = PngLimits()
FORMS = [(color, depth) for color, depths in BIT_DEPTHS.items() for depth in depths]


def decoded(data: bytes) -> Any:
    return decode(data, inspect(data, LIMITS)).gray


def ignored_in(data: bytes) -> list[str]:
    """What `decode` ignores behind the pixels."""
    ignored: list[str] = []
    decode(data, inspect(data, LIMITS), ignored.append)
    return ignored


def random_samples(height: int, width: int, color_type: int, bit_depth: int) -> Any:
    noise = np.random.default_rng(height * 1000 + width)
    return noise.integers(0, 1 << bit_depth, (height, width, CHANNELS[color_type]))


@pytest.mark.parametrize("is_interlaced", [False, True], ids=["rows", "interlaced"])
@pytest.mark.parametrize(("color_type", "bit_depth"), FORMS)
def test_every_form_and_filter_decodes_to_the_samples_that_were_sent(
    color_type, bit_depth, is_interlaced
) -> None:
    samples = random_samples(23, 21, color_type, bit_depth)
    palette = bytes(i * 37 % 256 for i in range(3 << bit_depth)) if color_type == PALETTE else b""
    picture = Picture(
        samples, bit_depth, color_type, is_interlaced, palette, filters=(4, 3, 2, 1, 0, 4, 4, 3, 3)
    )

    gray = decoded(picture.encode())

    assert (gray.dtype, gray.shape) == (np.uint8, (23, 21))
    assert (gray == picture.gray()).all()


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Small pictures of every form; with and without tRNS, which may match no pixel."""
    color_type, bit_depth = draw(st.sampled_from(FORMS))
    height, width = draw(st.integers(1, 17)), draw(st.integers(1, 17))
    sample = st.sampled_from([0, 1, (1 << bit_depth) - 1, 1 << (bit_depth - 1)])
    count = height * width * CHANNELS[color_type]
    flat = draw(st.lists(sample, min_size=count, max_size=count))
    palette = transparency = b""
    if color_type == PALETTE:
        entries = draw(st.integers(1, 1 << bit_depth))
        palette = draw(st.binary(min_size=3 * entries, max_size=3 * entries))
        transparency = draw(st.binary(max_size=entries))
    elif color_type in (GRAY, RGB) and draw(st.booleans()):
        words = 2 * CHANNELS[color_type]
        any_color = st.binary(min_size=words, max_size=words)
        first_pixel = struct.pack(f">{words // 2}H", *flat[: words // 2])
        transparency = draw(st.one_of(any_color, st.just(first_pixel)))
    return Picture(
        np.reshape(flat, (height, width, -1)),
        bit_depth,
        color_type,
        draw(st.booleans()),
        palette,
        transparency,
        draw(st.lists(st.integers(0, 4), min_size=1, max_size=9)),
        draw(st.sampled_from([None, 1, 7])),
    )


@given(pictures())
@settings(max_examples=300)
def test_any_picture_decodes_to_the_samples_that_were_sent(picture) -> None:
    assert (decoded(picture.encode()) == picture.gray()).all()


@given(pictures(), st.data())
@settings(max_examples=300)
def test_a_damaged_file_is_refused_or_loses_only_its_transparency(picture, data) -> None:
    png = bytearray(picture.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        png[data.draw(st.integers(0, len(png) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    try:
        info = inspect(bytes(png), LIMITS)
        gray = decode(bytes(png), info).gray
    except PipelineError:
        return

    left = picture if info.transparency else replace(picture, transparency=b"")
    assert (gray == left.gray()).all()
    assert info.transparency == picture.transparency or info.ignored or not any(png)


@given(st.binary(max_size=60), pictures())
@settings(max_examples=200)
def test_any_stream_in_valid_chunks_gives_an_image_of_the_declared_size_or_is_refused(
    stream, picture
) -> None:
    png = picture.wrap(b"\x78\x9c" + stream)

    try:
        gray = decoded(png)
    except PipelineError:
        return

    assert gray.shape == picture.samples.shape[:2]


SMALL = Picture(random_samples(7, 9, GRAY, 8), filters=(4, 1, 3), metadata=b"").encode()


def test_every_truncation_of_a_file_is_refused() -> None:
    for length in range(len(SMALL)):
        with pytest.raises(PipelineError):
            decoded(SMALL[:length])


def test_every_flipped_bit_of_a_file_is_refused() -> None:
    for bit in range(8 * len(SMALL)):
        flipped = bytearray(SMALL)
        flipped[bit // 8] ^= 1 << bit % 8

        with pytest.raises(PipelineError):
            decoded(bytes(flipped))


#: One inflates as noisy pages do, the other as clean ones: they take different libraries.
NOISY = Picture(random_samples(7, 9, GRAY, 8))
CLEAN = Picture(np.zeros((70, 90, 1), np.int64))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda rows: zlib.compress(rows[:-1]), "ends before the [0-9]+ bytes"),
        (lambda rows: zlib.compress(rows)[:-1], "breaks off before its checksum"),
        (lambda rows: zlib.compress(rows)[:-4], "breaks off before its checksum"),
        (lambda rows: zlib.compress(rows)[:12], "ends before the [0-9]+ bytes"),
        (lambda rows: zlib.compress(rows)[:-4] + bytes(4), "not a valid zlib stream"),
        (lambda rows: zlib.compress(rows + rows)[:-4], "breaks off before its checksum"),
        (lambda rows: zlib.compress(rows + rows)[:-4] + bytes(4), "not a valid zlib stream"),
        (lambda rows: b"\x78\x9c\xff" + bytes(99), "not a valid zlib stream"),
        (lambda rows: zlib.compress(b"\5" + rows[1:]), "filter type 5"),
        (lambda rows: zlib.compress(b"\xff" + rows[1:]), "filter type 255"),
    ],
)
@pytest.mark.parametrize("picture", [NOISY, CLEAN], ids=["noisy", "clean"])
@pytest.mark.parametrize("split", [None, 1, 13], ids=["one IDAT", "bytewise", "in pieces"])
def test_pixel_data_that_is_damaged_or_less_than_promised_is_corrupt(
    spoil, fault, picture, split
) -> None:
    png = replace(picture, split=split).wrap(spoil(picture.filtered()))

    with pytest.raises(CorruptPngError, match=fault):
        decoded(png)


@pytest.mark.parametrize(
    ("append", "ignored"),
    [
        (lambda rows: zlib.compress(rows + b"\0"), ["IDAT: more rows than the header says"]),
        (lambda rows: zlib.compress(rows + rows), ["IDAT: more rows than the header says"]),
        (lambda rows: zlib.compress(rows) + b"x", ["IDAT: bytes after the pixel data"]),
        (lambda rows: zlib.compress(rows) * 2, ["IDAT: bytes after the pixel data"]),
        (
            lambda rows: zlib.compress(rows * 2) + b"x",
            ["IDAT: more rows than the header says", "IDAT: bytes after the pixel data"],
        ),
        (zlib.compress, []),
    ],
)
@pytest.mark.parametrize("picture", [NOISY, CLEAN], ids=["noisy", "clean"])
@pytest.mark.parametrize("split", [None, 1, 13], ids=["one IDAT", "bytewise", "in pieces"])
def test_data_after_the_pixels_is_ignored_and_reported(append, ignored, picture, split) -> None:
    png = replace(picture, split=split).wrap(append(picture.filtered()))

    assert (decoded(png) == picture.gray()).all()
    assert ignored_in(png) == ignored


def test_data_after_the_pixels_is_inflated_up_to_the_size_of_the_image() -> None:
    rows = CLEAN.filtered()
    most = len(rows) + 64 * 1024

    assert ignored_in(CLEAN.wrap(zlib.compress(rows + bytes(most))))
    with pytest.raises(UnsupportedPngError, match=f"Over {most} bytes of pixel data follow"):
        decoded(CLEAN.wrap(zlib.compress(rows + bytes(most + 1))))


def declaring_window(stream: bytes, window_bytes: int) -> bytes:
    """A zlib stream whose header says another window size (RFC 1950, section 2.2)."""
    first = (window_bytes.bit_length() - 9) << 4 | 8
    return bytes([first, (31 - first * 256 % 31) % 31]) + stream[2:]


@pytest.mark.parametrize("row_bytes", [400, 5000])
def test_a_stream_must_not_reach_back_further_than_the_window_it_declares(row_bytes) -> None:
    """libpng refuses these; zlib notices only where the bytes have left its output."""
    row = np.random.default_rng(2).integers(0, 256, (1, row_bytes - 1, 1))
    picture = Picture(np.repeat(row, 4, axis=0))
    stream = zlib.compress(picture.filtered())

    for bits in range(8, 16):
        png = picture.wrap(declaring_window(stream, 1 << bits))
        if 1 << bits >= row_bytes:
            assert (decoded(png) == picture.gray()).all()
        else:
            with pytest.raises(CorruptPngError, match="not a valid zlib stream"):
                decoded(png)


def test_a_row_of_an_unknown_filter_type_is_found_in_every_strip() -> None:
    rows = bytearray(600 * 2001)
    rows[599 * 2001] = 9
    picture = Picture(np.zeros((600, 2000, 1), np.uint8))

    with pytest.raises(CorruptPngError, match="filter type 9"):
        decoded(picture.wrap(zlib.compress(rows)))


def test_pixel_data_that_ends_exactly_at_the_end_of_an_idat_leaves_nothing_after() -> None:
    stream = zlib.compress(NOISY.filtered())

    for parts in ([stream, b""], [b"", stream], [stream[:-1], stream[-1:]]):
        assert (decoded(_with_idats(*parts)) == NOISY.gray()).all()
        assert ignored_in(_with_idats(*parts)) == []
    assert ignored_in(_with_idats(stream, b"x")) == ["IDAT: bytes after the pixel data"]


def _with_idats(*parts: bytes) -> bytes:
    chunks = (chunk(b"IDAT", part) for part in parts)
    return SIGNATURE + NOISY.header + b"".join(chunks) + IEND


def test_rows_are_joined_across_strips() -> None:
    """Larger than one strip, with filters that reach up into the strip before."""
    noise = np.random.default_rng(3).integers(0, 256, (300, 3000), np.uint8)
    differences = np.diff(noise, axis=0, prepend=np.zeros((1, 3000), np.uint8))
    up = np.full((300, 1), 2, np.uint8)
    rows = np.hstack([up, differences]).tobytes()

    gray = decoded(Picture(noise[..., np.newaxis]).wrap(zlib.compress(rows, 1)))

    assert (gray == noise).all()


@pytest.mark.parametrize("patience_s", [0.0, 1e-4, 1e-3])
def test_a_stream_that_is_begun_again_anywhere_gives_the_same_picture(
    monkeypatch, patience_s
) -> None:
    monkeypatch.setattr(decoding, "_PATIENCE_S", patience_s)
    monkeypatch.setattr(decoding, "_PATIENCE_S_A_BYTE", 0.0)
    noise = np.random.default_rng(4).integers(0, 64, (600, 3000), np.uint8)
    rows = np.insert(noise, 0, 0, axis=1).tobytes()
    steady = Mock(wraps=zlibs.steady_decompressor)
    monkeypatch.setattr(zlibs, "steady_decompressor", steady)

    gray = decoded(Picture(noise[..., np.newaxis]).wrap(zlib.compress(rows, 1)))

    assert (gray == noise).all()
    assert steady.call_count == 1


def test_empty_deflate_blocks_do_not_cost_seconds() -> None:
    """4 MB of them took ISA-L 1.4 s; each has ten bits, four of them five bytes."""
    noise = np.random.default_rng(5).integers(0, 256, (2000, 2000), np.uint8)
    rows = np.insert(noise, 0, 0, axis=1).tobytes()
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    four_blocks = bytes.fromhex("0208208000")
    deflated = four_blocks * 800_000 + packer.compress(rows) + packer.flush()
    stream = b"\x78\x01" + deflated + zlib.adler32(rows).to_bytes(4)

    began_at = time.process_time()
    gray = decoded(Picture(noise[..., np.newaxis]).wrap(stream))

    assert_within(time.process_time() - began_at, 0.6)
    assert (gray == noise).all()


# --- the rules of decode, one by one, with values that can be read ----------------


@pytest.mark.parametrize(
    ("bit_depth", "expected"),
    [(1, [0, 255]), (2, [0, 85, 170, 255]), (4, [0, 17, 34, 51, 238, 255])],
)
def test_few_bits_are_stretched_to_the_whole_range(bit_depth, expected) -> None:
    top = (1 << bit_depth) - 1
    samples = [gray * top // 255 for gray in expected]

    assert decoded(gray_png([samples], bit_depth=bit_depth)).tolist() == [expected]


def test_the_high_byte_of_16_bits_is_used() -> None:
    samples = [[0x0000, 0x00FF, 0x0100, 0x7FFF, 0x8000, 0xFFFF]]

    assert decoded(gray_png(samples, bit_depth=16)).tolist() == [[0, 0, 1, 127, 128, 255]]


def test_gray_is_the_luma_of_bt_601_for_every_colour() -> None:
    """All 16.7 million, as strips of one picture for each red."""
    green, blue = np.meshgrid(np.arange(256), np.arange(256))
    for red in range(0, 256, 5):
        colors = np.stack([np.full_like(green, red), green, blue], axis=2)
        rows = np.hstack([np.zeros((256, 1), np.uint8), colors.reshape(256, -1).astype(np.uint8)])
        png = Picture(colors, 8, RGB).wrap(zlib.compress(rows.tobytes(), 1))

        assert (decoded(png) == luma(colors)).all()


def test_a_colour_whose_parts_are_equal_keeps_its_value() -> None:
    grays = np.arange(256).reshape(1, 256, 1).repeat(3, axis=2)

    assert decoded(Picture(grays, 8, RGB).encode()).tolist() == [list(range(256))]


def test_alpha_is_composited_on_white() -> None:
    samples = np.array([[[0, 255], [0, 0], [0, 128], [100, 128], [255, 7]]])

    assert decoded(Picture(samples, 8, GRAY_ALPHA).encode()).tolist() == [[0, 255, 127, 177, 255]]


def deep(values: list[int], color_type: int = GRAY, *, height: int = 500, **how: Any) -> list[int]:
    """The first row of grays of a 16-bit picture whose rows are *values*, equal in all colours."""
    channels = 3 if color_type in (RGB, RGBA) else 1
    samples = np.tile(np.array(values)[..., np.newaxis], (height, 1, channels))
    if color_type in (GRAY_ALPHA, RGBA):
        samples = np.dstack([samples, np.full(samples.shape[:2], 65_535)])
    grays: list[list[int]] = decoded(Picture(samples, 16, color_type, **how).encode()).tolist()
    assert all(row == grays[0] for row in grays)
    return grays[0]


@pytest.mark.parametrize("color_type", [GRAY, RGB, GRAY_ALPHA, RGBA])
@pytest.mark.parametrize("is_interlaced", [False, True], ids=["rows", "interlaced"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_16_bit_samples_that_stay_under_2_to_the_14_use_fewer_bits(
    bits, color_type, is_interlaced
) -> None:
    greatest = (1 << bits) - 1

    grays = deep([0, greatest // 3, greatest], color_type, is_interlaced=is_interlaced)

    assert grays == [0, 85, 255]


@pytest.mark.parametrize(
    ("values", "grays"),
    [
        ([0, 255], [0, 255]),
        ([0, 255, 256], [0, 63, 64]),
        ([1023, 512], [255, 128]),
        ([1023, 1024], [63, 64]),
        ([4095, 4096], [63, 64]),
        ([16_383, 100], [255, 1]),
        ([16_384, 100], [64, 0]),
        ([0, 0], [0, 0]),
    ],
)
def test_the_greatest_sample_says_how_many_bits_there_are(values, grays) -> None:
    assert deep(values) == grays


def test_one_bright_sample_at_the_end_of_a_large_image_is_found() -> None:
    samples = np.full((600, 500, 1), 4095)
    assert (decoded(Picture(samples, 16).encode()) == 255).all()

    samples[-1, -1] = 16_384

    assert decoded(Picture(samples, 16).encode())[-1].tolist() == [15] * 499 + [64]


def test_the_colour_of_trns_is_matched_in_12_bits_of_16_too() -> None:
    assert deep([0x0FFF, 0x0123, 0x0124], transparency=b"\x01\x23") == [255, 255, 18]


def test_an_image_too_small_to_be_a_page_keeps_the_high_byte() -> None:
    assert deep([0, 4095], height=499) == [0, 15]


def test_the_high_byte_of_16_bit_alpha_is_used() -> None:
    samples = np.array([[[0, 0, 0, 0xFFFF], [0, 0, 0, 0x80FF], [0, 0, 0, 0x00FF]]])

    assert decoded(Picture(samples, 16, RGBA).encode()).tolist() == [[0, 127, 255]]


def test_a_transparent_gray_is_white_and_bits_over_the_depth_are_ignored() -> None:
    png = gray_png([[0, 1, 2, 3]], bit_depth=2, transparency=b"\xff\xfd")

    assert decoded(png).tolist() == [[0, 255, 170, 255]]


def test_a_transparent_colour_is_matched_at_full_depth() -> None:
    samples = np.array([[[0x1234] * 3, [0x1234, 0x1234, 0x1235]]])
    picture = Picture(samples, 16, RGB, transparency=b"\x12\x34" * 3)

    assert decoded(picture.encode()).tolist() == [[255, 0x12]]


def test_a_palette_may_be_partly_transparent() -> None:
    samples = np.array([[[0], [1], [2]]])
    picture = Picture(samples, 2, PALETTE, palette=bytes(9), transparency=b"\0\x80")

    assert decoded(picture.encode()).tolist() == [[255, 127, 0]]


def test_an_index_past_the_palette_is_black() -> None:
    picture = Picture(np.array([[[0], [1], [3]]]), 2, PALETTE, palette=b"\xff" * 6)

    assert decoded(picture.encode()).tolist() == [[255, 255, 0]]
