"""How long functions, classes and modules may be: what is longer has a reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from testkit.root import ROOT

FOLDERS = ("app", "benchmarks", "scripts", "testkit")
MAX_FUNCTION_LINES = 40
MAX_CLASS_LINES = 200
MAX_MODULE_LINES = 300
MAX_MEDIAN_FUNCTION_LINES = 6

_ONE_LIST = "one list, which a test compares with its page in docs/"
_CASES = "a corpus: one entry or one short function a case, and nothing but cases"

#: By the name of the file, and of the function or class within it.
REASONS = {
    "errors.py": _ONE_LIST,
    "everyday.py": _CASES,
    "more.py": _CASES,
    "office.py": _CASES,
    "smuggling.py": _CASES,
}


@cache
def trees(*folders: str) -> dict[Path, ast.Module]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path: ast.parse(path.read_text()) for path in paths}


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of the docstring, which do not count."""
    first = node.body[0]
    is_docstring = ast.get_docstring(node, clean=False) is not None
    return (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0


def functions(*folders: str) -> Iterator[tuple[str, int]]:
    for path, tree in trees(*(folders or FOLDERS)).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1 - docstring_lines(node)
                yield f"{path.name} {node.name}", lines


def functions_of_tests() -> Iterator[tuple[str, int]]:
    return functions("tests")


def classes() -> Iterator[tuple[str, int]]:
    for path, tree in trees(*FOLDERS).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield f"{path.name} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def modules() -> Iterator[tuple[str, int]]:
    for path in trees(*FOLDERS):
        yield path.name, len(path.read_text().splitlines())


BOUNDS = [
    (functions, MAX_FUNCTION_LINES),
    (functions_of_tests, MAX_FUNCTION_LINES),
    (classes, MAX_CLASS_LINES),
    (modules, MAX_MODULE_LINES),
]


@pytest.mark.parametrize(("found", "most"), BOUNDS)
def test_nothing_is_longer_than_its_bound_without_a_reason(found, most: int) -> None:
    too_long = {name: lines for name, lines in found() if lines > most and name not in REASONS}

    assert too_long == {}


def test_half_of_all_functions_are_short() -> None:
    assert median(lines for _, lines in functions()) <= MAX_MEDIAN_FUNCTION_LINES


def test_every_reason_is_for_something_that_is_longer_than_its_bound() -> None:
    too_long = {name for found, most in BOUNDS for name, lines in found() if lines > most}

    assert REASONS.keys() - too_long == set()
