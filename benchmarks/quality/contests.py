"""Read pages of binarization contests, which may not be redistributed, from SET/img and SET/gt."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

IMAGE_SUFFIXES: Final = {".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"}
#: Additions of the data sets to the name of the ground truth: H01_gt, H01-GT, H01_estGT, gt_H01.
GROUND_TRUTH_MARK: Final = re.compile(r"^(gt|truth)[_-]|[_-]?(est)?_?(gt|bin|truth|groundtruth)$")


def pairs(data_dir: Path) -> Iterator[tuple[str, str, Any, Any]]:
    """(set, name, gray page, truth) of every page under *data_dir*; truth is 0 or 255."""
    for images in sorted(data_dir.glob("**/img")):
        truths = {_key(path): path for path in _files(images.parent / "gt")}
        for path in _files(images):
            truth_path = truths.get(_key(path))
            if truth_path is None:
                sys.stderr.write(f"{path} has no ground truth and is left out.\n")
                continue
            yield (images.parent.name, path.stem, *_pair(path, truth_path))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES)


def _key(path: Path) -> str:
    return GROUND_TRUTH_MARK.sub("", path.stem.lower())


def _pair(path: Path, truth_path: Path) -> tuple[Any, Any]:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    truth = cv2.imread(str(truth_path), cv2.IMREAD_GRAYSCALE)
    if gray is None or truth is None or gray.shape != truth.shape:
        raise SystemExit(f"{path} and {truth_path} cannot be read or differ in size.")
    return gray, np.where(truth < 128, 0, 255).astype(np.uint8)
