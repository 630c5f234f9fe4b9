"""The tables in DOCUMENTS, made from benchmarks/results.

This module makes the text between `<!-- table: NAME -->` and `<!-- end -->`, each on its own line.
`python -m benchmarks.report.plots` writes it; tests/benchmarks/test_benchmark_docs.py compares it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

from benchmarks.report import grid_tables, pipeline_tables, scaling_tables
from benchmarks.report.rows import Figures
from benchmarks.report.saved import RESULTS, saved, saved_beside
from testkit.root import ROOT

DOCUMENTS = tuple(
    ROOT / "docs" / name
    for name in ("benchmarks.md", "scaling.md", "decisions/0021-open-loop-and-model.md")
)
_MARKED = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)


def rendered(text: str, measured: Figures, projected: Figures) -> str:
    """The document *text* with regenerated tables. Raises KeyError for an unknown name."""

    return filled(text, lambda name: TABLES[name](measured, projected))


def filled(text: str, lines_of: Callable[[str], Iterable[str]]) -> str:
    """*text* with the lines of each marked table, which are found by its name."""

    def table(found: re.Match[str]) -> str:
        return found[1] + "".join(f"{line}\n" for line in lines_of(found[2])) + found[4]

    return _MARKED.sub(table, text)


def results() -> tuple[Figures, Figures]:
    """The measurements and the projections."""
    measured, projected = (
        json.loads((RESULTS / f"{name}.json").read_text()) for name in ("pipeline", "projections")
    )
    return measured, projected


TABLES: dict[str, Callable[[Figures, Figures], Iterator[str]]] = {
    "machine": pipeline_tables.machine,
    "pipelines": pipeline_tables.pipelines,
    "goals": pipeline_tables.goals,
    "components": pipeline_tables.components,
    "overload": pipeline_tables.overload,
    "idle-latency": lambda *_: saved("idle-latency"),
    "binarize": lambda *_: saved_beside("binarize-gray", "binarize-color"),
    "model": scaling_tables.model,
    "usage": scaling_tables.usage,
    "demand": scaling_tables.demand,
    "cost": scaling_tables.cost,
    "nat": scaling_tables.nat,
    "steady": scaling_tables.steady,
    "slots": scaling_tables.slots,
    "bursts": scaling_tables.bursts,
    "constant": scaling_tables.constant,
    "grid": grid_tables.grid,
    "keda-grid": grid_tables.keda_grid,
    "sensitivity": scaling_tables.sensitivity,
    "day": scaling_tables.day,
    "fairness": scaling_tables.fairness,
}
