"""The scripts of the page: how they hang together."""

from __future__ import annotations

import json
import re
from graphlib import CycleError, TopologicalSorter

import pytest
from PIL import Image, ImageChops

from scripts.generate.draw_icons import draw_icon
from testkit.root import ROOT

MODULES = sorted((ROOT / "static").glob("*.js"))
IMPORT = re.compile(r"""(?:from|import\(?)\s*["']\./([\w-]+\.js)["']""")


def imports(text: str) -> set[str]:
    return set(IMPORT.findall(text))


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module.name: imports(module.read_text()) for module in MODULES}

    order = list(TopologicalSorter(graph).static_order())

    assert order.index("names.js") < order.index("card.js")


@pytest.mark.parametrize(
    "back",
    [
        'import { a } from "./a.js";',
        'await import("./a.js")',
        'import "./a.js";',
        "export * from './a.js';",
        'import {\n  a,\n} from\n  "./a.js";',
    ],
)
def test_the_check_for_circles_finds_one_in_every_way_to_import(back: str) -> None:
    two = {"a.js": imports('import { b } from "./b.js";'), "b.js": imports(back)}

    with pytest.raises(CycleError):
        list(TopologicalSorter(two).static_order())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_module_says_in_its_first_line_what_it_is_for(module) -> None:
    assert re.match(r"// [A-Z].+[.:;,]", module.read_text())


def test_the_service_worker_keeps_what_the_page_needs_to_start_and_no_more() -> None:
    worker = (ROOT / "static" / "sw.js").read_text()
    names = re.search(r"\.\.\.\[(.*?)\]", worker, re.DOTALL)
    assert names
    kept = {f"{name}.js" for name in re.findall(r'"([\w-]+)"', names[1])}

    assert kept == with_imports("page.js")
    for path in re.findall(r'"/static/([\w.-]+)"', worker):
        assert (ROOT / "static" / path).exists()


def with_imports(name: str) -> set[str]:
    """*name* and what it imports before it runs, and so on."""
    text = (ROOT / "static" / name).read_text()
    needed = set(re.findall(r'from "\./([\w-]+\.js)"', text))
    return {name}.union(*(with_imports(each) for each in needed))


def test_the_icons_of_the_manifest_are_there_and_are_as_large_as_it_says() -> None:
    manifest = json.loads((ROOT / "static" / "manifest.webmanifest").read_text())

    for icon in manifest["icons"]:
        path = ROOT / "static" / icon["src"]
        if icon["type"] == "image/png":
            with Image.open(path) as picture:
                assert "x".join(map(str, picture.size)) == icon["sizes"]
                is_maskable = icon.get("purpose") == "maskable"
                drawn = draw_icon(picture.width, is_maskable=is_maskable)
                assert ImageChops.difference(picture.convert("RGBA"), drawn).getbbox() is None
        else:
            assert path.exists()
