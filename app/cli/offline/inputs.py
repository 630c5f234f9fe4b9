"""Find the pages of the files, folders, patterns and pipes that `binarize` is given."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from ...errors import PermanentError
from ...formats.files import paths_of
from ...formats.kinds import SUFFIXES
from ...formats.pictures import Source, count_pages
from ...png.limits import PngLimits

#: The argument that stands for standard input.
PIPE: Final = "-"
#: The suffix of a result's stem.
RESULT: Final = "-bw"
#: The stem of a result: its original's stem and suffix, the page, `-bw`, and a number.
_RESULT_NAME: Final = re.compile(
    rf"(.*?)(?:-(?:{'|'.join(end[1:] for end in SUFFIXES)}))?(?:-p\d+)?{RESULT}(?:-\d+)?", re.DOTALL
)


@dataclass(frozen=True)
class Page:
    """One page of one file."""

    source: Source = field(repr=False)
    #: The file's name as the user knows it.
    shown: str
    #: The file's path relative to the folder that was named.
    name: Path
    #: Counted from 1.
    number: int = 1
    count: int = 1
    #: Why the pages could not be counted; no page of the file is then processed.
    fault: Exception | None = None

    @property
    def title(self) -> str:
        return self.shown if self.count == 1 else f"{self.shown}, page {self.number}"


@dataclass
class Inputs:
    """The pages to process, and the number of earlier results in folders, which are skipped."""

    pages: list[Page]
    left_out: int = 0


def find_inputs(
    arguments: Sequence[str], read_pipe: Callable[[int], bytes], limits: PngLimits
) -> Inputs:
    """All pages of *arguments*, each file once; *read_pipe* reads at most the given bytes.

    Raises:
        FileNotFoundError: an argument names no image.
        ValueError: the pipe is named twice, or empty.
    """
    if arguments.count(PIPE) > 1:
        raise ValueError("- can be given once")
    found, inputs, stems = set[Path](), Inputs([]), cache(_stems_in)
    for argument in arguments:
        if argument == PIPE:
            data = read_pipe(limits.max_bytes + 1)
            inputs.pages += _pages_of(data, "standard input", Path("stdin"), limits)
            continue
        for path, name in paths_of(argument):
            absolute = Path(os.path.abspath(path))
            if absolute in found:
                continue
            found.add(absolute)
            if _is_result(path, argument, stems):
                inputs.left_out += 1
            else:
                inputs.pages += _pages_at(path, name, limits)
    return inputs


def _is_result(path: Path, argument: str, stems: Callable[[Path], AbstractSet[str]]) -> bool:
    """Whether *path* has a result's name, and was found in a folder or is beside its original.

    So a second run over `scans/` or `scans/*.png` does not process the results of the first.
    """
    named = _RESULT_NAME.fullmatch(path.stem)
    if not named:
        return False
    return Path(argument).is_dir() or named[1] in stems(path.parent)


def _stems_in(folder: Path) -> frozenset[str]:
    """The names of the images in *folder*, without their suffixes."""
    return frozenset(path.stem for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _source(path: Path, limits: PngLimits) -> Source:
    """*path*; its contents if it is a pipe such as /dev/fd/63."""
    if path.is_file():
        return path
    with path.open("rb") as file:
        return file.read(limits.max_bytes + 1)


def _pages_at(path: Path, name: Path, limits: PngLimits) -> Iterator[Page]:
    try:
        source = _source(path, limits)
    except OSError as exc:
        yield Page(path, str(path), name, fault=exc)
        return
    yield from _pages_of(source, str(path), name, limits)


def _pages_of(source: Source, shown: str, name: Path, limits: PngLimits) -> Iterator[Page]:
    try:
        count = count_pages(source, limits)
    except (PermanentError, OSError) as exc:
        yield Page(source, shown, name, fault=exc)
        return
    for number in range(1, count + 1):
        yield Page(source, shown, name, number, count)
