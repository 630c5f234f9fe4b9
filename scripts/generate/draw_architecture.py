"""Draw the layers of docs/architecture.md, as Mermaid, from the contracts and the real imports.

./.venv/bin/python -m scripts.generate.draw_architecture

grimp reads the imports; a row of the picture is a layer of `[tool.importlinter]` in pyproject.toml.
An arrow that follows from two others is left out.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import grimp

from scripts import usage

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- layers -->\n", "<!-- end -->\n"
Imports = dict[str, set[str]]


def layers() -> list[list[str]]:
    """Names of the packages and modules of `app`, the uppermost layer first."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    rows = tools["importlinter"]["contracts"][0]["layers"]
    return [row.split(" | ") for row in rows]


def imports() -> Imports:
    """For each package or module of `app`, those that it imports at run time."""
    graph = grimp.build_graph("app", exclude_type_checking_imports=True)
    found: Imports = {name: set() for row in layers() for name in row}
    for module in graph.modules - {"app"}:
        importer = module.split(".")[1]
        others = graph.find_modules_directly_imported_by(module) - {"app"}
        found[importer] |= {other.split(".")[1] for other in others} - {importer}
    return found


def reachable(name: str, direct: Imports) -> set[str]:
    """All that *name* imports, itself or through others."""
    return direct[name].union(*(reachable(other, direct) for other in direct[name]))


def shortest(direct: Imports) -> Imports:
    """*direct* without the arrows that follow from two others (transitive reduction)."""
    return {
        name: others - {far for other in others for far in reachable(other, direct)}
        for name, others in direct.items()
    }


def picture() -> str:
    rows = [
        f"    subgraph layer{number}[ ]\n        " + " ~~~ ".join(row) + "\n    end"
        for number, row in enumerate(layers())
    ]
    arrows = [
        f"    {name} --> {' & '.join(sorted(others))}"
        for name, others in shortest(imports()).items()
        if others
    ]
    return "\n".join(["```mermaid", "flowchart TD", *rows, *arrows, "```", ""])


def drawn(page: str) -> str:
    """*page* with a picture of the present imports."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + picture() + END + rest.partition(END)[2]


if __name__ == "__main__":
    usage.check(__doc__)
    PAGE.write_text(drawn(PAGE.read_text()))
