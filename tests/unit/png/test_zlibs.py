"""The choice of zlib: whatever is installed, the same meaning."""

from __future__ import annotations

import zlib

import pytest

from app.png import zlibs

DATA = bytes(range(256)) * 40


@pytest.mark.parametrize("ratio", [1, 100], ids=["noisy", "clean"])
def test_a_decompressor_stops_at_the_bytes_asked_for_and_keeps_the_rest(ratio) -> None:
    inflater = zlibs.decompressor(ratio=ratio)

    start = inflater.decompress(zlib.compress(DATA) + b"after", 100)
    rest = inflater.decompress(inflater.unconsumed_tail, len(DATA))

    assert start + rest == DATA
    assert (inflater.eof, inflater.unused_data) == (True, b"after")


@pytest.mark.parametrize("ratio", [1, 100], ids=["noisy", "clean"])
def test_a_damaged_stream_raises_one_of_the_errors(ratio) -> None:
    stream = zlib.compress(DATA)[:-4] + bytes(4)

    with pytest.raises(zlibs.ERRORS):
        zlibs.decompressor(ratio=ratio).decompress(stream, 2 * len(DATA))


def test_compressed_and_stored_data_are_zlib_streams() -> None:
    compressed, stored = zlibs.compress(DATA), zlibs.store(DATA)

    assert zlib.decompress(compressed) == zlib.decompress(stored) == DATA
    assert len(compressed) < 1000 < len(DATA) < len(stored)


def test_the_crc_is_that_of_the_standard_library() -> None:
    assert zlibs.crc32(memoryview(DATA)[1:]) == zlib.crc32(DATA[1:])
