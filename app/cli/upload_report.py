"""Hold the options of an upload and the report of each file, and print them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from urllib3.exceptions import LocationParseError

from .upload_files import Source


@dataclass(frozen=True)
class Order:
    """The options of an upload, the same for every file.

    Raises:
        ValueError: *url* or *token* is not valid.
    """

    #: The base URL of the API, such as `https://example.org/prefix`.
    url: str
    token: str | None = None
    #: The text fields of the form.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Whether to wait until each image is finished, at most *timeout_s* per image.
    is_waiting: bool = False
    timeout_s: float = 600.0
    parallel: int = 4
    #: Called with each source and its result PNG, as they arrive.
    on_result: Callable[[Source, bytes], None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise ValueError("the token has characters that no token can have")

    def is_met_by(self, report: Report) -> bool:
        return report.status == "processed" or (report.status == "queued" and not self.is_waiting)


@dataclass(frozen=True)
class Report:
    """The outcome of one file.

    *status* is the image's last known status, or `refused`, `not sent`, or `not saved`: the image
    is processed, but its result could not be saved.
    """

    path: Path
    status: str
    image_id: str | None = None
    detail: str = ""
    is_replay: bool = False
    #: Faults of the file that change no pixel, such as "iCCP: wrong CRC".
    ignored: tuple[str, ...] = ()
    #: Unusual properties of the page, such as "turned 90 degrees".
    page: tuple[str, ...] = ()

    def to_json(self) -> str:
        found = {"path": str(self.path), "status": self.status, "image_id": self.image_id}
        said = {"detail": self.detail, "replayed": self.is_replay, "ignored": self.ignored}
        return json.dumps(found | said | {"page": self.page})

    @property
    def remark(self) -> str:
        """The text of the summary in addition to status and id."""
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
    """One row per file, sorted by path, and the counts by status."""
    rows = sorted(reports, key=lambda report: report.path)
    shown = [_shown(report.path) for report in rows]
    width = max(map(len, shown), default=0)
    lines = [
        f"{name:{width}}  {row.status:9}  {row.image_id or '':36}  {printable(row.remark)}"
        for name, row in zip(shown, rows, strict=True)
    ]
    counts = {status: sum(r.status == status for r in rows) for status in (r.status for r in rows)}
    sums = [f"{count} {status}" for status, count in sorted(counts.items())]
    if replayed := sum(report.is_replay for report in rows):
        sums.append(f"{replayed} of them sent before")
    return "\n".join([*map(str.rstrip, lines), "", ", ".join(sums)])


def _shown(path: Path) -> str:
    return printable(min(str(path), os.path.relpath(path), key=len))


def printable(text: str) -> str:
    """*text* with `?` for what could break the line or raise an encoding error."""
    return "".join(c if c.isprintable() else "?" for c in text)


def say(*texts: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    for text in texts:
        shown = text.encode(encoding, errors="replace").decode(encoding)
        print(shown, flush=True)  # noqa: T201 (the command line's answer)
