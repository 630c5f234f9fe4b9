"""Send PNGs to the API from the command line: many, in parallel, and as often as it takes.

Each file has an Idempotency-Key made of its content, its path and what is asked for. So a request
whose answer was lost can be repeated, and so can the whole command: nothing is sent twice.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import random
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import urljoin

import urllib3
from tqdm import tqdm

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2

_CHUNK_BYTES: Final = 64 * 1024
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=60)
_ATTEMPTS: Final = 8
_FIRST_BACKOFF_S: Final = 0.5
_MAX_BACKOFF_S: Final = 30.0
#: The longest that a server's Retry-After is believed.
_MAX_RETRY_AFTER_S: Final = 120.0
_TRY_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_FIRST_POLL_S: Final = 0.2
_MAX_POLL_S: Final = 3.0


@dataclass(frozen=True)
class Order:
    """What is asked for, the same for every file."""

    url: str
    token: str | None = None
    #: The text fields of the form.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Until each image is finished, and for how long at most.
    is_waiting: bool = False
    timeout_s: float = 600.0
    parallel: int = 4


@dataclass(frozen=True)
class Source:
    """A file to send, and where its result is to be saved, if anywhere."""

    path: Path
    target: Path | None = None


@dataclass(frozen=True)
class Report:
    """What became of one file: *status* is the image's, or `refused`, or `not sent`."""

    path: Path
    status: str
    image_id: str | None = None
    detail: str = ""
    is_replay: bool = False

    @property
    def is_ok(self) -> bool:
        return self.status in ("queued", "processed")

    def to_json(self) -> str:
        found = {"path": str(self.path), "status": self.status, "image_id": self.image_id}
        return json.dumps(found | {"detail": self.detail, "replayed": self.is_replay})


class _RefusedError(Exception):
    """An answer that trying again does not change."""


class _StoppedError(Exception):
    """Ctrl-C was pressed."""


def find_sources(arguments: Sequence[str], out: Path | None) -> list[Source]:
    """The files that *arguments* name: files, folders (all PNGs below), and patterns.

    With *out*, each has a target of its own there, under its path within the folder named.

    Raises:
        FileNotFoundError: an argument names nothing.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        paths = list(_paths(Path(argument)))
        if not paths:
            raise FileNotFoundError(f"{argument}: no PNG is there")
        for path, name in paths:
            found.setdefault(Path(os.path.abspath(path)), name)
    return list(_with_targets(found, out))


def upload(sources: Sequence[Source], order: Order, *, as_json: bool = False) -> int:
    """Send all of *sources*, show how it goes, and say at the end what became of each.

    Returns DONE when all were taken (with `is_waiting`: processed), else FAILED.
    """
    total = sum(source.path.stat().st_size for source in sources)
    reports: list[Report] = []
    with (
        tqdm(total=total, unit="B", unit_scale=True, desc="sent", disable=None) as sent,
        tqdm(total=len(sources), unit=" images", desc="done", disable=None) as done,
    ):
        for report in _Client(order, sent).run(sources):
            reports.append(report)
            done.update()
            if as_json:
                tqdm.write(report.to_json(), file=sys.stdout)
    if not as_json:
        _say(_table(reports))
    return DONE if all(report.is_ok for report in reports) else FAILED


# --- files ---------------------------------------------------------------------------------------


def _paths(path: Path) -> Iterator[tuple[Path, Path]]:
    """Each file of *path*, and its name as the user sees it."""
    if path.is_dir():
        files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() == ".png")
        yield from ((file, file.relative_to(path)) for file in files if file.is_file())
    elif path.exists():
        yield path, Path(path.name)
    else:
        # For shells that leave patterns alone, and for quoted ones.
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


def _save(data: bytes, target: Path) -> None:
    """Whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


# --- requests ------------------------------------------------------------------------------------


class _Client:
    def __init__(self, order: Order, sent: tqdm[Any]) -> None:
        self._order = order
        self._sent = sent
        self._http = urllib3.PoolManager(maxsize=order.parallel, timeout=_TIMEOUT, retries=False)
        self._stopping = threading.Event()

    def run(self, sources: Sequence[Source]) -> Iterator[Report]:
        """Reports in the order in which they come."""
        # What is sent as a group keeps its order only if it is sent in order.
        threads = 1 if "group" in self._order.fields else self._order.parallel
        with ThreadPoolExecutor(threads) as pool:
            left = {pool.submit(self._send_reported, source) for source in sources}
            try:
                while left:
                    ended, left = wait(left, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ended)
            except BaseException:
                self._stop(left)
                raise

    def _stop(self, left: set[Future[Report]]) -> None:
        self._stopping.set()
        for future in left:
            future.cancel()

    def _send_reported(self, source: Source) -> Report:
        try:
            return self._send(source)
        except _RefusedError as exc:
            return Report(source.path, "refused", detail=str(exc))
        except _StoppedError:
            return Report(source.path, "not sent", detail="stopped")
        except (OSError, urllib3.exceptions.HTTPError) as exc:
            return Report(source.path, "not sent", detail=str(exc))

    def _send(self, source: Source) -> Report:
        data = source.path.read_bytes()
        answer = self._post(source.path, data)
        image = answer.json()
        is_replay = answer.headers.get("Idempotency-Replayed") == "true"
        if self._order.is_waiting:
            image = self._wait(image)
        if source.target and image["status"] == "processed":
            page = self._try_often("GET", image["processed"]["href"])
            _save(page.data, source.target)
        detail = str(source.target or "")
        if image["error"]:
            detail = f"{image['error']['code']}: {image['error']['detail']}"
        return Report(source.path, image["status"], image["image_id"], detail, is_replay)

    def _post(self, path: Path, data: bytes) -> urllib3.BaseHTTPResponse:
        fields: list[Any] = [*self._order.fields.items()]
        fields.append(("image", (path.name, data, "image/png")))
        body, content_type = urllib3.encode_multipart_formdata(fields)
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Idempotency-Key": self._key(path, data),
        }
        return self._try_often("POST", "/upload", headers, body)

    def _key(self, path: Path, data: bytes) -> str:
        about = json.dumps([str(path), sorted(self._order.fields.items())])
        digest = hashlib.sha256(data).digest() + about.encode(errors="surrogateescape")
        return hashlib.sha256(digest).hexdigest()

    def _wait(self, image: dict[str, Any]) -> dict[str, Any]:
        deadline = monotonic() + self._order.timeout_s
        pause_s = _FIRST_POLL_S
        while image["status"] == "queued" and monotonic() < deadline:
            self._pause(pause_s)
            image = self._try_often("GET", f"/images/{image['image_id']}").json()
            pause_s = min(_MAX_POLL_S, pause_s * 1.5)
        return image

    def _try_often(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """The answer, once there is one that is no refusal for now.

        Raises _RefusedError, HTTPError.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._request(method, path, headers or {}, body)
            except urllib3.exceptions.HTTPError:
                if attempt == _ATTEMPTS:
                    raise
                self._pause(_backoff_s(attempt))
                continue
            if answer.status < 400:
                return answer
            if answer.status not in _TRY_AGAIN or attempt == _ATTEMPTS:
                raise _RefusedError(_reason(answer))
            self._pause(max(_retry_after_s(answer), _backoff_s(attempt)))
        raise AssertionError  # the last attempt has returned or raised

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        token = self._order.token
        return self._http.request(
            method,
            urljoin(self._order.url, path),
            headers={**headers, **({"Authorization": f"Bearer {token}"} if token else {})},
            body=None if body is None else self._watched(body),
        )

    def _watched(self, body: bytes) -> Iterator[bytes]:
        view = memoryview(body)
        for start in range(0, len(body), _CHUNK_BYTES):
            if self._stopping.is_set():
                raise _StoppedError
            yield bytes(view[start : start + _CHUNK_BYTES])
            self._sent.update(min(_CHUNK_BYTES, len(body) - start))

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _StoppedError


def _backoff_s(attempt: int) -> float:
    bound_s = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**attempt)
    return random.uniform(bound_s / 2, bound_s)  # noqa: S311 (spreading load, hiding nothing)


def _retry_after_s(answer: urllib3.BaseHTTPResponse) -> float:
    given = answer.headers.get("Retry-After", "")
    return min(_MAX_RETRY_AFTER_S, float(given)) if given.isdecimal() else 0.0


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        problem = answer.json()
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status}"


# --- the summary ---------------------------------------------------------------------------------


def _table(reports: Sequence[Report]) -> str:
    """A row a file, in the order of their names, and the sums."""
    rows = sorted(reports, key=lambda report: report.path)
    shown = [_shown(report.path) for report in rows]
    width = max(map(len, shown), default=0)
    lines = [
        f"{name:{width}}  {report.status:9}  {report.image_id or '':36}  {report.detail}".rstrip()
        for name, report in zip(shown, rows, strict=True)
    ]
    counts = {status: sum(r.status == status for r in rows) for status in (r.status for r in rows)}
    sums = [f"{count} {status}" for status, count in sorted(counts.items())]
    if replayed := sum(report.is_replay for report in rows):
        sums.append(f"{replayed} of them sent before")
    return "\n".join([*lines, "", ", ".join(sums)])


def _shown(path: Path) -> str:
    # What cannot be printed must not end the program, nor a line.
    shortest = min(str(path), os.path.relpath(path), key=len)
    return "".join(c if c.isprintable() else "?" for c in shortest)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (the command line's answer)
