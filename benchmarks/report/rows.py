"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]


def rows(head: Iterable[str], body: Iterable[Iterable[object]]) -> Iterator[str]:
    """A Markdown table with text in the first column and figures in the others."""
    names = [*head]
    yield _row(names)
    yield "|---" + "|---:" * (len(names) - 1) + "|"
    yield from map(_row, body)


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
