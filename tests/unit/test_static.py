"""The scripts of the page: how they hang together."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "static").glob("*.js"))
IMPORT = re.compile(r'(?:from|import\()\s*"\./([\w-]+\.js)"')


def imports(text: str) -> set[str]:
    return set(IMPORT.findall(text))


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module.name: imports(module.read_text()) for module in MODULES}

    order = list(TopologicalSorter(graph).static_order())

    assert order.index("names.js") < order.index("card.js")


def test_the_check_for_circles_finds_one() -> None:
    two = {"a.js": imports('from "./b.js"'), "b.js": imports('await import("./a.js")')}

    with pytest.raises(CycleError):
        list(TopologicalSorter(two).static_order())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_module_says_in_its_first_line_what_it_is_for(module) -> None:
    assert re.match(r"// [A-Z].+[.:;,]", module.read_text())
