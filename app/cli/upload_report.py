"""Say what an upload asks for, and what became of each file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from urllib3.exceptions import LocationParseError


@dataclass(frozen=True)
class Order:
    """What is asked for, the same for every file.

    Raises:
        ValueError: no request at all could be made with this *url* or *token*.
    """

    #: What stands before the paths of the API, such as `https://example.org/prefix`.
    url: str
    token: str | None = None
    #: The text fields of the form.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Until each image is finished, and for how long at most.
    is_waiting: bool = False
    timeout_s: float = 600.0
    parallel: int = 4
    #: Gets the path of each source and the PNG made of it, as they come.
    on_result: Callable[[Path, bytes], None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise ValueError("the token has characters that no token can have")

    def is_met_by(self, report: Report) -> bool:
        return report.status == "processed" or (report.status == "queued" and not self.is_waiting)


@dataclass(frozen=True)
class Report:
    """What became of one file.

    *status* is the image's as it was seen last, or `refused`, `not sent`, or `not saved`: it is
    processed, but its result is not where it should be.
    """

    path: Path
    status: str
    image_id: str | None = None
    detail: str = ""
    is_replay: bool = False
    #: What is wrong with the file and changes no pixel, such as "iCCP: wrong CRC".
    ignored: tuple[str, ...] = ()
    #: What is not plain about the page, such as "turned 90 degrees".
    page: tuple[str, ...] = ()

    def to_json(self) -> str:
        found = {"path": str(self.path), "status": self.status, "image_id": self.image_id}
        said = {"detail": self.detail, "replayed": self.is_replay, "ignored": self.ignored}
        return json.dumps(found | said | {"page": self.page})

    @property
    def remark(self) -> str:
        """What the summary says of it, beside status and id."""
        ignored = f"ignored {', '.join(self.ignored)}" if self.ignored else ""
        return "; ".join(filter(None, [self.detail, ", ".join(self.page), ignored]))


def _check_url(url: str) -> None:
    try:
        parts = urllib3.util.parse_url(url)
        (parts.host or "").encode("idna")
    except (LocationParseError, UnicodeError):
        raise ValueError(f"{url} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ValueError(f"{url} is not a URL such as http://127.0.0.1:5000")
    if parts.auth or parts.query is not None or parts.fragment is not None:
        raise ValueError("the URL may have scheme, host, port and path, and nothing else")


def table(reports: Sequence[Report]) -> str:
    """A row a file, in the order of their names, and the sums."""
    rows = sorted(reports, key=lambda report: report.path)
    shown = [_shown(report.path) for report in rows]
    width = max(map(len, shown), default=0)
    lines = [
        f"{name:{width}}  {row.status:9}  {row.image_id or '':36}  {_printable(row.remark)}"
        for name, row in zip(shown, rows, strict=True)
    ]
    counts = {status: sum(r.status == status for r in rows) for status in (r.status for r in rows)}
    sums = [f"{count} {status}" for status, count in sorted(counts.items())]
    if replayed := sum(report.is_replay for report in rows):
        sums.append(f"{replayed} of them sent before")
    return "\n".join([*map(str.rstrip, lines), "", ", ".join(sums)])


def _shown(path: Path) -> str:
    return _printable(min(str(path), os.path.relpath(path), key=len))


def _printable(text: str) -> str:
    # What cannot be printed must not end the program, nor a line.
    return "".join(c if c.isprintable() else "?" for c in text)


def say(*texts: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    for text in texts:
        shown = text.encode(encoding, errors="replace").decode(encoding)
        print(shown, flush=True)  # noqa: T201 (the command line's answer)
