"""How long functions, classes and modules may be; a longer one says why beside it.

The reason is a comment, `# Longer than N lines: REASON`, where N is the bound. It stands directly
above a function or class, and before the first statement of a module.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from testkit.root import ROOT

FOLDERS = ("app", "benchmarks", "scripts", "testkit")
MAX_FUNCTION_LINES = 40
MAX_CLASS_LINES = 200
MAX_MODULE_LINES = 300
MAX_MEDIAN_FUNCTION_LINES = 6
REASON = re.compile(r"\s*# Longer than (\d+) lines: \w")


class Piece(NamedTuple):
    """A function, class or module; its reason is in one of the lines *head*."""

    path: Path
    name: str
    lines: int
    head: range

    def reason(self, most: int) -> str | None:
        """The place of the reason to be longer than *most* lines."""
        found = (n for n in self.head if reasons(self.path).get(n) == most)
        return next((place(self.path, n) for n in found), None)


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@cache
def paths(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def reasons(path: Path) -> dict[int, int]:
    """The bound that each reason names, by the number of its line."""
    found = ((n, REASON.match(line)) for n, line in enumerate(lines_of(path), start=1))
    return {n: int(match[1]) for n, match in found if match}


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of the docstring, which do not count."""
    first = node.body[0]
    is_docstring = ast.get_docstring(node, clean=False) is not None
    return (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0


def comment_above(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> range:
    """The lines of the comment directly above the decorators of *node*."""
    end = first = min(n.lineno for n in (node, *node.decorator_list))
    while first > 1 and lines_of(path)[first - 2].lstrip().startswith("#"):
        first -= 1
    return range(first, end)


def functions(*folders: str) -> Iterator[Piece]:
    for path in paths(*(folders or FOLDERS)):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1 - docstring_lines(node)
                yield Piece(path, node.name, lines, comment_above(path, node))


def functions_of_tests() -> Iterator[Piece]:
    return functions("tests")


def classes() -> Iterator[Piece]:
    for path in paths(*FOLDERS):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                yield Piece(path, node.name, lines, comment_above(path, node))


def modules() -> Iterator[Piece]:
    for path in paths(*FOLDERS):
        tree = tree_of(path)
        statements = tree.body[ast.get_docstring(tree) is not None :]
        head = range(1, statements[0].lineno if statements else 1)
        yield Piece(path, "module", len(lines_of(path)), head)


BOUNDS = [
    (functions, MAX_FUNCTION_LINES),
    (functions_of_tests, MAX_FUNCTION_LINES),
    (classes, MAX_CLASS_LINES),
    (modules, MAX_MODULE_LINES),
]


@pytest.mark.parametrize(("found", "most"), BOUNDS)
def test_nothing_is_longer_than_its_bound_without_a_reason_beside_it(found, most: int) -> None:
    too_long = [piece for piece in found() if piece.lines > most]

    without = [p for p in too_long if p.reason(most) is None]

    assert [f"{place(p.path, p.head.stop)} {p.name}: {p.lines}" for p in without] == []


def test_half_of_all_functions_are_short() -> None:
    assert median(piece.lines for piece in functions()) <= MAX_MEDIAN_FUNCTION_LINES


def test_every_reason_is_beside_something_that_is_longer_than_its_bound() -> None:
    written = {place(path, n) for path in paths(*FOLDERS, "tests") for n in reasons(path)}

    needed = {p.reason(most) for found, most in BOUNDS for p in found() if p.lines > most}

    assert written
    assert written - needed == set()
