"""Pages of every kind with known ink."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.quality import drawn_pages, everyday
from benchmarks.quality.contests import pairs
from benchmarks.training import drawing
from benchmarks.training.kinds import KINDS

#: The training pages have other seeds, small numbers.
SEED: Final = 5_000
PAGES_A_KIND: Final = 4
GROUPS: Final = ("everyday", "print", "drawn", "drawn, held out", "contest")
#: The methods that also use the chroma of a page.
BY_COLOR: Final = ("auto", "last auto")


@dataclass(frozen=True)
class Page:
    """A gray page and its truth: 0 ink, 255 paper, 128 does not count."""

    group: str
    kind: str
    name: str
    gray: Any
    truth: Any
    #: The gray page for the methods in BY_COLOR, if the page is in colour.
    by_color: Any = None
    #: The scan: (H, W, 3 or 4) uint8.
    scan: Any = None

    def seen_by(self, method: str) -> Any:
        """The page as the worker passes it to *method*, which may overwrite it."""
        is_colored = method in BY_COLOR and self.by_color is not None
        return np.ascontiguousarray(self.by_color if is_colored else self.gray).copy()


def pages(data_dir: Path | None, groups: Container[str] = GROUPS) -> Iterator[Page]:
    """The pages of *groups*, one after the other; those of contests from *data_dir*, if given."""
    if "everyday" in groups:
        yield from _everyday()
    if "print" in groups:
        for kind, name, gray, truth in drawn_pages.pages():
            yield Page("print", kind, name, gray, truth)
    for kind in KINDS:
        group = "drawn, held out" if KINDS[kind].is_held_out else "drawn"
        for number in range(PAGES_A_KIND) if group in groups else ():
            rng = np.random.default_rng([SEED, number, len(kind)])
            yield Page(group, kind, str(number), *drawing.drawn(rng, kind))
    if data_dir and "contest" in groups:
        for name, stem, gray, truth in pairs(data_dir):
            yield Page("contest", name, stem, gray, truth)


def _everyday() -> Iterator[Page]:
    for kind, variant, scan, truth in everyday.pages(SEED):
        by_color = everyday.gray(scan, with_color=True)
        yield Page("everyday", kind, variant, everyday.gray(scan), truth, by_color, scan)
