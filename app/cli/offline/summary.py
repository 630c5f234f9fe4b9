"""Count the kinds of the pages of a run, and describe them at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...domain.ports import Binarized
from ..upload_report import printable

_KINDS: Final = ("writing", "blank", "photograph")
#: The number of names listed per kind of page; all others are only counted.
_MOST_NAMES: Final = 5


class Summary:
    """The outcomes of the pages of one run."""

    def __init__(self) -> None:
        self.pages = 0
        self.files = 0
        self.failed = 0
        self.left_alone = 0
        self.left_out = 0
        self._names: dict[str, list[str]] = {}

    def add(self, title: str, page: Binarized) -> None:
        """Count a page that has been binarized."""
        self.pages += 1
        taken_for = page.page
        if taken_for is None:  # only in results of older versions
            return
        marks = {taken_for.kind: True, "inverted": taken_for.inverted, "turned": taken_for.turned}
        for mark in (mark for mark, holds in marks.items() if holds):
            self._names.setdefault(mark, []).append(title)

    def lines(self, seconds: float) -> Iterator[str]:
        """The summary, of one to four lines."""
        pace = self.pages / seconds if seconds else 0.0
        pages = "1 page" if self.pages == 1 else f"{self.pages} pages"
        files = "1 file" if self.files == 1 else f"{self.files} files"
        yield f"{pages} in {seconds:.1f} s, {pace:.1f} pages a second; {files} written"
        for mark in (*_KINDS, "inverted", "turned"):
            if names := self._names.get(mark):
                yield f"  {mark:10} {len(names):5}{'' if mark == 'writing' else _listed(names)}"
        if self.left_out:
            yield f"left out: {self.left_out} results of earlier runs, *-bw.*"
        if self.left_alone:
            yield f"left alone: {self.left_alone} files that exist already; --force overwrites them"
        if self.failed:
            yield f"failed: {self.failed}"


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    listed = ", ".join(map(printable, names[:_MOST_NAMES]))
    return f"  {listed}" + (f" and {more} more" if more > 0 else "")
