"""Read PNGs with libpng itself: the library in the wheel of OpenCV, with libpng's defaults.

The result of `cv2.imdecode` cannot be compared: it converts samples, drops tRNS, and continues
after some errors. This module calls the same library directly: `png_read_info`, `png_read_image`,
`png_read_end`, without any transformation, and with libpng's default limits and error handling.

libpng reports an error by calling a function that must not return. The child process exits there,
and another child reads the next file.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from testkit.png.pngs import CHANNELS, GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, luma
from testkit.root import ROOT

#: Larger pictures are refused before memory is allocated for them.
MAX_PIXELS = 40_000_000
_READ = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
_U32 = ctypes.c_uint32
#: The number of pointers that each function takes.
_ARGUMENTS = {
    "create_info_struct": 1,
    "set_interlace_handling": 1,
    "destroy_read_struct": 3,
    "read_info": 2,
    "read_update_info": 2,
    "read_image": 2,
    "read_end": 2,
    "get_rowbytes": 2,
    "get_image_width": 2,
    "get_image_height": 2,
    "get_bit_depth": 2,
    "get_color_type": 2,
    "get_PLTE": 4,
    "get_tRNS": 5,
    "get_pHYs": 5,
}


@dataclass(frozen=True)
class Reading:
    """libpng's result for a file; *rows* are as stored, unfiltered."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    rows: bytes
    palette: bytes
    #: The values in tRNS; None without that chunk.
    transparency: bytes | None
    #: Pixels per unit in x and y, and the unit.
    physical_size: tuple[int, int, int] | None

    def gray(self) -> NDArray[np.int64]:
        """The picture in gray on white, by the engine's rules."""
        samples = self._samples()
        if self.color_type == PALETTE:
            palette, alpha = np.zeros((256, 3), int), np.full(256, 255)
            entries = np.reshape(list(self.palette), (-1, 3))
            palette[: len(entries)] = entries
            alpha[: len(self.transparency or b"")] = list(self.transparency or b"")
            index = samples[..., 0]
            return _on_white(luma(palette[index]), alpha[index])
        high = samples >> 8 if self.bit_depth == 16 else samples
        if self.color_type in (RGB, RGBA):
            gray = luma(high[..., :3])
        else:
            gray = high[..., 0] * 255 // ((1 << min(self.bit_depth, 8)) - 1)
        if self.color_type in (GRAY_ALPHA, RGBA):
            return _on_white(gray, high[..., -1])
        if self.transparency is not None:
            key = np.array(struct.unpack(f">{CHANNELS[self.color_type]}H", self.transparency))
            gray = np.where((samples == key % (1 << self.bit_depth)).all(axis=2), 255, gray)
        return gray

    def _samples(self) -> NDArray[np.int64]:
        """(H, W, channels)."""
        channels = CHANNELS[self.color_type]
        row_bytes = (self.width * channels * self.bit_depth + 7) // 8
        rows = np.frombuffer(self.rows, np.uint8).reshape(self.height, row_bytes)
        if self.bit_depth == 16:
            flat = rows.view(">u2").astype(int)
        elif self.bit_depth == 8:
            flat = rows.astype(int)
        else:
            bits = np.unpackbits(rows, axis=1)[:, : self.width * self.bit_depth]
            weights = 1 << np.arange(self.bit_depth)[::-1]
            flat = bits.reshape(self.height, self.width, self.bit_depth) @ weights
        return flat.reshape(self.height, self.width, channels)


def _on_white(gray: Any, alpha: Any) -> Any:
    return (gray * alpha + 255 * (255 - alpha) + 127) // 255


class Libpng:
    """Reads files in a process of its own. Use as a context manager."""

    def __enter__(self) -> Libpng:
        command = [sys.executable, "-c", "from testkit.png.libpng import serve; serve()"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        self._to.close()
        self._from.close()
        self._process.wait(timeout=60)

    def read(self, data: bytes) -> Reading | str:
        """libpng's result, or its error message."""
        self._to.write(struct.pack(">I", len(data)) + data)
        self._to.flush()
        answer: Reading | str = pickle.load(self._from)
        return answer


def version() -> str:
    return _library().png_get_libpng_ver(None).decode()


def _library() -> Any:
    # OpenCV is not imported, since it is large and the process is forked for every refused file.
    spec = importlib.util.find_spec("cv2")
    assert spec
    assert spec.origin
    folder = Path(spec.origin).parent
    # The folders in which auditwheel (Linux) and delocate (macOS) put the libraries of a wheel.
    places = [*folder.parent.glob("opencv*.libs/libpng16*"), *folder.glob(".dylibs/libpng16*")]
    library = ctypes.CDLL(str(places[0]))
    pointer = ctypes.c_void_p
    library.png_get_libpng_ver.restype = ctypes.c_char_p
    library.png_create_read_struct.restype = library.png_create_info_struct.restype = pointer
    library.png_create_read_struct.argtypes = [ctypes.c_char_p, pointer, _REPORT, _REPORT]
    library.png_get_rowbytes.restype = ctypes.c_size_t
    for name, arguments in _ARGUMENTS.items():
        getattr(library, f"png_{name}").argtypes = [pointer] * arguments
    library.png_set_read_fn.argtypes = [pointer, pointer, _READ]
    return library


class _Reader:
    """One file through libpng; *fail* is called with its error, and must not return."""

    def __init__(self, library: Any, fail: Callable[[str], None]) -> None:
        self._png = library
        self._on_error = _REPORT(lambda _, text: fail(text.decode()))
        self._on_warning = _REPORT(lambda _, text: None)
        self._on_read = _READ(self._give)
        self._fail = fail
        self._data, self._offset = b"", 0

    def _give(self, _: int, target: int, size: int) -> None:
        part = self._data[self._offset : self._offset + size]
        if len(part) < size:
            self._fail("Read Error")
        ctypes.memmove(target, part, size)
        self._offset += size

    def read(self, data: bytes) -> Reading:
        self._data, self._offset = data, 0
        png = self._png
        handle = ctypes.c_void_p(
            png.png_create_read_struct(
                png.png_get_libpng_ver(None), None, self._on_error, self._on_warning
            )
        )
        info = ctypes.c_void_p(png.png_create_info_struct(handle))
        png.png_set_read_fn(handle, None, self._on_read)
        png.png_read_info(handle, info)
        header = self._header(handle, info)
        if header[0] * header[1] > MAX_PIXELS:
            self._fail("over the pixels of this reader")
        row_bytes = png.png_get_rowbytes(handle, info)
        png.png_set_interlace_handling(handle)
        png.png_read_update_info(handle, info)
        pixels = ctypes.create_string_buffer(max(1, header[1] * row_bytes))
        start = ctypes.addressof(pixels)
        rows = (ctypes.c_void_p * header[1])(*(start + y * row_bytes for y in range(header[1])))
        png.png_read_image(handle, rows)
        png.png_read_end(handle, info)
        reading = self._reading(handle, info, header, pixels.raw[: header[1] * row_bytes])
        png.png_destroy_read_struct(ctypes.byref(handle), ctypes.byref(info), None)
        return reading

    def _header(self, handle: Any, info: Any) -> tuple[int, int, int, int]:
        names = ("image_width", "image_height", "bit_depth", "color_type")
        width, height, depth, color = (
            getattr(self._png, f"png_get_{name}")(handle, info) for name in names
        )
        return width, height, depth & 0xFF, color & 0xFF

    def _reading(self, handle: Any, info: Any, header: tuple[int, int, int, int], rows: bytes):
        return Reading(
            *header,
            rows=rows,
            palette=self._palette(handle, info),
            transparency=self._transparency(handle, info, header[3]),
            physical_size=self._physical_size(handle, info),
        )

    def _palette(self, handle: Any, info: Any) -> bytes:
        colors, count = ctypes.c_void_p(), ctypes.c_int()
        by = ctypes.byref
        if not self._png.png_get_PLTE(handle, info, by(colors), by(count)):
            return b""
        return ctypes.string_at(colors, 3 * count.value)

    def _transparency(self, handle: Any, info: Any, color_type: int) -> bytes | None:
        alpha, count, color = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_void_p()
        by = ctypes.byref
        if not self._png.png_get_tRNS(handle, info, by(alpha), by(count), by(color)):
            return None
        if color_type == PALETTE:
            return ctypes.string_at(alpha, count.value)
        # png_color_16: index, padding, red, green, blue, gray.
        words = struct.unpack("=BxHHHH", ctypes.string_at(color, 10))
        picked = words[4:5] if color_type == GRAY else words[1:4]
        return struct.pack(f">{len(picked)}H", *picked)

    def _physical_size(self, handle: Any, info: Any) -> tuple[int, int, int] | None:
        x, y, unit = _U32(), _U32(), ctypes.c_int()
        by = ctypes.byref
        if not self._png.png_get_pHYs(handle, info, by(x), by(y), by(unit)):
            return None
        return x.value, y.value, unit.value


def _answer_all(files: Any, answers: IO[bytes]) -> None:
    """Answer file by file until no file is left, or libpng refuses one, which ends the process."""

    def answer(what: Reading | str) -> None:
        pickle.dump(what, answers)
        answers.flush()

    def fail(text: str) -> None:
        answer(text or "refused")
        os._exit(0)

    reader = _Reader(_library(), fail)
    while head := files.read(4):
        answer(reader.read(files.read(struct.unpack(">I", head)[0])))


def serve() -> None:
    """Read files from standard input, each after its length; write what `Libpng.read` returns."""
    # Unbuffered, so that a child does not consume bytes of the next file.
    files = os.fdopen(0, "rb", buffering=0)
    whole = _Whole(files)
    _library()  # loaded once, not in every child
    while True:
        child = os.fork()
        if not child:
            _answer_all(whole, os.fdopen(1, "wb"))
            os._exit(1)
        _, status = os.waitpid(child, 0)
        if status:
            return


class _Whole:
    """Reads as many bytes as asked for, unless the file ends."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := self._file.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def readings(files: Iterable[bytes]) -> list[Reading | str]:
    """libpng's result for each of *files*."""
    with Libpng() as libpng:
        return [libpng.read(data) for data in files]
