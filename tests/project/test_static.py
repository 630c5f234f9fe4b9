"""The scripts of the page: how they hang together."""

from __future__ import annotations

import json
import re
from graphlib import CycleError, TopologicalSorter

import pytest
from PIL import Image, ImageChops

from scripts.generate.draw_icons import draw_icon
from testkit.browser.page_scripts import page_scripts
from testkit.root import ROOT

MODULES = page_scripts()
IMPORT = re.compile(r"""(?:from|import\(?)\s*["']\.{1,2}/(?:\w+/)?([\w-]+\.js)["']""")


def imports(text: str) -> set[str]:
    return set(IMPORT.findall(text))


def test_no_module_imports_itself_indirectly() -> None:
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
def test_the_check_for_cycles_covers_every_form_of_import(back: str) -> None:
    two = {"a.js": imports('import { b } from "./b.js";'), "b.js": imports(back)}

    with pytest.raises(CycleError):
        list(TopologicalSorter(two).static_order())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_module_says_in_its_first_line_what_it_is_for(module) -> None:
    assert re.match(r"// [A-Z].+[.:;,]", module.read_text())


def test_the_service_worker_keeps_what_the_page_needs_to_start_and_no_more() -> None:
    worker = (ROOT / "static" / "sw.js").read_text()
    kept = {
        f"{folder}/{name}.js"
        for names, folder in re.findall(r"\[(.*?)\]\.map\(.*?`/static/(\w+)/", worker)
        for name in re.findall(r'"([\w-]+)"', names)
    }

    assert kept == with_imports("upload/page.js")
    for path in re.findall(r'"/static/([\w./-]+)"', worker):
        assert (ROOT / "static" / path).exists()


def with_imports(name: str) -> set[str]:
    """*name*, in static/, and what it imports before it runs, and so on."""
    path = ROOT / "static" / name
    needed = re.findall(r'from "(\.[\w./-]+\.js)"', path.read_text())
    places = {(path.parent / each).resolve() for each in needed}
    return {name}.union(
        *(with_imports(str(place.relative_to(ROOT / "static"))) for place in places)
    )


def test_the_icons_of_the_manifest_exist_in_the_declared_sizes() -> None:
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
