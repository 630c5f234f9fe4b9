"""Measure which photographs `auto` recognizes, as they are and altered.

    apt-get download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds \
        opencv-doc plasma-workspace-wallpapers
    for package in *.deb; do dpkg -x "$package" FOLDER; done
    python -m benchmarks.quality.photographs FOLDER

photographs.txt names them, of Debian 12; each is read at no more than 1,200 pixels wide and high.
--pages also reads the drawn pages with writing, and prints those that are taken for photographs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from app.binarize.auto.page_kind import PHOTOGRAPH
from app.binarize.auto.reader import read
from testkit.images.pages import noise, scanned

from .graded_pages import pages

NAMES: Final = Path(__file__).with_suffix(".txt")
MOST_PX: Final = 1200

WAYS: Final[dict[str, Callable[[Any], Any]]] = {
    "as they are": lambda gray: gray,
    "noise, 4 gray values": lambda gray: gray + noise(gray.shape, 4),
    "noise, 8 gray values": lambda gray: gray + noise(gray.shape, 8),
    "dark, 0.55 of the light": lambda gray: 0.55 * gray,
    "faded": lambda gray: 90 + 0.55 * gray,
    "half the size": lambda gray: _smaller(gray, 0.5),
    "on a white page": lambda gray: np.pad(gray, gray.shape[0] // 12, constant_values=245),
}


def photographs(folder: Path) -> list[Any]:
    """In gray; raises SystemExit if one is missing."""
    return [_small(folder / name) for name in NAMES.read_text().split()]


def _small(path: Path) -> Any:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise SystemExit(f"{path} is missing: extract the packages that --help names.")
    return _smaller(gray, min(1.0, MOST_PX / max(gray.shape)))


def _smaller(gray: Any, share: float) -> Any:
    return cv2.resize(gray, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", action="store_true", help="also read the pages with writing")
    arguments = parser.parse_args()
    found = photographs(arguments.folder)
    print(f"| {len(found)} photographs | recognized |\n|---|---:|")
    for title, way in WAYS.items():
        kinds = [read(scanned(way(gray))).kind for gray in found]
        print(f"| {title} | {kinds.count(PHOTOGRAPH)} |", flush=True)
    for page in pages(None) if arguments.pages else ():
        if read(page.seen_by("auto")).kind == PHOTOGRAPH:
            print(f"taken for a photograph: {page.group}, {page.kind} {page.name}", flush=True)


if __name__ == "__main__":
    main()
