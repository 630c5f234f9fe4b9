"""Compare our methods and other libraries' with ground truth, on the same images.

    python benchmarks/quality.py DATA_DIR [--only auto,otsu] [--ours]

DATA_DIR holds SET/img and SET/gt with the same names in both (a suffix such as `_gt` may be added)
and black ink in gt. Needs doxapy for the measures, and scikit-image and OpenCV's contrib modules
for their methods and the skeletons of the pseudo-F-measure. Missing packages are reported and
skipped:

    pip install doxapy scikit-image opencv-contrib-python-headless
"""

from __future__ import annotations

import argparse
import importlib
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.binarize.methods import binarize
from app.domain.methods import METHODS

Binarizer = Callable[[Any], Any]

MEASURES = ("F-measure", "pseudo-F", "PSNR dB", "DRD", "ms/MP")
IMAGE_SUFFIXES = {".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"}
#: Affixes of ground-truth names in the data sets: H01_gt, H01-GT, H01_estGT, gt_H01.
GROUND_TRUTH_MARK = re.compile(r"^(gt|truth)[_-]|[_-]?(est)?_?(gt|bin|truth|groundtruth)$")


@dataclass(frozen=True)
class Sample:
    """A page, its ground truth (0 ink, 255 paper) and, if available, its skeleton."""

    set_name: str
    gray: Any
    truth: Any
    skeleton: Any


def main() -> int:
    arguments = _arguments()
    doxapy = _library("doxapy", "the measures need it")
    if doxapy is None:
        return 1
    samples = list(_samples(arguments.data_dir))
    if not samples:
        sys.stderr.write(f"No pairs SET/img/* and SET/gt/* under {arguments.data_dir}.\n")
        return 1
    methods = _our_methods() | ({} if arguments.ours else _other_methods(doxapy))
    chosen = {n: f for n, f in methods.items() if not arguments.only or n in arguments.only}
    results = {}
    for name, binarizer in chosen.items():
        sys.stderr.write(f"{name} ...\n")
        results[name] = _per_set(samples, binarizer, doxapy)
    _print_tables(results, samples)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data_dir", type=Path, metavar="DATA_DIR")
    parser.add_argument("--only", type=lambda names: names.split(","), help="methods, by commas")
    parser.add_argument("--ours", action="store_true", help="leave other libraries out")
    return parser.parse_args()


def _library(name: str, why: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.stderr.write(f"{name} is not installed: {why}. pip install {name.split('.')[0]}\n")
        return None


# --- the data -------------------------------------------------------------------


def _samples(data_dir: Path) -> Iterator[Sample]:
    morphology = _library("skimage.morphology", "no pseudo-F-measure without it")
    for name, _, gray, truth in pairs(data_dir):
        skeleton = None if morphology is None else morphology.skeletonize(truth == 0)
        yield Sample(name, gray, truth, skeleton)


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


# --- the methods ----------------------------------------------------------------


def _our_methods() -> dict[str, Binarizer]:
    def run(name: str, gray: Any) -> Any:
        return binarize(gray, name, METHODS[name].parse({}))[0]

    return {name: partial(run, name) for name in METHODS}


def _other_methods(doxapy: Any) -> dict[str, Binarizer]:
    methods = _opencv_methods()
    filters = _library("skimage.filters", "its methods are left out")
    if filters is not None:
        methods |= _scikit_image_methods(filters)
    return methods | _doxapy_methods(doxapy)


def _opencv_methods() -> dict[str, Binarizer]:
    def adaptive(window: int, offset: int, gray: Any) -> Any:
        mean = cv2.ADAPTIVE_THRESH_MEAN_C
        return cv2.adaptiveThreshold(gray, 255, mean, cv2.THRESH_BINARY, window, offset)

    def contrib(method: int, k: float, gray: Any) -> Any:
        binary = cv2.THRESH_BINARY
        return cv2.ximgproc.niBlackThreshold(gray, 255, binary, 25, k, binarizationMethod=method)

    methods: dict[str, Binarizer] = {
        "OpenCV adaptive mean 11/2": partial(adaptive, 11, 2),
        "OpenCV adaptive mean 75/15": partial(adaptive, 75, 15),
    }
    if not hasattr(cv2, "ximgproc"):
        sys.stderr.write("This OpenCV has no contrib modules: their methods are left out.\n")
        return methods
    ks = {"niblack": -0.2, "sauvola": 0.2, "wolf": 0.5, "nick": -0.1}
    return methods | {
        f"OpenCV ximgproc {name} 25": partial(contrib, number, k)
        for number, (name, k) in enumerate(ks.items())
    }


def _scikit_image_methods(filters: Any) -> dict[str, Binarizer]:
    def run(threshold: Callable[[Any], Any], gray: Any) -> Any:
        return np.where(gray > threshold(gray), 255, 0).astype(np.uint8)

    names = "isodata li mean minimum niblack otsu sauvola triangle yen".split()  # noqa: SIM905
    return {
        f"scikit-image {name}": partial(run, getattr(filters, f"threshold_{name}"))
        for name in names
    }


def _doxapy_methods(doxapy: Any) -> dict[str, Binarizer]:
    def run(algorithm: Any, gray: Any) -> Any:
        # Doxa takes the writable page itself, so a copy is part of the measured work.
        white = gray.copy()
        doxapy.Binarization.update_to_binary(algorithm, white)
        return white

    algorithms = doxapy.Binarization.Algorithms.__members__
    return {f"doxapy {n.lower()}": partial(run, algorithm) for n, algorithm in algorithms.items()}


# --- the measures ---------------------------------------------------------------


def _per_set(samples: list[Sample], run: Binarizer, doxapy: Any) -> dict[str, list[float]]:
    """Means over the images of each set; "average" has the means over the sets."""
    rows: dict[str, list[list[float]]] = {}
    for sample in samples:
        rows.setdefault(sample.set_name, []).append(_measure(sample, run, doxapy))
    means = {name: _means(values) for name, values in rows.items()}
    return means | {"average": _means(list(means.values()))}


def _means(rows: list[list[float]]) -> list[float]:
    return [statistics.fmean(column) for column in zip(*rows, strict=True)]


def _measure(sample: Sample, run: Binarizer, doxapy: Any) -> list[float]:
    try:
        white, seconds = _timed(run, sample.gray)
    except RuntimeError:  # scikit-image's `minimum` fails on histograms with one peak
        white, seconds = np.full_like(sample.gray, 255), float("nan")
    measured = doxapy.calculate_performance(sample.truth, np.ascontiguousarray(white))
    f_measure, drd = (0.0 if np.isnan(measured[key]) else measured[key] for key in ("fm", "drdm"))
    ms_per_mp = seconds * 1e9 / sample.gray.size
    return [f_measure, _pseudo_f_measure(sample, white), measured["psnr"], drd, ms_per_mp]


def _timed(run: Binarizer, gray: Any) -> tuple[Any, float]:
    """The result, and the shortest of three times, which other load disturbed least."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        white = run(gray)
        times.append(time.perf_counter() - started)
    return white, min(times)


def _pseudo_f_measure(sample: Sample, white: Any) -> float:
    """F-measure with recall on the ink's skeleton, so that stroke width does not matter.

    As in the contest H-DIBCO 2010: Pratikakis, Gatos, Ntirogiannis, "H-DIBCO 2010 - Handwritten
    Document Image Binarization Competition", ICFHR 2010, doi:10.1109/ICFHR.2010.118.
    """
    if sample.skeleton is None:
        return float("nan")
    ink = white == 0
    precision = (ink & (sample.truth == 0)).sum() / max(ink.sum(), 1)
    recall = (ink & sample.skeleton).sum() / max(sample.skeleton.sum(), 1)
    return float(200 * precision * recall / max(precision + recall, 1e-9))


# --- the tables -----------------------------------------------------------------


def _print_tables(results: dict[str, dict[str, list[float]]], samples: list[Sample]) -> None:
    sets = list(dict.fromkeys(sample.set_name for sample in samples))
    order = sorted(results, key=lambda name: -results[name]["average"][0])
    average = {name: results[name]["average"] for name in order}
    _print_table(f"Average over {len(sets)} sets, {len(samples)} images", MEASURES, average)
    for index, measure in enumerate(MEASURES[:-1]):
        rows = {name: [results[name][s][index] for s in sets] for name in order}
        _print_table(f"{measure} by set", tuple(sets), rows)


def _print_table(title: str, columns: tuple[str, ...], rows: dict[str, list[float]]) -> None:
    sys.stdout.write(f"\n{title}\n\n| method | {' | '.join(columns)} |\n")
    sys.stdout.write(f"|---|{'---:|' * len(columns)}\n")
    for name, values in rows.items():
        cells = " | ".join("-" if np.isnan(v) else f"{v:.1f}" for v in values)
        sys.stdout.write(f"| {name} | {cells} |\n")


if __name__ == "__main__":
    sys.exit(main())
