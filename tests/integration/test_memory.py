"""The processing of a page reuses the memory of the pages before it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from testkit.root import ROOT

FAULTS = """
import resource
import numpy as np
from app.image_processor import binarize_png
from app.numeric.memory import keep_freed_memory
from app.png.limits import PngLimits
from testkit.images.pages import printed, scanned, text
from testkit.png.pngs import Picture

if {is_kept}:
    keep_freed_memory()
page = np.tile(scanned(printed(text())), (5, 3))
data = Picture(page.astype(int)[..., None]).encode()

def faults_of(pages):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(pages):
        binarize_png(data, method="auto", parameters={{}}, limits=PngLimits())
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults_of(3)
print(faults_of(5) // 5)
"""


def faults_a_page(*, is_kept: bool) -> int:
    run = subprocess.run(
        [sys.executable, "-c", FAULTS.format(is_kept=is_kept)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_process_that_keeps_memory_has_under_100_page_faults_a_page() -> None:
    assert faults_a_page(is_kept=True) < 100 < faults_a_page(is_kept=False)
