"""Find the pages that `upload` sends."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import PermanentError
from ..formats.as_png import as_png
from ..formats.files import check_folder, free_name, page_part, paths_of
from ..formats.kinds import FILE_LIMITS, READABLE
from ..formats.pictures import count_pages, kind_of_file


@dataclass(frozen=True)
class Source:
    """A page to send, and the path of its result if it is to be saved."""

    path: Path
    target: Path | None = None
    #: Counted from 1, of *count* pages.
    number: int = 1
    count: int = 1
    #: Why the pages could not be counted; no page of the file is then sent.
    fault: Exception | None = None

    @property
    def shown(self) -> Path:
        """The name in the report: the path, with the page number if the file has several pages."""
        if self.count == 1:
            return self.path
        return self.path.with_name(f"{self.path.stem}{page_part(self.number, self.count)}.png")

    def png(self) -> bytes:
        """The page as a PNG; a file that cannot be converted is sent unchanged.

        Raises:
            PermanentError, OSError: as `as_png`.
        """
        if self.fault:
            raise self.fault
        if kind_of_file(self.path) in READABLE:
            return as_png(self.path, self.number, FILE_LIMITS)
        return self.path.read_bytes()

    def size_bytes(self) -> int:
        """This page's share of the file."""
        try:
            return self.path.stat().st_size // self.count
        except OSError:  # the file is gone; sending it will report the error
            return 0


def find_sources(arguments: Sequence[str], out: Path | None) -> list[Source]:
    """The pages that *arguments* name: of files, folders and glob patterns.

    With *out*, each page has its own target below *out*, at its path relative to the named folder.

    Raises:
        FileNotFoundError: an argument matches no file.
        NotADirectoryError: *out* is a file.
    """
    if out:
        check_folder(out)
    found: dict[Path, Path] = {}
    for argument in arguments:
        for path, name in paths_of(argument):
            found.setdefault(Path(os.path.abspath(path)), name)
    return list(_with_targets(found, out))


def left_out(arguments: Sequence[str], sources: Sequence[Source]) -> str:
    """A sentence about the files in the named folders that are not *sources*, by their kinds."""
    sent = {Path(os.path.abspath(source.path)) for source in sources}
    kinds: Counter[str] = Counter()
    for folder in filter(Path.is_dir, map(Path, arguments)):
        for file in folder.rglob("*"):
            is_visible = not any(part.startswith(".") for part in file.relative_to(folder).parts)
            if is_visible and file.is_file() and Path(os.path.abspath(file)) not in sent:
                kinds[file.suffix.lower() or "without an ending"] += 1
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"not sent, since they are no images: {shown}" if kinds else ""


def _with_targets(found: Mapping[Path, Path], out: Path | None) -> Iterator[Source]:
    taken: set[str] = set()
    for path, name in found.items():
        for source in _pages_of(path):
            named = name.with_name(f"{source.shown.stem}-bw.png")
            yield replace(source, target=out and free_name(out / named, taken))


def _pages_of(path: Path) -> Iterator[Source]:
    try:
        count = count_pages(path, FILE_LIMITS)
    except (PermanentError, OSError) as exc:
        yield Source(path, fault=exc)
        return
    for number in range(1, count + 1):
        yield Source(path, number=number, count=count)
