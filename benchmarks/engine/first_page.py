"""Measure a process's CPU time until its first page, with and without the image's machine code.

    ./.venv/bin/python -m benchmarks.engine.first_page

Processes one page by `auto` in new processes: with an empty numba cache, and with the cache that
the previous run has filled, as the image's build does. Compiles for this processor and for the
processor that the image is built for. Takes about a minute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from testkit.root import ROOT

#: As in Dockerfile and deploy/start.sh.
IMAGE = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}
PROGRAM = """
import hashlib, statistics, time
from pathlib import Path
from app.image_processor import binarize_png
scan = Path("image.png").read_bytes()
first = binarize_png(scan, method="auto")
spent = time.process_time()
pages = []
for _ in range(9):
    began = time.process_time()
    binarize_png(scan, method="auto")
    pages.append(time.process_time() - began)
sum_of = hashlib.sha256(first.png).hexdigest()[:8]
print(f"{spent:.1f} s of CPU to the first page, then {1000 * statistics.median(pages):.0f} ms each,"
      f" result {sum_of}")
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None).parse_args()
    for name, variables in {"this processor": {}, "the image's": IMAGE}.items():
        with tempfile.TemporaryDirectory() as cache:
            for state in ("empty cache", "filled"):
                print(f"{name}, {state}: {first_page(cache, variables)}", flush=True)


def first_page(cache: str, variables: dict[str, str]) -> str:
    environment = os.environ | variables | {"NUMBA_CACHE_DIR": cache}
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return said.stdout.strip()


if __name__ == "__main__":
    main()
