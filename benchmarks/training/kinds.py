"""The kinds of pages that are drawn, by name; each draws a sheet that is not yet spoiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .sheet import Rng, Sheet

Draw = Callable[[Rng], Sheet]


@dataclass(frozen=True)
class Kind:
    """How to draw a page, how often, how hard it may be spoiled, and whether it is trained on."""

    draw: Draw
    weight: float = 1.0
    hard: float = 0.7
    is_held_out: bool = False


KINDS: Final[dict[str, Kind]] = {}


def kind(**options: Any) -> Callable[[Draw], Draw]:
    """Enter a function into KINDS under its name with hyphens."""

    def enter(draw: Draw) -> Draw:
        KINDS[draw.__name__.replace("_", "-")] = Kind(draw, **options)
        return draw

    return enter
