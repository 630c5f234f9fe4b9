"""Send the requests of an upload with retries, and read their responses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, Final
from uuid import UUID

import urllib3
from urllib3.exceptions import HTTPError

from ..domain.backoff import Backoff
from ..png.format import SIGNATURE
from .page_remarks import remarks
from .upload_report import Order, Report

_CHUNK_BYTES: Final = 64 * 1024
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=60)
_ATTEMPTS: Final = 8
_BACKOFF: Final = Backoff(first_s=1.0, longest_s=30.0)
#: Upper bound for a server's Retry-After, in seconds.
_MAX_RETRY_AFTER_S: Final = 120.0
_TRY_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_STATUSES: Final = ("queued", "processed", "failed")


class RefusedError(Exception):
    """The server refused the request, and a retry would not help."""


class StoppedError(Exception):
    """Ctrl-C was pressed."""


class Requests:
    """The requests of *order*. They raise StoppedError once *stopping* is set. Thread-safe.

    *sent* is called with the size in bytes of each piece of a body that is sent.
    """

    def __init__(self, order: Order, stopping: Event, sent: Callable[[int], object]) -> None:
        self._order = order
        self._stopping = stopping
        self._sent = sent
        self._base = order.url.rstrip("/")
        self._http = urllib3.PoolManager(maxsize=order.parallel, timeout=_TIMEOUT, retries=False)

    def post(self, path: Path, data: bytes) -> Report:
        """The report of the file *path* after its upload. Raises RefusedError, HTTPError."""
        answer = self._post(path, data)
        is_replay = answer.headers.get("Idempotency-Replayed") == "true"
        return replace(_read(answer, Report(path, "")), is_replay=is_replay)

    def look(self, image: Report) -> Report:
        """The report of *image* with its present status. Raises RefusedError, HTTPError."""
        return _read(self._try_often("GET", f"/images/{image.image_id}"), image)

    def result(self, image: Report) -> bytes:
        """The result PNG of *image*. Raises RefusedError, HTTPError."""
        data = self._try_often("GET", f"/images/{image.image_id}/processed").data
        if not data.startswith(SIGNATURE):
            raise RefusedError("the server answered with something else than a PNG")
        return data

    def pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise StoppedError

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
        """The first successful response, after retries of temporary errors.

        Raises RefusedError, HTTPError.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._request(method, path, headers or {}, body)
            except HTTPError:
                if attempt == _ATTEMPTS:
                    raise
                self.pause(_BACKOFF.equal_jitter_s(attempt))
                continue
            if 200 <= answer.status < 300:
                return answer
            if answer.status not in _TRY_AGAIN or attempt == _ATTEMPTS:
                raise RefusedError(_moved(answer, self._base, path) or _reason(answer))
            self.pause(max(_retry_after_s(answer), _BACKOFF.equal_jitter_s(attempt)))
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
            redirect=False,  # a redirect could send the token to another server
        )

    def _watched(self, body: bytes) -> Iterator[bytes]:
        view = memoryview(body)
        for start in range(0, len(body), _CHUNK_BYTES):
            if self._stopping.is_set():
                raise StoppedError
            yield bytes(view[start : start + _CHUNK_BYTES])
            self._sent(min(_CHUNK_BYTES, len(body) - start))


def _read(answer: urllib3.BaseHTTPResponse, report: Report) -> Report:
    """*report*, updated with the image in *answer*.

    Raises RefusedError.
    """
    try:
        image = answer.json()
        image_id, status, error = str(UUID(image["image_id"])), image["status"], image["error"]
        detail = f"{error['code']}: {error['detail']}" if error else ""
        # An older server sends neither `ignored` nor `page`.
        ignored = tuple(map(str, image.get("ignored") or []))
        page = tuple(_remarks(image["page"])) if image.get("page") else ()
    except (ValueError, LookupError, TypeError, AttributeError):
        status = None
    if status not in _STATUSES:
        raise RefusedError(f"the server answered {answer.status}, but not as this API does")
    return replace(
        report, image_id=image_id, status=status, detail=detail, ignored=ignored, page=page
    )


def _remarks(page: dict[str, Any]) -> Iterator[str]:
    return remarks(
        str(page["kind"]), is_inverted=bool(page["inverted"]), turned=int(page["turned"])
    )


def _utf8(text: str) -> str:
    """*text* with `?` for characters that UTF-8 cannot encode, as in old file names."""
    return text.encode(errors="replace").decode()


def _retry_after_s(answer: urllib3.BaseHTTPResponse) -> float:
    given = answer.headers.get("Retry-After", "")
    return min(_MAX_RETRY_AFTER_S, float(given)) if given.isdecimal() else 0.0


def _moved(answer: urllib3.BaseHTTPResponse, base: str, path: str) -> str | None:
    """The target of a redirect, for the user: only the user may send the token there."""
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
