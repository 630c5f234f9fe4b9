"""Compare every verdict and every picture with libpng's: collections and damaged files.

    python -m benchmarks.compare_png [--mutations 10000]

libpng is the one in the wheel of OpenCV, read with its defaults; where `cv2.imdecode` shows a
picture without alpha in 8 bits, that must be equal, too. Prints how often both accept and agree,
and why one of the two refuses what the other accepts. Fails if a picture differs, or if we accept
what libpng refuses. OpenCV prints libpng's warnings to standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

import cv2

from testkit import libpng
from testkit.png_verdicts import COLLECTIONS, collection, damaged, verdict


def compare(title: str, files: Iterator[bytes]) -> bool:
    """Print the counts; whether all is well."""
    counts: Counter[tuple[str, str]] = Counter()
    with libpng.Libpng() as reader:
        for data in files:
            counts[verdict(data, reader.read(data))] += 1
    print(f"\n{title}: {counts.total()} files")
    for (what, reason), count in sorted(counts.items()):
        print(f"{count:7} {what}{': ' if reason else ''}{reason}")
    return not {"DIFFERENT", "ONLY WE ACCEPT"} & {what for what, _ in counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=10_000)
    arguments = parser.parse_args()
    print(f"libpng {libpng.version()}, OpenCV {cv2.__version__}")
    results = [compare(name, iter(collection(name))) for name in COLLECTIONS]
    results.append(compare("damaged", damaged(arguments.mutations)))
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
