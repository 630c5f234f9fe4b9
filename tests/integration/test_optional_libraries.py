"""The libraries that make zlib faster change no pixel and no refusal."""

from __future__ import annotations

import subprocess
import sys

from testkit.root import ROOT

FINGERPRINT = """
import hashlib, sys
for name in {missing!r}:
    sys.modules[name] = None
from pathlib import Path
from app.png import zlibs
from app.errors import PipelineError
from app.png.check import PngLimits, inspect
from app.png.decode import decode
from testkit.corpora.hostile_pngs import cases
print([zlibs._isal.__name__, zlibs._zlib_ng.__name__])
digest = hashlib.sha256()
for data in [path.read_bytes() for path in sorted(Path("tests/data").rglob("*.png"))] + [
    case.data for case in cases()
]:
    try:
        digest.update(decode(data, inspect(data, PngLimits())).gray)
    except PipelineError as error:
        digest.update(error.detail.encode())
print(digest.hexdigest())
"""


def fingerprint(*missing: str) -> list[str]:
    """The libraries in use, and a digest of all pictures and refusals, in a fresh process."""
    code = FINGERPRINT.format(missing=missing)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


def test_without_the_optional_libraries_every_picture_and_refusal_is_the_same() -> None:
    in_use, as_installed = fingerprint()
    in_use_alone, alone = fingerprint("isal", "isal.isal_zlib", "zlib_ng", "zlib_ng.zlib_ng")

    assert in_use_alone == "['zlib', 'zlib']"
    assert as_installed == alone, f"with {in_use}"
