"""Compare the verdict and every pixel of `app.png` with those of libpng."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple

import cv2
import numpy as np

from app.errors import PipelineError
from app.png.check import inspect
from app.png.decode import decode
from app.png.limits import PngLimits
from testkit.corpora import hostile_pngs, mutated_pngs, odd_pngs
from testkit.png import libpng
from testkit.png.pngs import GRAY, RGB, luma
from testkit.root import ROOT

DATA = ROOT / "tests" / "data"
LIMITS = PngLimits()
COLLECTIONS = ("pngsuite", "libpng", "hostile", "odd")
#: The allowed reasons to refuse a file that libpng accepts: critical chunks must meet the
#: specification, and time and memory are bounded. N stands for any number.
STRICTER = {
    "corrupt-png: Chunk IEND at offset N has a wrong CRC.",
    "corrupt-png: IEND at offset N has N bytes, not N.",
    "corrupt-png: IDAT at offset N is not directly after the previous IDAT.",
    "corrupt-png: The first chunk is not IHDR.",
    # After the last row libpng only warns of damage and of a missing checksum.
    "corrupt-png: The pixel data breaks off before its checksum.",
    "corrupt-png: The pixel data is not a valid zlib stream.",
    "unsupported-png: The PNG is animated; send one page as one still image.",
    "unsupported-png: The file has more than N chunks.",
    "unsupported-png: N bytes of pixel data for N x N pixels are over N.",
    "unsupported-png: Over N bytes of pixel data follow the N that the header promises.",
}


def collection(name: str) -> list[bytes]:
    if name == "hostile":
        return [case.data for case in hostile_pngs.cases()]
    if name == "odd":
        return [case.data for case in odd_pngs.cases()]
    return [path.read_bytes() for path in sorted((DATA / name).rglob("*.png"))]


def damaged(count: int) -> Iterator[bytes]:
    originals = [data for name in COLLECTIONS for data in collection(name)]
    return mutated_pngs.mutated([data for data in originals if mutated_pngs.fit(data)], count)


def verdict(data: bytes, theirs: libpng.Reading | str) -> tuple[str, str]:
    """The verdict on a file from `app.png` and libpng, with the reason of a refusal."""
    try:
        info = inspect(data, LIMITS)
        gray = decode(data, info).gray
    except PipelineError as error:
        if isinstance(theirs, str):
            return "both refuse", ""
        return "only libpng accepts", re.sub(r"\d+", "N", f"{error.code}: {error.detail}")
    if isinstance(theirs, str):
        return "ONLY WE ACCEPT", theirs
    size = theirs.physical_size
    if info.physical_size and (ours := astuple(info.physical_size)) != size:
        return "DIFFERENT", f"physical size {ours}, not {size}"
    if not (gray == theirs.gray()).all() or not _equals_opencv(data, theirs, gray):
        return "DIFFERENT", "pixels"
    return "both accept, equal", ""


def _equals_opencv(data: bytes, theirs: libpng.Reading, gray: np.ndarray) -> bool:
    """Whether `cv2.imdecode` returns *gray*; True where it differs by design."""
    if theirs.bit_depth != 8 or theirs.color_type not in (GRAY, RGB) or theirs.transparency:
        return True
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return False
    shown = luma(pixels[..., ::-1].astype(int)) if pixels.ndim == 3 else pixels
    return bool((shown == gray).all())
