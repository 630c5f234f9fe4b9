"""Compare `auto` with other methods per kind of page, and write the tables of docs/quality.md.

    python -m benchmarks.quality DATA_DIR [--only auto,otsu] [--parts pages,reading]

DATA_DIR holds the contests' pages (benchmarks.quality.contests). Needs requirements/quality.txt on
top of requirements/dev.txt, the fonts of requirements/fonts.apt, and Tesseract with Portuguese.
Results are in benchmarks/results/quality.json. --only keeps those of the other methods: after a
change of `auto` alone, `--only auto` takes six minutes instead of an hour.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks.engine.auto import LAST, methods_of_ours
from benchmarks.quality import everyday, others, reading, tables
from benchmarks.quality.graded_pages import GROUPS, Page, pages
from benchmarks.training import drawing

Binarizer = Callable[[Any], Any]
#: group -> kind -> method -> figures
Figures = dict[str, dict[str, dict[str, Any]]]
WORST: Final = 20
#: The groups that benchmarks/training draws.
DRAWN: Final = {"drawn", "drawn, held out"}


def main() -> None:
    arguments = _arguments()
    cv2.setNumThreads(1)
    methods = methods_of_ours(LAST) | others.methods()
    if arguments.only:
        methods = {name: each for name, each in methods.items() if name in arguments.only}
    figures = tables.results() if tables.RESULTS.exists() else {}
    check_same_pages(arguments, figures)
    for part, found in _measured(arguments, methods, figures):
        _merge(figures.setdefault(part, {}), found)
        tables.RESULTS.write_text(_on_short_lines(figures))
    tables.write()


def check_same_pages(arguments: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Refuse to compare some methods on new drawn pages with the others on old ones."""
    measured = DRAWN & set(arguments.groups.split(";"))
    if "pages" not in arguments.parts or not measured:
        return
    code = drawing.drawing_code()
    if measured == DRAWN and not arguments.only:
        figures["drawn by"] = code
    if figures.get("drawn by") != code:
        sys.exit(
            "The code that draws pages has changed since the other methods were measured. "
            "Measure all: --groups 'drawn;drawn, held out' --parts pages, without --only."
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_dir", type=Path, metavar="DATA_DIR")
    parser.add_argument("--only", type=lambda names: names.split(","), help="methods, by commas")
    parser.add_argument("--parts", default="pages,reading", help="what to measure")
    parser.add_argument("--groups", default=";".join(GROUPS), help="of pages, by semicolons")
    return parser.parse_args()


def _on_short_lines(figures: dict[str, Any]) -> str:
    """As JSON with each pair of figures on a line."""
    text = json.dumps(figures, indent=1)
    return re.sub(r"\[\s+([\d.]+),\s+([\d.]+)\s+\]", r"[\1, \2]", text) + "\n"


def _merge(old: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


def _measured(
    arguments: argparse.Namespace, methods: dict[str, Binarizer], figures: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    if "pages" in arguments.parts:
        groups = arguments.groups.split(";")
        scored = list(_scored(pages(arguments.data_dir, groups), methods))
        yield "pages", _by_kind(scored)
        if "auto" in methods and set(groups) == set(GROUPS):
            yield "worst", {"auto": _worst(scored)}
    if "reading" in arguments.parts:
        names = tables.readers(figures)
        readers = {name: each for name, each in methods.items() if name in names}
        readers["gray"] = lambda gray: gray
        yield "print", _rounded(reading.errors(readers))
        yield "codes", _rounded(reading.codes_read(readers))


Scored = tuple[Page, dict[str, tuple[float, float]]]


def _scored(graded: Iterator[Page], methods: dict[str, Binarizer]) -> Iterator[Scored]:
    """Each page with (marks kept, F-measure), in percent, by method."""
    for page in graded:
        sys.stderr.write(f"{page.group}, {page.kind}, {page.name}\n")
        found = {}
        for name, method in methods.items():
            score = everyday.score(page.truth, method(page.seen_by(name)))
            found[name] = (100 * score["marks"], score["f"])
        yield page, found


def _by_kind(scored: list[Scored]) -> Figures:
    """group -> kind -> method -> means of marks kept and F-measure."""
    found: Figures = {}
    for group, kind in dict.fromkeys((page.group, page.kind) for page, _ in scored):
        alike = [each for page, each in scored if (page.group, page.kind) == (group, kind)]
        found.setdefault(group, {})[kind] = {
            name: [round(statistics.fmean(each[name][i] for each in alike), 2) for i in (0, 1)]
            for name in alike[0]
        }
    return found


def _worst(scored: list[Scored]) -> list[list[Any]]:
    """Group, kind, name, marks kept and F-measure of the pages on which `auto` is worst."""
    with_ink = [(page, each["auto"]) for page, each in scored if (page.truth == 0).any()]
    with_ink.sort(key=lambda one: one[1][1])
    return [
        [page.group, page.kind, page.name, *(round(value, 1) for value in figures)]
        for page, figures in with_ink[:WORST]
    ]


def _rounded(found: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {key: {name: round(v, 2) for name, v in each.items()} for key, each in found.items()}


if __name__ == "__main__":
    main()
