"""Write the tables in docs/quality.md from the results of benchmarks.quality.

python -m benchmarks.quality.tables
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from benchmarks.quality.others import LIBRARIES
from benchmarks.report.rows import rows
from benchmarks.report.tables import RESULTS as FOLDER
from benchmarks.report.tables import ROOT, filled

RESULTS: Final = FOLDER / "quality.json"
DOCUMENT: Final = ROOT / "docs" / "quality.md"
#: The methods of the summary, with their displayed names.
SHOWN: Final = {
    "auto": "`auto`",
    "last auto": "classical `auto`",
    "otsu": "Otsu",
    "sauvola": "Sauvola",
    "bradley": "Bradley",
}
#: Of these, the methods of the tables by kind.
BY_KIND: Final = ("auto", "otsu", "sauvola")
#: The default method and its predecessor.
OURS: Final = ("auto", "last auto")
GROUPS: Final = {
    "everyday": "everyday pages",
    "print": "modern print",
    "drawn": "drawn, kinds trained on",
    "drawn, held out": "drawn, kinds held out",
    "contest": "historical pages of contests",
}
#: The number of ways to spoil print, and of trained kinds, that the document shows: those with the
#: lowest F-measure.
HARDEST: Final = 5
#: Kinds are left out if every method of the table has at least this F-measure.
EASY_F: Final = 98.5
Figures = Mapping[str, Any]
#: The figures of one method: marks kept and F-measure.
Pair = tuple[float, float]


def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


def rendered(text: str, figures: Figures) -> str:
    """*text* of the document with regenerated tables. Raises KeyError for an unknown name."""
    return filled(text, lambda name: TABLES[name](figures))


def write() -> None:
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(), results()))


def _mean(kinds: Figures, method: str) -> Pair:
    """The mean over the kinds; each kind has the same weight, whatever its number of pages."""
    marks, f = zip(*(kinds[kind][method] for kind in kinds), strict=True)
    return statistics.fmean(marks), statistics.fmean(f)


def best(kinds: Figures, library: str) -> str:
    """The method of this library with the greatest mean F-measure over *kinds*."""
    names = [n for n in next(iter(kinds.values())) if n.startswith(f"{library} ")]
    return max(names, key=lambda name: _mean(kinds, name)[1])


def _cells(pairs: list[Pair]) -> list[str]:
    """Cells with marks / F; the greatest F-measure is bold."""
    greatest = max(round(f, 1) for _, f in pairs)
    return [
        f"{marks:.1f}/**{f:.1f}**" if round(f, 1) == greatest else f"{marks:.1f}/{f:.1f}"
        for marks, f in pairs
    ]


def summary(figures: Figures) -> Iterator[str]:
    """The mean over the kinds of each group."""
    body = []
    for group, title in GROUPS.items():
        kinds = figures["pages"][group]
        means = [_mean(kinds, name) for name in (*SHOWN, *(best(kinds, n) for n in LIBRARIES))]
        body.append([f"{title} ({len(kinds)})", *_cells(means)])
    yield from rows(["pages (kinds)", *SHOWN.values(), *(f"best of {n}" for n in LIBRARIES)], body)


def by_kind(group: str, figures: Figures, *, hardest: int = 0) -> Iterator[str]:
    """The kinds of *group* but easy ones, or the *hardest* with the lowest F; and the mean."""
    kinds = figures["pages"][group]
    names = [*BY_KIND, *(best(kinds, library) for library in LIBRARIES)]
    shown = [kind for kind in kinds if min(kinds[kind][name][1] for name in names) < EASY_F]
    if hardest:
        shown = sorted(shown, key=lambda kind: kinds[kind]["auto"][1])[:hardest]
    body = [[kind, *_cells([tuple(kinds[kind][name]) for name in names])] for kind in shown]
    title = "**mean**" if len(shown) == len(kinds) else f"**mean of all {len(kinds)}**"
    body.append([title, *_cells([_mean(kinds, name) for name in names])])
    yield from rows(["kind", *(SHOWN.get(name, name) for name in names)], body)


def print_read(figures: Figures) -> Iterator[str]:
    """Wrong characters in percent."""
    found, names = figures["print"], _readers_shown(figures)
    body = [[page, *(f"{each[name]:.2f}" for name in names)] for page, each in found.items()]
    body.append(["**mean**", *(f"{_column_mean(found, name):.2f}" for name in names)])
    yield from rows(["page", *(SHOWN.get(name, name) for name in names)], body)


def codes_read(figures: Figures) -> Iterator[str]:
    found, names = figures["codes"], _readers_shown(figures)
    body = [[kind, *(f"{each[name]:.0f}" for name in names)] for kind, each in found.items()]
    yield from rows(["of 18 each", *(SHOWN.get(name, name) for name in names)], body)


def readers(figures: Figures) -> list[str]:
    """The methods read by machine: gray, SHOWN, and each library's best on modern print."""
    return ["gray", *SHOWN, *(best(figures["pages"]["print"], library) for library in LIBRARIES)]


def _readers_shown(figures: Figures) -> list[str]:
    return [name for name in readers(figures) if name not in SHOWN or name in BY_KIND]


def _column_mean(found: Figures, name: str) -> float:
    return statistics.fmean(each[name] for each in found.values())


TABLES: Final[dict[str, Callable[[Figures], Iterator[str]]]] = {
    "summary": summary,
    "everyday": partial(by_kind, "everyday"),
    "print": partial(by_kind, "print", hardest=HARDEST),
    "contest": partial(by_kind, "contest"),
    "held-out": partial(by_kind, "drawn, held out"),
    "drawn": partial(by_kind, "drawn", hardest=HARDEST),
    "print-read": print_read,
    "codes-read": codes_read,
}


if __name__ == "__main__":
    write()
