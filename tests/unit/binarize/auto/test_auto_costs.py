"""`auto` on every processor, beside other threads, and on pages that are mostly dark."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize import color, dithering
from app.binarize.auto import (
    compare,
    layers,
    old_paper,
    page_features,
    page_maps,
    paper_depth,
    surface,
)
from app.binarize.auto.reader import read
from app.image_processor import binarize_png
from app.png import filters
from app.png.limits import PngLimits
from testkit.pages import f_measure, noise, on_old_paper, printed, scanned, shadow, text
from testkit.pngs import RGB, Picture
from testkit.root import ROOT

LIMITS = PngLimits()


def page_of(data: bytes) -> Any:
    png = binarize_png(data, method="auto", parameters={}, limits=LIMITS).png
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)


# --- the same everywhere ----------------------------------------------------------

#: A processor with AVX2 and FMA, but not what came after them; and one without any of it.
PROCESSORS = {
    "haswell": {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL", "NPY_DISABLE": "AVX512F AVX512_SKX"},
    "generic": {
        "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512-SKX,AVX512-ICL",
        "NPY_DISABLE": "AVX2 FMA3 AVX512F AVX512_SKX",
    },
}
DIGEST = """
from tests.unit.binarize.auto.test_auto_costs import digest
print(digest())
"""


def digest() -> str:
    """Of PNGs in colour and in gray, dark and light, a photograph, and a page on old paper."""
    rng, ink = np.random.default_rng(5), text(300, 420)
    paper = printed(ink) * shadow(ink.shape) + noise(ink.shape, 4)
    colored = np.dstack([paper, paper, paper])
    colored[200:204, 40:380] = (120, 180, 240)
    manuscript = on_old_paper(text(size_px=44))
    photograph = cv2.GaussianBlur(rng.normal(128, 400, (300, 420)), (0, 0), 8)
    pictures = [
        Picture(scanned(colored).astype(int), 8, RGB),
        *(
            Picture(scanned(p).astype(int)[..., None])
            for p in (paper, 255 - paper, photograph, manuscript)
        ),
    ]
    pages = [page_of(picture.encode()).tobytes() for picture in pictures]
    return hashlib.sha256(b"".join(pages)).hexdigest()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86-64")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_png_becomes_the_same_page_on_an_older_processor(processor: str, tmp_path: Path) -> None:
    disabled = PROCESSORS[processor]
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": "" if processor == "generic" else "+avx2,+fma,+bmi,+bmi2",
        "OPENCV_CPU_DISABLE": disabled["OPENCV_CPU_DISABLE"],
        "NPY_DISABLE_CPU_FEATURES": disabled["NPY_DISABLE"],
    }

    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert run.stdout.strip() == digest()


# --- beside other threads ---------------------------------------------------------


def test_every_loop_over_pixels_leaves_the_gil_free() -> None:
    modules = (
        color, compare, dithering, layers, old_paper, page_features, page_maps,
        filters, paper_depth, surface,
    )  # fmt: skip
    loops = [f for module in modules for f in vars(module).values() if hasattr(f, "targetoptions")]

    assert len(loops) >= 20
    assert all(loop.targetoptions["nogil"] for loop in loops)


# --- a light page that is the lesser part, and a page that is dark in a part -------


@pytest.mark.parametrize("share", [0.12, 0.2, 0.4])
@pytest.mark.parametrize("desk", [40, 75])
def test_a_receipt_on_a_dark_desk_is_read(share: float, desk: int) -> None:
    side = int(1000 * share**0.5)
    ink, at = text(side, side, size_px=20), (1000 - side) // 2
    wood = desk + 8 * np.sin(np.arange(1000) / 11) + noise((1000, 1000), 4)
    inside = slice(at, at + side), slice(at, at + side)
    wood[inside] = printed(ink, paper=228, black=60) + noise(ink.shape, 4)

    reading = read(scanned(wood))

    assert (reading.kind, reading.inverted) == ("writing", False)
    rim = slice(12, -12), slice(12, -12)
    assert f_measure(reading.white[inside][rim], ink[rim]) >= 90


def test_light_words_on_a_dark_band_and_dark_words_beside_it_are_both_read() -> None:
    ink = text(600, 800)
    ink[:, :250] = 1 - ink[:, :250]

    reading = read(scanned(printed(ink, black=45) + noise(ink.shape, 2)))

    assert not reading.inverted
    for part in (slice(0, 240), slice(260, 800)):
        assert f_measure(reading.white[:, part], ink[:, part]) >= 93
        # What is light is legible, too: words on the band, paper beside it.
        assert f_measure(255 - reading.white[:, part], 1 - ink[:, part]) >= 90
