"""The engine and other libraries at the same job, each used as its own documentation says."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from app.image_processor import binarize_png
from app.png import zlibs
from app.png.limits import PngLimits

# One thread, as for every contender.
os.environ["VIPS_CONCURRENCY"] = "1"
cv2.setNumThreads(1)
#: A noisy RGB page of 35 megapixels takes 64 MB.
LIMITS = PngLimits(max_bytes=100_000_000)
#: bytes of a PNG -> bytes of a PNG
Job = Callable[[bytes], bytes]


def ours(data: bytes) -> bytes:
    return binarize_png(data, method="otsu", parameters={}, limits=LIMITS).png


def ours_auto(data: bytes) -> bytes:
    return binarize_png(data, method="auto", parameters={}, limits=LIMITS).png


def ours_alone(data: bytes) -> bytes:
    """The engine's result without isal and zlib-ng."""
    with without_libraries():
        return ours(data)


def plain_opencv(data: bytes, flags: int = cv2.THRESH_BINARY) -> bytes:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    _, white = cv2.threshold(gray, 127, 255, flags)
    return cv2.imencode(".png", white)[1].tobytes()


def plain_opencv_otsu(data: bytes) -> bytes:
    return plain_opencv(data, cv2.THRESH_BINARY | cv2.THRESH_OTSU)


def pillow(data: bytes, mode: str = "L") -> bytes:
    from PIL import Image

    white = Image.open(io.BytesIO(data)).convert("L").point(_WHITE_OVER_127, mode)
    out = io.BytesIO()
    white.save(out, "PNG")
    return out.getvalue()


_WHITE_OVER_127 = [255 * (value > 127) for value in range(256)]


def pillow_1_bit(data: bytes) -> bytes:
    return pillow(data, "1")


def pyvips(data: bytes, **options: int) -> bytes:
    import pyvips

    image = pyvips.Image.new_from_buffer(data, "", access="sequential").colourspace("b-w")
    written: bytes = (image > 127).pngsave_buffer(**options)
    return written


def pyvips_1_bit(data: bytes) -> bytes:
    return pyvips(data, bitdepth=1)


class Sharp:
    """sharp in a Node process that times itself; call it with a path."""

    SCRIPT = """
    const sharp = require('sharp'), fs = require('fs');
    sharp.concurrency(1); sharp.cache(false);
    require('readline').createInterface({input: process.stdin}).on('line', async (path) => {
      const data = fs.readFileSync(path), start = process.cpuUsage();
      const white = sharp(data).grayscale().threshold(128).toColourspace('b-w');
      const out = await white.png().toBuffer(), spent = process.cpuUsage(start);
      console.log(JSON.stringify([(spent.user + spent.system) / 1000, out.length]));
    });"""

    def __init__(self, node: str, modules: Path) -> None:
        environment = {**os.environ, "NODE_PATH": str(modules / "node_modules")}
        self._process = subprocess.Popen(
            [node, "-e", self.SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, path: Path) -> tuple[float, int]:
        """(CPU milliseconds, bytes of the result)."""
        print(path, file=self._process.stdin, flush=True)
        time_ms, size_bytes = json.loads(next(iter(self._process.stdout or ())))
        return time_ms, size_bytes


@contextmanager
def without_libraries() -> Iterator[None]:
    """The engine with the standard library's zlib only."""
    import zlib

    saved = zlibs._isal, zlibs._zlib_ng
    zlibs._isal = zlibs._zlib_ng = zlib  # type: ignore[misc]
    try:
        yield
    finally:
        zlibs._isal, zlibs._zlib_ng = saved  # type: ignore[misc]


def contenders() -> dict[str, Job]:
    jobs: dict[str, Job] = {
        "otsu": ours,
        "auto": ours_auto,
        "without libraries": ours_alone,
        "OpenCV, 127": plain_opencv,
        "OpenCV, Otsu": plain_opencv_otsu,
        "Pillow": pillow,
        "Pillow, 1 bit": pillow_1_bit,
    }
    if importlib.util.find_spec("pyvips"):
        jobs |= {"pyvips": pyvips, "pyvips, 1 bit": pyvips_1_bit}
    return jobs
