"""`auto` gives the same page on every processor."""

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

from app.image_processor import binarize_png
from app.png.limits import PngLimits
from testkit.images.pages import noise, on_old_paper, printed, scanned, shadow, text
from testkit.png.pngs import RGB, Picture
from testkit.root import ROOT

LIMITS = PngLimits()


def page_of(data: bytes) -> Any:
    png = binarize_png(data, method="auto", parameters={}, limits=LIMITS).png
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)


#: A processor with AVX2 and FMA but no later instructions, and one without any of them.
PROCESSORS = {
    "haswell": {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL", "NPY_DISABLE": "AVX512F AVX512_SKX"},
    "generic": {
        "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512-SKX,AVX512-ICL",
        "NPY_DISABLE": "AVX2 FMA3 AVX512F AVX512_SKX",
    },
}


DIGEST = """
from tests.integration.test_older_processors import digest
print(digest())
"""


def digest() -> str:
    """A digest of the results for color, gray, dark and light pages, a photograph and old paper."""
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
