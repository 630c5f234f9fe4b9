"""Compare the default method with others and its predecessor, on every kind of page.

    python -m benchmarks.engine.auto [DATA_DIR] [--last [COMMIT]] [--worst FILE.png]
        [--parts pages,time]

Prints marks kept and F-measure in percent on everyday pages (benchmarks.quality.everyday, with
seeds that were never trained on), on drawn pages of the trained and of the held-out kinds and, with
DATA_DIR, on the contest sets SET/img and SET/gt in it. Then prints the time by page and size, and
the share that OCR and code readers still read (needs tesseract, its Portuguese data, and zxing-cpp
from PyPI). The predecessor is the classical `auto`; --last takes it from the history.
"""

from __future__ import annotations

import argparse
import importlib
import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from app.binarize.auto import reader, surface
from app.binarize.methods import binarize
from app.domain.methods import METHODS
from benchmarks.quality import everyday, reading
from benchmarks.quality.graded_pages import Page, pages
from benchmarks.training import drawing
from testkit.root import ROOT

#: The last commit with the classical `auto`.
LAST: Final = "the last"
OTHERS: Final = ("otsu", "sauvola", "bradley", "wolf")
Binarizer = Callable[[Any], Any]


def main() -> None:
    arguments = _arguments()
    cv2.setNumThreads(1)
    methods = methods_of_ours(arguments.last, arguments.weights)
    if arguments.only:
        methods = {name: each for name, each in methods.items() if name in arguments.only}
    if "pages" in arguments.parts:
        report_pages(list(pages(arguments.data_dir)), methods, arguments.worst)
    if "time" in arguments.parts:
        timed = ("auto", "last auto", "otsu")
        report_times({name: each for name, each in methods.items() if name in timed})
    if "reading" in arguments.parts:
        reading.report({"gray": lambda gray: gray, **methods})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_dir", type=Path, nargs="?", metavar="DATA_DIR")
    parser.add_argument(
        "--last",
        nargs="?",
        const=LAST,
        metavar="COMMIT",
        help="measure the classical `auto` of this commit too; if none is named, of the last one",
    )
    parser.add_argument(
        "--weights", type=Path, help="weights to use instead of app/binarize/auto/surface.npz"
    )
    parser.add_argument("--worst", type=Path, help="draw the twenty worst pages into this file")
    parser.add_argument(
        "--only", type=lambda names: names.split(","), help="methods, separated by commas"
    )
    parser.add_argument("--parts", default="pages,time,reading", help="what to measure")
    return parser.parse_args()


def methods_of_ours(last: str | None, weights: Path | None = None) -> dict[str, Binarizer]:
    """`auto`, its predecessor of the commit *last* if given, and OTHERS, with their defaults."""

    def run(name: str) -> Binarizer:
        return lambda gray: binarize(gray, name, METHODS[name].parse({}))[0]

    methods = {"auto": _auto_with(weights) if weights else run("auto")}
    if last:
        methods["last auto"] = _last_auto(last)
    return methods | {name: run(name) for name in OTHERS}


def _auto_with(weights: Path) -> Binarizer:
    """`auto` with the weights in a file."""
    learned = surface.weights(weights)
    return lambda gray: reader.read(gray, learned).white


def _last_auto(commit: str) -> Binarizer:
    """The `auto` of a commit, loaded beside the present one."""
    if commit == LAST:
        commit = _git("log", "-1", "--diff-filter=D", "--format=%H^", "--", "app/auto.py").decode()
    archive = _git("archive", commit.strip(), "app")
    folder = Path(tempfile.mkdtemp())
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    (folder / "app").rename(folder / "last_app")
    sys.path.insert(0, str(folder))
    function = importlib.import_module("last_app.auto").auto
    # A method may overwrite its page.
    return lambda gray: function(gray.copy())[0]


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


# --- quality ---------------------------------------------------------------------


def report_pages(graded: list[Page], methods: dict[str, Binarizer], worst: Path | None) -> None:
    scores: dict[str, list[dict[str, float]]] = {}
    for name, method in methods.items():
        sys.stderr.write(f"{name} ...\n")
        scores[name] = [everyday.score(p.truth, method(p.seen_by(name))) for p in graded]
    for group in dict.fromkeys(page.group for page in graded):
        _print_group(group, graded, scores)
    if worst:
        draw_worst(graded, scores["auto"], methods["auto"], worst)


def _print_group(group: str, graded: list[Page], scores: dict[str, list[dict[str, float]]]) -> None:
    print(f"\n### {group}: marks kept / F-measure\n")
    print(f"| kind | {' | '.join(scores)} |\n|---|{'---|' * len(scores)}")
    means: dict[str, list[tuple[float, float]]] = {name: [] for name in scores}
    for kind in dict.fromkeys(page.kind for page in graded if page.group == group):
        cells = []
        for name, each in scores.items():
            chosen = [
                score
                for page, score in zip(graded, each, strict=True)
                if (page.group, page.kind) == (group, kind)
            ]
            marks, f = (statistics.fmean(s[key] for s in chosen) for key in ("marks", "f"))
            means[name].append((100 * marks, f))
            cells.append(f"{100 * marks:.1f} / {f:.1f}")
        print(f"| {kind} | {' | '.join(cells)} |")
    averages = (
        f"{statistics.fmean(m for m, _ in each):.2f} / {statistics.fmean(f for _, f in each):.2f}"
        for each in means.values()
    )
    print(f"| **mean** | {' | '.join(averages)} |", flush=True)


def draw_worst(
    graded: list[Page], scores: list[dict[str, float]], method: Binarizer, path: Path
) -> None:
    """Draw the twenty pages with the lowest F-measure and the results: lost ink red, dirt blue."""
    order = sorted(
        (i for i, page in enumerate(graded) if (page.truth == 0).any()),
        key=lambda i: scores[i]["f"],
    )
    pictures = []
    for i in order[:20]:
        page = graded[i]
        white = method(page.seen_by("auto"))
        marks, f = 100 * scores[i]["marks"], scores[i]["f"]
        print(f"{page.group} {page.kind} {page.name}: {marks:.1f} / {f:.1f}")
        pictures.append(_picture(page, white, f"{page.kind} {page.name} {marks:.0f}/{f:.0f}"))
    rows = [np.hstack(pictures[i : i + 2]) for i in range(0, len(pictures) - 1, 2)]
    cv2.imwrite(str(path), np.vstack(rows))


def _picture(page: Page, white: Any, title: str) -> Any:
    height, width = 520, 760
    gray, truth, white = (
        cv2.copyMakeBorder(
            a[:height, :width], 0, max(0, height - len(a)), 0, max(0, width - a.shape[1]),
            cv2.BORDER_CONSTANT, value=200,
        )
        for a in (page.seen_by("auto"), page.truth, white)
    )  # fmt: skip
    result = np.dstack([white] * 3)
    result[(white == 0) & (truth == 255)] = (255, 80, 0)
    result[(white > 0) & (truth == 0)] = (0, 0, 255)
    both = np.hstack([np.dstack([gray] * 3), result])
    cv2.putText(both, title, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 140, 0), 2)
    return cv2.resize(both, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)


# --- time ------------------------------------------------------------------------


def timed_pages() -> dict[str, Any]:
    """Pages of 2 to 35 megapixels: clean, noisy, photographed and handwritten."""
    from testkit.images.pages import noise, printed, scanned, shadow, text

    def page(height: int, size_px: int, spoil: Callable[[Any], Any]) -> Any:
        return scanned(spoil(tiled(text(1170, 827, size_px=size_px), height)))

    def tiled(piece: Any, height: int) -> Any:
        width = round(height / 2**0.5)
        times = (-(-height // piece.shape[0]), -(-width // piece.shape[1]))
        return np.ascontiguousarray(np.tile(piece, times)[:height, :width])

    hand, _ = drawing.drawn(np.random.default_rng(3), "old-hand")
    return {
        "2 MP, clean": page(1682, 22, lambda ink: printed(ink) + noise(ink.shape, 1)),
        "3.9 MP, A4 at 200 dpi, clean": page(2339, 28, printed),
        "3.9 MP, noisy": page(2339, 28, lambda ink: printed(ink) + noise(ink.shape, 6)),
        "3.9 MP, old hand": tiled(hand, 2339),
        "8.7 MP, A4 at 300 dpi, clean": page(3508, 42, printed),
        "8.7 MP, camera": page(
            3508, 42, lambda ink: printed(ink) * shadow(ink.shape) + noise(ink.shape, 6)
        ),
        "8.7 MP, old hand": tiled(hand, 3508),
        "35 MP, noisy": page(7016, 84, lambda ink: printed(ink) + noise(ink.shape, 4)),
    }


def report_times(methods: dict[str, Binarizer]) -> None:
    """Print the CPU time of one thread, medians of interleaved rounds, and the ratio."""
    print(f"\n### Time, ms a megapixel\n\n| page | {' | '.join(methods)} | share |")
    print(f"|---|{'---:|' * (len(methods) + 1)}")
    for title, gray in timed_pages().items():
        times: dict[str, list[float]] = {name: [] for name in methods}
        for _ in range(9 if gray.size < 2e7 else 4):
            for name, method in methods.items():
                started = time.thread_time()
                method(gray)
                times[name].append((time.thread_time() - started) * 1e9 / gray.size)
        # The first round warms up.
        medians = {name: statistics.median(each[1:]) for name, each in times.items()}
        cells = " | ".join(f"{value:.2f}" for value in medians.values())
        share = medians["auto"] / medians.get("last auto", medians["auto"])
        print(f"| {title} | {cells} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
