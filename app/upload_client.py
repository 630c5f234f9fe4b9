"""Send PNGs to the API from the command line: many, in parallel, and as often as it takes.

Each file has an Idempotency-Key made of its content, its path and what is asked for. So a request
whose answer was lost can be repeated, and so can the whole command: nothing is sent twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final
from uuid import UUID

import urllib3
from tqdm import tqdm
from urllib3.exceptions import HTTPError, LocationParseError

from .backoff import Backoff
from .page_remarks import remarks
from .png_format import SIGNATURE
from .upload_sources import Source, save

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2

_CHUNK_BYTES: Final = 64 * 1024
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=60)
_ATTEMPTS: Final = 8
_BACKOFF: Final = Backoff(first_s=1.0, longest_s=30.0)
#: The longest that a server's Retry-After is believed.
_MAX_RETRY_AFTER_S: Final = 120.0
_TRY_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_FIRST_POLL_S: Final = 0.2
_MAX_POLL_S: Final = 3.0
#: What the requests under way still get after Ctrl-C.
_GRACE_S: Final = 1.0
_STATUSES: Final = ("queued", "processed", "failed")


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


class _RefusedError(Exception):
    """An answer that trying again does not change."""


class _StoppedError(Exception):
    """Ctrl-C was pressed."""


def upload(sources: Sequence[Source], order: Order, *, as_json: bool = False) -> int:
    """Send all of *sources*, show how it goes, and say at the end what became of each.

    Returns DONE when all were taken (with `is_waiting`: processed, and saved), else FAILED.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; what became of each until then has been said.
    """
    total = sum(source.size_bytes() for source in sources)
    sent = tqdm(total=total, unit="B", unit_scale=True, desc="sent", disable=None)
    done = tqdm(total=len(sources), unit=" images", desc="done", disable=None)
    client = _Client(order, sources, sent)
    shown: set[Path] = set()
    try:
        with sent, done:
            for report in client.run():
                done.update()
                if as_json:
                    tqdm.write(report.to_json(), file=sys.stdout)
                    shown.add(report.path)
    finally:
        client.stop()
        reports = client.reports()
        rest = [report.to_json() for report in reports if report.path not in shown]
        _say(*(rest if as_json else [_table(reports)]))
    return DONE if all(order.is_met_by(report) for report in reports) else FAILED


# --- requests ------------------------------------------------------------------------------------


class _Client:
    def __init__(self, order: Order, sources: Sequence[Source], sent: tqdm[Any]) -> None:
        self._order = order
        self._sent = sent
        self._base = order.url.rstrip("/")
        self._http = urllib3.PoolManager(maxsize=order.parallel, timeout=_TIMEOUT, retries=False)
        self._stopping = threading.Event()
        # What is known of each, at any time: Ctrl-C does not wait for an answer.
        self._reports = {s.path: Report(s.path, "not sent", detail="stopped") for s in sources}
        self._ended: SimpleQueue[Report] = SimpleQueue()
        self._left: SimpleQueue[Source] = SimpleQueue()
        for source in sources:
            self._left.put(source)
        # What is sent as a group keeps its order only if it is sent in order.
        count = 1 if "group" in order.fields else order.parallel
        # Daemons, because a request may hang for longer than anybody waits after Ctrl-C.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def run(self) -> Iterator[Report]:
        """Reports in the order in which they come."""
        for thread in self._threads:
            thread.start()
        for _ in self._reports:
            yield self._ended.get()

    def stop(self) -> None:
        """Begin nothing new, and give what is under way a moment to end."""
        self._stopping.set()
        deadline = monotonic() + _GRACE_S
        for thread in self._threads:
            if thread.ident is not None:  # else Ctrl-C came before it was started
                thread.join(max(0.0, deadline - monotonic()))

    def reports(self) -> list[Report]:
        return list(self._reports.values())

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                source = self._left.get_nowait()
            except Empty:
                return
            self._ended.put(self._note(self._send_reported(source)))

    def _note(self, report: Report) -> Report:
        self._reports[report.path] = report
        return report

    def _send_reported(self, source: Source) -> Report:
        try:
            return self._send(source)
        except _RefusedError as exc:
            return Report(source.path, "refused", detail=str(exc))
        except _StoppedError:
            return self._reports[source.path]
        except (OSError, HTTPError) as exc:
            return Report(source.path, "not sent", detail=str(exc))
        except Exception as exc:  # whatever it is, it is about one file; the others go on
            return replace(self._reports[source.path], detail=f"{type(exc).__name__}: {exc}")

    def _send(self, source: Source) -> Report:
        data = source.path.read_bytes()
        self._note(Report(source.path, "not sent", detail="stopped before it was answered"))
        answer = self._post(source.path, data)
        is_replay = answer.headers.get("Idempotency-Replayed") == "true"
        taken = replace(_read(answer, Report(source.path, "")), is_replay=is_replay)
        return self._finish(taken, source) if self._order.is_waiting else taken

    def _finish(self, taken: Report, source: Source) -> Report:
        """What becomes of the image of *taken*, and of its result."""
        self._note(replace(taken, detail="stopped"))
        try:
            image = self._wait(taken)
        except (_RefusedError, HTTPError) as exc:
            return replace(taken, detail=str(exc))
        if image.status != "processed" or not (source.target or self._order.on_result):
            return image
        self._note(replace(image, status="not saved", detail="stopped"))
        try:
            self._bring(image, source)
        except (_RefusedError, HTTPError, OSError) as exc:
            return replace(image, status="not saved", detail=str(exc))
        return replace(image, detail=str(source.target or ""))

    def _bring(self, image: Report, source: Source) -> None:
        """Raises _RefusedError, HTTPError, OSError."""
        data = self._result(image)
        if source.target:
            save(data, source.target)
        if self._order.on_result:
            self._order.on_result(source.path, data)

    def _wait(self, image: Report) -> Report:
        deadline = monotonic() + self._order.timeout_s
        pause_s = _FIRST_POLL_S
        while image.status == "queued":
            if monotonic() >= deadline:
                return replace(image, detail=f"not finished after {self._order.timeout_s:g} s")
            self._pause(min(pause_s, max(0.0, deadline - monotonic())))
            image = _read(self._try_often("GET", f"/images/{image.image_id}"), image)
            pause_s = min(_MAX_POLL_S, pause_s * 1.5)
        return image

    def _result(self, image: Report) -> bytes:
        data = self._try_often("GET", f"/images/{image.image_id}/processed").data
        if not data.startswith(SIGNATURE):
            raise _RefusedError("the server answered with something else than a PNG")
        return data

    def _post(self, path: Path, data: bytes) -> urllib3.BaseHTTPResponse:
        fields: list[Any] = [(name, _utf8(value)) for name, value in self._order.fields.items()]
        fields.append(("image", (_utf8(path.name), data, "image/png")))
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
            except HTTPError:
                if attempt == _ATTEMPTS:
                    raise
                self._pause(_BACKOFF.equal_jitter_s(attempt))
                continue
            if 200 <= answer.status < 300:
                return answer
            if answer.status not in _TRY_AGAIN or attempt == _ATTEMPTS:
                raise _RefusedError(_moved(answer, self._base, path) or _reason(answer))
            self._pause(max(_retry_after_s(answer), _BACKOFF.equal_jitter_s(attempt)))
        raise AssertionError  # the last attempt has returned or raised

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        token = self._order.token
        return self._http.request(
            method,
            self._base + path,
            headers={**headers, **({"Authorization": f"Bearer {token}"} if token else {})},
            body=None if body is None else self._watched(body),
            redirect=False,  # the token is for this server only
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


def _utf8(text: str) -> str:
    """*text* with `?` for what is no character, such as the bytes of an old file name."""
    return text.encode(errors="replace").decode()


def _read(answer: urllib3.BaseHTTPResponse, report: Report) -> Report:
    """*report* with what *answer* says of its image.

    Raises _RefusedError.
    """
    try:
        image = answer.json()
        image_id, status, error = str(UUID(image["image_id"])), image["status"], image["error"]
        detail = f"{error['code']}: {error['detail']}" if error else ""
        # An older server says neither.
        ignored = tuple(map(str, image.get("ignored") or []))
        page = tuple(_remarks(image["page"])) if image.get("page") else ()
    except (ValueError, LookupError, TypeError, AttributeError):
        status = None
    if status not in _STATUSES:
        raise _RefusedError(f"the server answered {answer.status}, but not as this API does")
    return replace(
        report, image_id=image_id, status=status, detail=detail, ignored=ignored, page=page
    )


def _remarks(page: dict[str, Any]) -> Iterator[str]:
    return remarks(
        str(page["kind"]), is_inverted=bool(page["inverted"]), turned=int(page["turned"])
    )


def _retry_after_s(answer: urllib3.BaseHTTPResponse) -> float:
    given = answer.headers.get("Retry-After", "")
    return min(_MAX_RETRY_AFTER_S, float(given)) if given.isdecimal() else 0.0


def _moved(answer: urllib3.BaseHTTPResponse, base: str, path: str) -> str | None:
    """Where a redirect leads; it is for the user to say that the token may go there."""
    location = answer.headers.get("Location")
    if location is None or not 300 <= answer.status < 400:
        return None
    url = location.removesuffix(path)
    if url not in (location, base, ""):
        return f"the server answered {answer.status}: use --url {url}"
    return f"the server answered {answer.status} and points to {location}"


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


def _say(*texts: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    for text in texts:
        shown = text.encode(encoding, errors="replace").decode(encoding)
        print(shown, flush=True)  # noqa: T201 (the command line's answer)
