"""Compare our PNG verdicts and pixels with libpng's, on collections and damaged files.

    python -m benchmarks.engine.compare_png [--mutations 10000]

Uses the libpng in OpenCV's wheel, with its defaults. The result of `cv2.imdecode` must also be
equal where it returns 8 bits without alpha. Prints how often both accept and agree, and why one
refuses what the other accepts. Fails if pixels differ, or if we accept what libpng refuses. OpenCV
prints libpng's warnings to standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

import cv2

from testkit.corpora.png_verdicts import COLLECTIONS, collection, damaged, verdict
from testkit.png import libpng


def compare(title: str, files: Iterator[bytes]) -> bool:
    """Print the counts; return whether no file failed."""
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
