"""docs/logs.md lists the events of the code, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from testkit.root import ROOT

APP = ROOT / "app"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "say"}
LOGGERS = {"logger", "say"}
#: A line that replaces one that could not be written; its reason is in the event.
LOST = "log line lost: ..."


def events(path: Path) -> Iterator[str]:
    """The events that a module logs through `get_logger`."""
    source = path.read_text()
    if "get_logger(" not in source:
        return
    tree = ast.parse(source)
    texts = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_of_log(node.func) and node.args:
            event = node.args[0]
            known = texts.get(event.id, event) if isinstance(event, ast.Name) else event
            yield from constants(known)


def is_of_log(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id == "say"
    return (
        isinstance(called, ast.Attribute)
        and called.attr in LEVELS
        and isinstance(called.value, ast.Name)
        and called.value.id == "logger"
    )


def constants(value: ast.expr) -> list[str]:
    """The texts that *value* can be."""
    if isinstance(value, ast.IfExp):
        return constants(value.body) + constants(value.orelse)
    return [value.value] if isinstance(value, ast.Constant) and isinstance(value.value, str) else []


def listed() -> list[str]:
    page = (ROOT / "docs" / "logs.md").read_text()
    table = page.partition("| event | meaning |")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    return [event for cell in cells for event in re.findall(r"`([^`]+)`", cell)]


def logged() -> set[str]:
    modules = [p for p in APP.rglob("*.py") if "cli" not in p.parts or p.name != "upload_report.py"]
    return {event for path in modules for event in events(path)}


def test_the_list_has_exactly_the_events_of_the_code() -> None:
    found = listed()

    assert len(found) == len(set(found))
    assert set(found) - {LOST} == logged()
    assert LOST in found
