"""Measure what Tesseract and code readers still read on black-and-white pages.

    python -m benchmarks.quality.reading [--draws 12] [--weights FILE]

--draws N also reads N more sets of twelve pages, with other texts, noise, faces and sizes, and
counts the codes that `auto` loses of N sets of 54, this one included.
Needs Debian's tesseract-ocr, tesseract-ocr-por, fonts-liberation and fonts-dejavu-core, and
zxing-cpp from PyPI.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.binarize.auto.reader import read as read_page
from app.binarize.auto.surface import WEIGHTS_FILE, weights

from .codes import KINDS_OF_CODE, codes
from .printed_pages import pages

Binarizer = Callable[[Any], Any]


def distance(a: str, b: str) -> int:
    """The Levenshtein distance: letters to insert, delete or replace."""
    letters = np.array([ord(c) for c in b])
    row = np.arange(len(b) + 1)
    places = np.arange(len(b) + 1)
    for number, letter in enumerate(a, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(letter)))
        values = np.concatenate([[number], changed])
        row = np.minimum.accumulate(values - places) + places
    return int(row[-1])


def read(page: Any) -> str:
    """The text that Tesseract reads."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        cv2.imwrite(file.name, page)
        command = ["tesseract", file.name, "-", "-l", "por", "--psm", "6", "--dpi", "200"]
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return " ".join(run.stdout.split())


def errors(methods: dict[str, Binarizer], draw: int = 0) -> dict[str, dict[str, float]]:
    """The share of wrong characters per page and method, in percent; empty without Tesseract."""
    if not shutil.which("tesseract"):
        sys.stderr.write("Print is not read: no tesseract.\n")
        return {}

    def wrong(page: Any, text: str) -> float:
        wanted = " ".join(text.split())
        return 100 * distance(wanted, read(page)) / len(wanted)

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        waited = {
            title: {n: executor.submit(wrong, m(gray.copy()), text) for n, m in methods.items()}
            for title, gray, text in pages(draw)
        }
        return {
            title: {name: future.result() for name, future in each.items()}
            for title, each in waited.items()
        }


def codes_read(methods: dict[str, Binarizer]) -> dict[str, dict[str, float]]:
    """The number of codes read, of 18, per kind and method; empty without zxing-cpp."""
    try:
        zxing = importlib.import_module("zxingcpp")
    except ImportError:
        sys.stderr.write("Codes are not read: no zxing-cpp.\n")
        return {}
    found: dict[str, dict[str, float]] = {k: dict.fromkeys(methods, 0) for k in KINDS_OF_CODE}
    for kind, text, gray in codes(zxing):
        for name, method in methods.items():
            page = np.ascontiguousarray(method(gray.copy()))
            found[kind][name] += any(b.text == text for b in zxing.read_barcodes(page))
    return found


def lost_codes(method: Binarizer, draws: int) -> tuple[int, int]:
    """The number of codes that are readable in gray, and how many of them *method* loses.

    Raises ImportError without zxing-cpp.
    """
    zxing = importlib.import_module("zxingcpp")

    def is_read(page: Any, text: str) -> bool:
        return any(b.text == text for b in zxing.read_barcodes(np.ascontiguousarray(page)))

    readable = [
        (text, gray)
        for draw in range(draws)
        for _, text, gray in codes(zxing, draw)
        if is_read(gray, text)
    ]
    return len(readable), sum(not is_read(method(gray.copy()), text) for text, gray in readable)


def means_of_draws(methods: dict[str, Binarizer], draws: int) -> dict[str, dict[str, float]]:
    """The mean share of wrong characters per kind of page and method over the draws 1 to *draws*.

    The weights of `auto` may be chosen by these; draw 0, the twelve pages of docs/quality.md,
    judges them.
    """
    found = [errors(methods, draw) for draw in range(1, draws + 1)]
    return {
        title: {name: statistics.fmean(each[title][name] for each in found) for name in methods}
        for title in found[0]
    }


def report(methods: dict[str, Binarizer]) -> None:
    """Print the recognition results per page or code, and method."""
    print("\n### Character errors of Tesseract, percent\n")
    _print_table(errors(methods), "{:.2f}")
    print("\n### Codes read by zxing-cpp, of 18 each\n")
    _print_table(codes_read(methods), "{:.1f}")


def _print_table(found: dict[str, dict[str, float]], form: str) -> None:
    titles = {"mean": {n: statistics.fmean(e[n] for e in found.values()) for n in _names(found)}}
    print(f"| | {' | '.join(_names(found))} |\n|---|{'---:|' * len(_names(found))}")
    for title, values in (found | titles).items():
        print(f"| {title} | {' | '.join(form.format(v) for v in values.values())} |")


def _names(found: dict[str, dict[str, float]]) -> list[str]:
    return list(next(iter(found.values()), {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=0, help="more sets of pages and codes")
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FILE)
    arguments = parser.parse_args()
    learned = weights(arguments.weights)

    def auto(gray: Any) -> Any:
        return read_page(gray, learned).white

    methods: dict[str, Binarizer] = {"gray": lambda gray: gray, "auto": auto}
    report(methods)
    if arguments.draws < 1:
        return
    print(f"\n### Character errors, means of {arguments.draws} more draws\n")
    _print_table(means_of_draws(methods, arguments.draws), "{:.2f}")
    readable, lost = lost_codes(auto, arguments.draws)
    print(f"\n{readable} codes of {arguments.draws} draws are read in gray; `auto` loses {lost}.")


if __name__ == "__main__":
    main()
