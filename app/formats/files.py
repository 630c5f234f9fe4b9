"""Find the files that a command's arguments name, and save results."""

from __future__ import annotations

import errno
import glob
import os
import secrets
from collections.abc import Iterator
from itertools import filterfalse
from pathlib import Path

from .kinds import SUFFIXES


def paths_of(argument: str) -> Iterator[tuple[Path, Path]]:
    """The files that *argument* names, each with its path relative to the folder that it names.

    A file stands for itself, whatever its name. A folder stands for all images below it, except
    hidden ones, and for the folders below it that cannot be read. A glob pattern stands for the
    files and folders that it matches.

    Raises:
        FileNotFoundError: *argument* names no file.
    """
    found = list(_paths(Path(argument)))
    if not found:
        raise FileNotFoundError(f"{argument}: no image was found")
    yield from found


def check_target(path: Path) -> None:
    """Check, before anything is computed, that a file can be saved at *path*.

    Raises:
        OSError: *path* is a folder, or its parent is a file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a folder has this name; a file is needed")
    if not can_be_folder(path.absolute().parent):
        raise NotADirectoryError(f"{path}: a file has the name of its folder")


def check_folder(path: Path) -> None:
    """Check that *path* is a folder or can become one. Raises NotADirectoryError."""
    if not can_be_folder(path):
        raise NotADirectoryError(f"{path}: a file has this name; a folder is needed")


def can_be_folder(path: Path) -> bool:
    there = (place for place in (path, *path.absolute().parents) if place.exists())
    return next(there).is_dir()


def save(data: bytes, target: Path, *, overwrite: bool = True) -> None:
    """Write *data* to *target* atomically: the file is complete or not there, even at a power cut.

    Raises:
        FileExistsError: *target* exists, and *overwrite* is false.
        OSError: *target* cannot be written; the `filename` of the error is *target*.
    """
    try:
        _save(data, target, overwrite=overwrite)
    except OSError as exc:
        # Python's error names no file after a failed write, and the temporary file otherwise.
        exc.filename, exc.filename2 = str(target), None
        raise


def _save(data: bytes, target: Path, *, overwrite: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    name = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with name.open("xb") as file:
            file.write(data)
            file.flush()
            # Otherwise a power cut can leave an empty file under the new name.
            os.fsync(file.fileno())
        if overwrite:
            os.replace(name, target)
        else:
            _move_to_free_place(name, target)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _move_to_free_place(name: Path, target: Path) -> None:
    try:
        os.link(name, target)
    except FileExistsError:
        raise
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise
        # The file system has no hard links: two processes could both find the name free.
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.replace(name, target)
    else:
        name.unlink()


def page_part(number: int, count: int) -> str:
    """The part after the stem in the name of page *number* of *count*, such as `-p07`."""
    digits = max(2, len(str(count)))
    return f"-p{number:0{digits}}"


def free_name(target: Path, taken: set[str]) -> Path:
    """*target*, numbered if *taken* has its name in any case; adds the result to *taken*."""
    free, number = target, 1
    while without_case(free) in taken:
        number += 1
        free = target.with_name(f"{target.stem}-{number}{target.suffix}")
    taken.add(without_case(free))
    return free


def without_case(path: Path) -> str:
    """*path* as case-insensitive file systems compare it."""
    return str(path).casefold()


def _paths(path: Path) -> Iterator[tuple[Path, Path]]:
    if path.is_dir():
        for file in sorted(_below(path)):
            yield file, Path(path.name) if file == path else file.relative_to(path)
    elif path.exists():
        yield path, Path(path.name)
    else:
        # Some shells do not expand patterns, and users quote them.
        for match in sorted(glob.glob(str(path), recursive=True)):
            yield from _paths(Path(match))


def _below(folder: Path) -> Iterator[Path]:
    """The images below *folder*, and unreadable folders: opening these raises the reason."""
    unreadable: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = filterfalse(_is_hidden, folders)
        files = (Path(place, name) for name in filterfalse(_is_hidden, names))
        yield from (file for file in files if file.suffix.lower() in SUFFIXES and file.is_file())
    yield from (Path(fault.filename) for fault in unreadable)


def _is_hidden(name: str) -> bool:
    # macOS keeps a hidden `._scan.png` beside `scan.png` on other file systems.
    return name.startswith(".")
