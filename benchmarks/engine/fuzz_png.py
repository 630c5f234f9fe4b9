"""Fuzz PNG check and decoder, guided by coverage, until a finding or a stop.

    pip install atheris
    python -m benchmarks.engine.fuzz_png CORPUS_DIR tests/data/pngsuite \
        -max_total_time=300 -max_len=4096

Options are libFuzzer's. A third of the inputs run unchanged, a third with corrected lengths and
CRCs, and a third also with compressed IDAT contents, so that the fuzzer gets past these checks.
Findings are an exception other than the pipeline's errors, a crash, pixels that differ without isal
and zlib-ng, or a result that OpenCV cannot read.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterable, Iterator

import atheris

# numba cannot compile instrumented functions.
from app.binarize import color  # noqa: F401
from app.png import zlibs

with atheris.instrument_imports(include=["app"]):
    from app.errors import PipelineError
    from app.png.check import inspect
    from app.png.decode import decode
    from app.png.limits import PngLimits

import cv2
import numpy as np

LIMITS = PngLimits(max_pixels=200_000, max_side=5_000, max_bytes=1_000_000)
AS_INSTALLED = zlibs._isal, zlibs._zlib_ng
ALONE = zlib, zlib


def run(data: bytes, libraries: tuple[object, object]) -> bytes | str:
    """The decoded pixels, or the error code."""
    zlibs._isal, zlibs._zlib_ng = libraries  # type: ignore[misc]
    try:
        return decode(data, inspect(data, LIMITS)).gray.tobytes()
    except PipelineError as error:
        return error.code


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The (type, contents) of everything after the signature that parses as a chunk."""
    offset = 8
    while offset + 12 <= len(data):
        length = min(struct.unpack_from(">I", data, offset)[0] % 65536, len(data) - offset - 12)
        yield data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + length]
        offset += 12 + length


def joined(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    out = bytearray(b"\x89PNG\r\n\x1a\n")
    for kind, contents in parts:
        out += struct.pack(">I", len(contents)) + kind + contents
        out += struct.pack(">I", zlib.crc32(kind + contents))
    return bytes(out)


def compressed(parts: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for kind, contents in parts:
        yield kind, zlib.compress(contents, 1) if kind == b"IDAT" else contents


def test_one_input(data: bytes) -> None:
    if len(data) % 3 == 1:
        data = joined(chunks(data))
    elif len(data) % 3 == 2:
        data = joined(compressed(chunks(data)))
    picture = run(data, AS_INSTALLED)
    if run(data, ALONE) != picture:
        raise AssertionError("the libraries make a difference")
    if isinstance(picture, str):
        return
    if cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is None:
        raise AssertionError("OpenCV cannot read what we accept")


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
