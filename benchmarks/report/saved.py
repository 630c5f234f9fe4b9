"""Save the tables that a benchmark prints, and insert them into the documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.report.rows import rows
from testkit.root import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def save(name: str, head: Iterable[str], body: Iterable[Iterable[str]]) -> None:
    """Save a table as results/*name*.json, which `benchmarks.report.plots` reads."""
    table = {"head": [*head], "body": [[*row] for row in body]}
    (RESULTS / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n")


def saved(name: str) -> Iterator[str]:
    """The saved table *name*, in Markdown."""
    table = _table(name)
    yield from rows(table["head"], table["body"])


def saved_beside(name: str, other: str) -> Iterator[str]:
    """Two saved tables as one: the rows of the first, with the columns of the other."""
    one, two = _table(name), _table(other)
    more = {row[0]: row[1:] for row in two["body"]}
    nothing = [""] * (len(two["head"]) - 1)
    heads = [
        cell
        for title, first, *others in (one["head"], two["head"])
        for cell in (f"{title}: {first}", *others)
    ]
    yield from rows(("", *heads), (row + more.get(row[0], nothing) for row in one["body"]))


def _table(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found
