"""Draw the layers of docs/architecture.md, as SVG, from the contracts and the real imports.

./.venv/bin/python -m scripts.generate.draw_architecture

grimp reads the imports; a row of the picture is a layer of `[tool.importlinter]` in pyproject.toml.
An arrow that follows from two others is left out. All arrows to one package share one line through
the rows between: a point of that line in a row is a *bend*.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grimp

from scripts import usage

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURE: Final = ROOT / "docs" / "images" / "layers.svg"
Imports = dict[str, set[str]]

#: Pixels. The width is that of the rows before their places are moved.
WIDTH, ROW, MARGIN, GAP = 960, 68, 12, 8
BOX_HEIGHT, CHARACTER, PADDING, BEND_WIDTH = 26, 7.3, 20, 14
#: Sweeps down and up that bring the ends of lines above one another.
SWEEPS: Final = 12


@dataclass(frozen=True, order=True)
class Place:
    """A package in its row, or the bend in a row of the line to a package further down."""

    name: str
    row: int
    is_bend: bool = False

    @property
    def width(self) -> float:
        return BEND_WIDTH if self.is_bend else CHARACTER * len(self.name) + PADDING


Lines = list[tuple[Place, Place]]


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


def lines(rows: list[list[str]], direct: Imports) -> Lines:
    """The arrows, each in steps of one row."""
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    found = set()
    for name, others in direct.items():
        for other in others:
            start = Place(name, row_of[name])
            for row in range(row_of[name] + 1, row_of[other] + 1):
                end = Place(other, row, is_bend=row < row_of[other])
                found.add((start, end))
                start = end
    return sorted(found)


def positions(rows: list[list[str]], steps: Lines) -> dict[Place, float]:
    """The horizontal middle of each place: near the middle of those that it has lines to."""
    places = {Place(name, number) for number, row in enumerate(rows) for name in row}
    places |= {place for step in steps for place in step}
    by_row = [sorted(p for p in places if p.row == row) for row in range(len(rows))]
    middle = {place: x for row in by_row for place, x in spread(row)}
    order = [*range(len(rows)), *reversed(range(len(rows)))]
    for number in order * SWEEPS:
        wanted = {place: mean_of_neighbours(place, steps, middle) for place in by_row[number]}
        by_row[number].sort(key=lambda place: (wanted[place], place))
        middle.update(packed(by_row[number], wanted))
    left = min(x - place.width / 2 for place, x in middle.items()) - MARGIN
    return {place: x - left for place, x in middle.items()}


def spread(row: list[Place]) -> Iterator[tuple[Place, float]]:
    for number, place in enumerate(row):
        yield place, WIDTH * (number + 0.5) / len(row)


def mean_of_neighbours(place: Place, steps: Lines, middle: dict[Place, float]) -> float:
    near = [middle[b if a == place else a] for a, b in steps if place in (a, b)]
    return sum(near) / len(near) if near else middle[place]


def packed(row: list[Place], wanted: dict[Place, float]) -> dict[Place, float]:
    """Positions in the order of *row*, close to the *wanted* ones and without overlap."""
    from_left = pushed_right(row, wanted)
    mirrored = {place: -x for place, x in wanted.items()}
    from_right = pushed_right(row[::-1], mirrored)
    return {place: (from_left[place] - from_right[place]) / 2 for place in row}


def pushed_right(row: list[Place], wanted: dict[Place, float]) -> dict[Place, float]:
    """The *wanted* positions, each as far to the right as those before it need."""
    left, found = -math.inf, {}
    for place in row:
        left = max(left, wanted[place] - place.width / 2)
        found[place] = left + place.width / 2
        left += place.width + GAP
    return found


def picture() -> str:
    rows = layers()
    steps = lines(rows, shortest(imports()))
    middle = positions(rows, steps)
    width = round(max(x + place.width / 2 for place, x in middle.items())) + MARGIN
    height = ROW * len(rows) - 2 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="monospace" font-size="12" text-anchor="middle">',
            '<defs><marker id="end" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" '
            'markerHeight="6" orient="auto"><path d="M0 0L6 3L0 6z" fill="#567"/></marker></defs>',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *(band(number, width) for number in range(len(rows))),
            *(line(a, b, middle) for a, b in steps),
            *(box(place, middle[place]) for place in sorted(middle) if not place.is_bend),
            "</svg>\n",
        ]
    )


def top(row: int) -> int:
    return MARGIN + row * ROW


def band(row: int, width: int) -> str:
    y, height = top(row) - 4, BOX_HEIGHT + 8
    return f'<rect x="2" y="{y}" width="{width - 4}" height="{height}" rx="4" fill="#eef2f6"/>'


def line(a: Place, b: Place, middle: dict[Place, float]) -> str:
    x, y = middle[a], top(a.row) + BOX_HEIGHT
    to_x, to_y = middle[b], top(b.row)
    bend = (to_y - y) / 2
    curve = f"M{x:.0f} {y}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y}"
    through = f"V{to_y + BOX_HEIGHT}" if b.is_bend else ""
    end = "" if b.is_bend else ' marker-end="url(#end)"'
    return f'<path d="{curve}{through}" fill="none" stroke="#789"{end}/>'


def box(place: Place, x: float) -> str:
    left, y = x - place.width / 2, top(place.row)
    return (
        f'<rect x="{left:.0f}" y="{y}" width="{place.width:.0f}" height="{BOX_HEIGHT}" rx="3" '
        f'fill="#fff" stroke="#345"/><text x="{x:.0f}" y="{y + 17}">{place.name}</text>'
    )


if __name__ == "__main__":
    usage.check(__doc__)
    PICTURE.write_text(picture())
