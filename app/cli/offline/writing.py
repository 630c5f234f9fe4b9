"""Write each result as soon as all of its pages are processed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...formats.files import save
from ...formats.tiff import group_4, write_tiff
from ..pdf_pages import write_pdf
from .targets import PDF, TIFF, Target


class Writer:
    """The files of one run. Only the main thread writes, so Ctrl-C cannot leave half a file."""

    def __init__(self, targets: Sequence[Target], *, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._wanted_by: dict[int, list[Target]] = {}
        for target in targets:
            for position in target.pages:
                self._wanted_by.setdefault(position, []).append(target)
        #: The pages whose files are not yet written, and the number of those files.
        self._pngs: dict[int, bytes] = {}
        self._missing = {target: set(target.pages) for target in targets}

    @property
    def positions(self) -> list[int]:
        """The pages that are needed, in order."""
        return sorted(self._wanted_by)

    def take(self, position: int, png: bytes) -> Iterator[OSError | None]:
        """Write each file that is complete with this page; yields its fault, None for success."""
        self._pngs[position] = png
        for target in list(self._wanted_by[position]):
            self._missing[target].discard(position)
            if not self._missing[target]:
                yield self._fault_of_writing(target)
                self._forget(target)

    def unwritten(self) -> list[tuple[Target, int]]:
        """The files of several pages that are not written, with the number of missing pages."""
        return [
            (target, len(missing))
            for target, missing in self._missing.items()
            if missing and len(target.pages) > 1
        ]

    def _fault_of_writing(self, target: Target) -> OSError | None:
        try:
            self._write(target)
        except OSError as exc:
            return exc
        return None

    def _write(self, target: Target) -> None:
        pngs = [self._pngs[position] for position in target.pages]
        data = pngs[0]
        if target.format == PDF:
            data = write_pdf(pngs, group_4)
        elif target.format == TIFF:
            data = write_tiff(pngs)
        if target.path is None:
            _write_all(data)
        else:
            save(data, target.path, overwrite=self._overwrite)

    def _forget(self, written: Target) -> None:
        """Free the pages that no other file waits for."""
        for position in written.pages:
            self._wanted_by[position].remove(written)
            if not self._wanted_by[position]:
                del self._pngs[position]


def _write_all(data: bytes) -> None:
    """Write all of *data* to standard output. Raises OSError."""
    left = memoryview(data)
    while left:
        # With PYTHONUNBUFFERED a write can be partial, for example when the disk becomes full.
        left = left[sys.stdout.buffer.write(left) :]
    sys.stdout.buffer.flush()


def shown(path: Path | None) -> str:
    return "standard output" if path is None else str(path)
