"""Find the PNGs that `upload` sends, and save their results."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A file to send, and the path of its result if it is to be saved."""

    path: Path
    target: Path | None = None

    def size_bytes(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:  # the file is gone; sending it will report the error
            return 0


def find_sources(arguments: Sequence[str], out: Path | None) -> list[Source]:
    """The files that *arguments* name: files, folders (all PNGs below them), and glob patterns.

    With *out*, each file has its own target below *out*, at its path relative to the named folder.

    Raises:
        FileNotFoundError: an argument matches no file.
        NotADirectoryError: *out* is a file.
    """
    if out and not _can_be_folder(out):
        raise NotADirectoryError(f"{out}: a file is there, so no folder can be")
    found: dict[Path, Path] = {}
    for argument in arguments:
        paths = list(_paths(Path(argument)))
        if not paths:
            raise FileNotFoundError(f"{argument}: no PNG is there")
        for path, name in paths:
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
    return f"not sent, since they are no PNGs: {shown}" if kinds else ""


def check_target(path: Path) -> None:
    """Check, before anything is sent, that a file can be saved at *path*.

    Raises:
        OSError: *path* is a folder, or its parent is a file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a folder is there, so no file can be")
    if not _can_be_folder(path.absolute().parent):
        raise NotADirectoryError(f"{path}: a file is where its folder should be")


def save(data: bytes, target: Path) -> None:
    """Write *data* to *target* atomically: the file is complete or does not exist."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _can_be_folder(path: Path) -> bool:
    there = (place for place in (path, *path.absolute().parents) if place.exists())
    return next(there).is_dir()


def _paths(path: Path) -> Iterator[tuple[Path, Path]]:
    """Each file of *path*, and its path relative to the folder that the user named."""
    if path.is_dir():
        files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() == ".png")
        yield from ((file, file.relative_to(path)) for file in files if file.is_file())
    elif path.exists():
        yield path, Path(path.name)
    else:
        # Some shells do not expand patterns, and users quote them.
        for name in sorted(glob.glob(str(path), recursive=True)):
            yield from _paths(Path(name))


def _with_targets(found: Mapping[Path, Path], out: Path | None) -> Iterator[Source]:
    taken: set[Path] = set()
    for path, name in found.items():
        target = out and _free_target(out / name.with_name(f"{name.stem}-bw.png"), taken)
        yield Source(path, target)


def _free_target(target: Path, taken: set[Path]) -> Path:
    free, number = target, 1
    while free in taken:
        number += 1
        free = target.with_name(f"{target.stem}-{number}.png")
    taken.add(free)
    return free
