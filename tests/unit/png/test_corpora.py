"""Whole collections of PNGs: every verdict, and every picture against Pillow."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from app.errors import PipelineError
from app.image_processor import binarize_png
from app.png.check import inspect
from app.png.decode import decode
from app.png.limits import PngLimits
from testkit.corpora.hostile_pngs import cases
from testkit.corpora.png_cases import ACCEPT, EITHER, REJECT, Case
from testkit.png.pngs import luma
from testkit.root import ROOT

DATA = ROOT / "tests" / "data"
LIMITS = PngLimits()
HOSTILE = list(cases())
PNGSUITE = sorted(DATA.glob("pngsuite/*.png"))
LIBPNG = sorted(DATA.glob("libpng/**/*.png"))
#: A chunk that claims more than the file has, a wrong CRC or a wrong Adler-32. One of the files
#: that once crashed libpng has an empty pHYs, which is ignored.
HARMLESS = "empty_ancillary_chunks"
LIBPNG_CRASHERS = [
    path for path in LIBPNG if path.parent.name == "crashers" and path.stem != HARMLESS
]


def verdict(data: bytes) -> str:
    try:
        binarize_png(data, method="simple", parameters={}, limits=LIMITS)
    except PipelineError:
        return REJECT
    return ACCEPT


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
def test_every_generated_file_gets_the_verdict_it_deserves(case: Case) -> None:
    assert verdict(case.data) in ((ACCEPT, REJECT) if case.expect == EITHER else (case.expect,))


@pytest.mark.parametrize("path", PNGSUITE, ids=lambda path: path.stem)
def test_of_pngsuite_only_the_corrupt_files_are_refused(path: Path) -> None:
    assert verdict(path.read_bytes()) == (REJECT if path.stem.startswith("x") else ACCEPT)


@pytest.mark.parametrize("path", LIBPNG, ids=lambda path: path.stem)
def test_of_the_files_of_libpng_only_the_crashers_are_refused(path: Path) -> None:
    assert verdict(path.read_bytes()) == (REJECT if path in LIBPNG_CRASHERS else ACCEPT)


def test_the_collections_are_complete() -> None:
    counts = len(HOSTILE), len(PNGSUITE), len(LIBPNG), len(LIBPNG_CRASHERS)

    assert counts == (155, 175, 199, 22)


def with_pillow(data: bytes) -> Any:
    """The picture in gray on white by Pillow and numpy, or None where Pillow loses bits."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.load()
        key = image.info.get("transparency")
        bit_depth = data[24]
        pixels = np.asarray(image.convert("RGBA") if image.mode == "P" else image).astype(int)
    if image.mode == "RGB" and bit_depth == 16 and key is not None:
        return None  # tRNS is matched in 16 bits, of which Pillow keeps 8
    if image.mode in ("P", "RGBA", "LA"):
        gray = luma(pixels) if pixels.shape[2] == 4 else pixels[..., 0]
        return (gray * pixels[..., -1] + 255 * (255 - pixels[..., -1]) + 127) // 255
    if image.mode == "RGB":
        is_transparent = (pixels == [part & 255 for part in key]).all(axis=2) if key else False
        return np.where(is_transparent, 255, luma(pixels))
    if bit_depth == 16:
        return np.where(pixels == key, 255, pixels >> 8) if key is not None else pixels >> 8
    gray = pixels * 255 if image.mode == "1" else pixels
    if key is None:
        return gray
    top = (1 << bit_depth) - 1
    return np.where(gray == (key & top) * 255 // top, 255, gray)


@pytest.mark.parametrize(
    "data",
    [
        case.data
        for case in HOSTILE
        if case.expect != REJECT
        and verdict(case.data) == ACCEPT
        and case.name != "trns_too_long"  # libpng takes none of it, Pillow what fits
    ]
    + [path.read_bytes() for path in PNGSUITE if not path.stem.startswith("x")]
    + [path.read_bytes() for path in LIBPNG if path not in LIBPNG_CRASHERS],
    ids=lambda data: hashlib.sha256(data).hexdigest()[:8],
)
def test_what_is_decoded_equals_what_pillow_decodes(data: bytes) -> None:
    try:
        expected = with_pillow(data)
    except (ValueError, UnidentifiedImageError):
        return  # Pillow inflates text bombs, and refuses some chunks that libpng ignores

    gray = decode(data, inspect(data, LIMITS)).gray

    assert expected is None or (gray == expected).all()
