"""No regular expression of ours can be made to take quadratic time."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from waitress.parser import first_line_re
from waitress.rfc7230 import HEADER_FIELD_RE

from testkit.root import ROOT
from tests.project.patterns import has_adjacent_repetitions

Pattern = re.Pattern[str] | re.Pattern[bytes]
APP = ROOT / "app"
MODULES = sorted(path for path in APP.rglob("*.py") if path.stem not in {"main", "__main__"})
TAKES_PATTERN = {"compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer"}


def patterns_of_the_app() -> dict[str, Pattern]:
    """Each pattern that a module of ours holds, or writes where it uses it."""
    found = {}
    for path in MODULES:
        name = ".".join(path.relative_to(APP).with_suffix("").parts).removesuffix("__init__")
        module = importlib.import_module(f"app.{name}".rstrip("."))
        named = [value for name, value in vars(module).items() if name.endswith("PATTERN")]
        texts = [re.compile(value) for value in named if isinstance(value, str)]
        for pattern in (*held(vars(module).values()), *written(path.read_text()), *texts):
            found[f"{name}: {pattern.pattern!r}"] = pattern
    return found


def held(values: Any) -> Iterator[Pattern]:
    for value in values:
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, dict):
            yield from held(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from held(value)


def written(source: str) -> Iterator[Pattern]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        is_re = isinstance(node.func, ast.Attribute) and node.func.attr in TAKES_PATTERN
        is_of_re = is_re and isinstance(node.func.value, ast.Name) and node.func.value.id == "re"  # type: ignore[attr-defined]
        texts = node.args[:1] if is_of_re else []
        texts += [keyword.value for keyword in node.keywords if keyword.arg == "pattern"]
        for text in texts:
            if isinstance(text, ast.Constant) and isinstance(text.value, str | bytes):
                yield re.compile(text.value)  # type: ignore[type-var]


PATTERNS = patterns_of_the_app()


@pytest.mark.parametrize("name", PATTERNS)
def test_no_two_adjacent_repetitions_take_the_same_characters(name: str) -> None:
    assert not has_adjacent_repetitions(PATTERNS[name])


def test_the_patterns_of_the_application_are_found() -> None:
    modules = {name.partition(":")[0] for name in PATTERNS}

    assert {
        "domain.messages",
        "observability.tracing",
        "server.reader",
        "web.responses",
        "web.uploads",
    } <= modules


@pytest.mark.parametrize(
    "pattern",
    [
        # The one of ours that took 20 s for 2,000 blanks.
        re.compile(rb"^transfer-encoding:[ \t]*(.*?)[ \t]*\r$", re.I | re.M),
        first_line_re,
        HEADER_FIELD_RE,
        re.compile(r"(a+)+b"),
        re.compile(r"\s*,?\s*x"),
        re.compile(r"(?:a|b+)*c"),
        re.compile(r"\w+\d+"),
        re.compile(r"[^x]*y*z"),
    ],
)
def test_the_check_finds_quadratic_patterns(pattern: Pattern) -> None:
    assert has_adjacent_repetitions(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        re.compile(r"\d+-\d+"),
        re.compile(r"[a-z]+[0-9]+"),
        re.compile(r"(?:,[a-z]+)*"),
        re.compile(rb"[^/]+(/[^/]+)*"),
    ],
)
def test_the_check_accepts_linear_patterns(pattern: Pattern) -> None:
    assert not has_adjacent_repetitions(pattern)
