"""Decide which files `binarize` writes, and which pages go into each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...formats.files import check_folder, check_target, free_name, page_part, without_case
from .inputs import PIPE, RESULT, Page

PNG, TIFF, PDF = "png", "tiff", "pdf"
FORMATS: Final = (PNG, TIFF, PDF)
_SUFFIXES: Final = {".png": PNG, ".tif": TIFF, ".tiff": TIFF, ".pdf": PDF}
_ENDS: Final = {PNG: ".png", TIFF: ".tif", PDF: ".pdf"}


@dataclass(frozen=True)
class Target:
    """A file to write, with the positions of its pages; *path* is None for standard output."""

    path: Path | None
    format: str
    pages: tuple[int, ...]


@dataclass(frozen=True)
class Wish:
    """The path and the format that the user wants for the results."""

    out: str | None = None
    format: str | None = None
    pdf: Path | None = None


def plan_targets(pages: Sequence[Page], wish: Wish) -> list[Target]:
    """The files to write for *pages*.

    Raises:
        ValueError: several pages, or several files, cannot go where *wish* says.
        OSError: no file can be written where *wish* says.
    """
    every = tuple(range(len(pages)))
    targets = list(_main_targets(pages, wish, every))
    if wish.pdf:
        check_target(wish.pdf)
        targets.append(Target(wish.pdf, PDF, every))
    return _without_duplicates(targets)


def _without_duplicates(targets: Sequence[Target]) -> list[Target]:
    """The *targets* without repetitions, as in `-o all.pdf --pdf all.pdf`.

    Raises:
        ValueError: two different targets have the same path.
    """
    different = list(dict.fromkeys(targets))
    paths = Counter(without_case(target.path) for target in different if target.path)
    for target in different:
        if target.path and paths[without_case(target.path)] > 1:
            raise ValueError(f"{target.path}: two different results have this path")
    return different


def _main_targets(pages: Sequence[Page], wish: Wish, every: tuple[int, ...]) -> Iterable[Target]:
    out = wish.out
    if out is None and all(isinstance(page.source, bytes) for page in pages) and not wish.pdf:
        out = PIPE
    if out is None:
        return () if wish.pdf else _beside_inputs(pages, wish.format or PNG)
    if out == PIPE:
        return [_single_target(None, wish.format or PNG, every)]
    by_name = _SUFFIXES.get(Path(out).suffix.lower())
    if by_name and not Path(out).is_dir():
        if wish.format not in (None, by_name):
            raise ValueError(f"{out} and --format {wish.format} contradict each other")
        check_target(Path(out))
        return [_single_target(Path(out), by_name, every)]
    check_folder(Path(out))
    return _in_folder(pages, Path(out), wish.format or PNG)


def _single_target(path: Path | None, format_: str, every: tuple[int, ...]) -> Target:
    if format_ == PNG and len(every) > 1:
        raise ValueError(
            f"{len(every)} pages do not fit into one PNG; name a folder, a .tif, a .pdf or --format"
        )
    return Target(path, format_, every)


def _beside_inputs(pages: Sequence[Page], format_: str) -> Iterator[Target]:
    places = [
        Path(page.name.name) if isinstance(page.source, bytes) else page.source for page in pages
    ]
    return _named_targets(pages, places, format_)


def _in_folder(pages: Sequence[Page], folder: Path, format_: str) -> Iterator[Target]:
    return _named_targets(pages, [folder / name for name in _names(pages)], format_)


def _names(pages: Sequence[Page]) -> list[Path]:
    """The path of each page's file below the folder of results.

    The path is relative to the folder that was named. If two files would get the same path, all
    paths are relative to the folder that contains all files: a number would depend on the others.
    """
    names = [page.name for page in pages]
    files = {page.source for page in pages}
    if len({without_case(name) for name in names}) == len(files):
        return names
    paths = [
        page.name if isinstance(page.source, bytes) else Path(os.path.abspath(page.source))
        for page in pages
    ]
    parents = [path.parent for path in paths if path.is_absolute()]
    common = os.path.commonpath(parents) if parents else ""
    return [path.relative_to(common) if path.is_absolute() else path for path in paths]


def _named_targets(pages: Sequence[Page], places: Sequence[Path], format_: str) -> Iterator[Target]:
    """A target for each page, or for the pages of each file; *places* are the files' own names."""
    files = [(places[run[0]], run) for run in _files(pages)]
    suffixes: dict[str, set[str]] = {}
    for place, _ in files:
        suffixes.setdefault(without_case(place.with_suffix("")), set()).add(place.suffix.lower())
    taken: set[str] = set()
    for place, positions in files:
        is_alone = len(suffixes[without_case(place.with_suffix(""))]) == 1
        # With `a.jpg` beside `a.png`, the target's name has the suffix: a number would change
        # when one of the files is missing in the next run.
        stem = place.stem if is_alone else f"{place.stem}-{place.suffix.lstrip('.').lower()}"
        for part, group in _parts(pages, positions, format_):
            path = place.with_name(f"{stem}{part}{RESULT}{_ENDS[format_]}")
            yield Target(free_name(path, taken), format_, group)


def _files(pages: Sequence[Page]) -> Iterator[tuple[int, ...]]:
    """The positions of the pages of each file."""
    start = 0
    for position in range(1, len(pages) + 1):
        if position == len(pages) or pages[position].number == 1:
            yield tuple(range(start, position))
            start = position


def _parts(
    pages: Sequence[Page], positions: tuple[int, ...], format_: str
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Pairs of the part after the stem of a target's name, and the target's pages."""
    count = pages[positions[0]].count
    if format_ != PNG or count == 1:
        yield "", positions
        return
    for position in positions:
        yield page_part(pages[position].number, count), (position,)
