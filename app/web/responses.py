"""Build HTTP responses: image representations, PNGs, problem documents, and their headers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable

from ..access.rate_limit import Quota
from ..domain.ports import StoredObject
from ..domain.representation import Image, ImageStatus
from ..errors import (
    BadRequestError,
    ContentCodingError,
    ImageDeletedError,
    InternalError,
    MalformedMultipartError,
    MethodNotAllowedError,
    NotFoundError,
    PipelineError,
    RangeNotSatisfiableError,
    unknown_image,
)
from ..observability import logs
from ..pages import pages
from ..server.security_headers import SECURITY_HEADERS

logger = logs.get_logger(__name__)

#: A stored PNG is untrusted: opened as a document, it may load and run nothing.
_FILE_POLICY: Final = "default-src 'none'; sandbox"
#: Retry-After by status, for errors that carry none.
_RETRY_AFTER_S: Final = {409: 1, 503: 5}
_MIME_PROBLEM: Final = "application/problem+json"
_MIME_JSON: Final = "application/json"
_MIME_HTML: Final = "text/html"
#: A single byte range. Several ranges, or other units, get the whole file (RFC 9110, 14.2).
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


# --- images ------------------------------------------------------------------------------------


def represent(image: Image, status: int, headers: Mapping[str, str]) -> Response:
    """The representation as JSON; 304 if the client's copy is current."""
    response = Response(image.to_json(), status, dict(headers), mimetype=_MIME_JSON)
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Accept")
    if image.status is ImageStatus.QUEUED:
        response.headers["Retry-After"] = "1"
    if status == 200:
        response.add_etag()
        if _client_has(response.headers["ETag"]):
            response.status_code = 304
            response.data = b""
    return response


def show(image: Image) -> Response:
    """The representation as an HTML page, which refreshes itself."""
    return pages.show("image.html", image=image)


def send_png(
    open_stored: Callable[[bool], StoredObject], name: Callable[[StoredObject], str]
) -> Response:
    """A stored PNG, or the requested range of it.

    *open_stored* gets True if the metadata of the object is enough.
    """
    has_validator = bool(request.if_none_match)
    stored = open_stored(request.method == "HEAD" or has_validator)
    response = _file(stored, name(stored))
    if has_validator and _client_has(stored.etag):
        response.status_code = 304
        del response.headers["Content-Length"]
        return response
    if request.method == "HEAD":
        return response
    stored = open_stored(False) if has_validator else stored
    return _with_data(response, stored)


def _file(stored: StoredObject, name: str) -> Response:
    response = Response(mimetype="image/png")
    kind = "attachment" if "download" in request.args else "inline"
    encoded = quote(name, safe="", errors="replace")
    response.headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{encoded}"
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    response.headers["Cache-Control"] = "private, max-age=300"
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(stored.size_bytes)
    response.headers["ETag"] = stored.etag
    return response


def _with_data(response: Response, stored: StoredObject) -> Response:
    part = _part(stored)
    response.headers["ETag"] = stored.etag
    if part is None:
        response.data = stored.data
        return response
    start, stop = part
    response.status_code = 206
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size_bytes}"
    response.data = stored.data[start:stop]
    return response


def _part(stored: StoredObject) -> tuple[int, int] | None:
    """Start and end of the requested range; None for the whole file."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if_range = request.headers.get("If-Range")
    if not asked or asked[0] == "bytes=-" or if_range not in (None, stored.etag):
        return None
    first, last = asked.groups()
    size = stored.size_bytes
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if first and last and int(last) < int(first):
        return None  # not a range at all (RFC 9110, section 14.1.1)
    if start >= stop:
        raise RangeNotSatisfiableError(f"The file has {size} bytes.", size=size)
    return start, stop


def _client_has(etag: str) -> bool:
    return request.if_none_match.contains_weak(etag.removeprefix("W/").strip('"'))


# --- problems ----------------------------------------------------------------------------------


def as_shown(error: PipelineError) -> PipelineError:
    """The error that clients see for *error*: a deleted image looks like an unknown one."""
    return unknown_image(error.image_id) if isinstance(error, ImageDeletedError) else error


def problem(error: PipelineError, request_id: str) -> Response:
    """*error* as a problem document (RFC 9457), or as HTML if the client prefers it."""
    if error.status >= 500:
        logger.error("request failed", code=error.code, detail=str(error))
    document = error.to_problem() | {"instance": _shown_path(), "request_id": request_id}
    response = _document(document)
    response.status_code = error.status
    response.vary.add("Accept")
    response.headers["Cache-Control"] = "no-store"
    for name, value in _headers_of(error):
        response.headers[name] = value
    return response


def translate(exc: HTTPException) -> PipelineError:
    """The pipeline's error for *exc*, which Flask or Werkzeug raised.

    A 413 here concerns the form; the caller handles a body that is too large.
    """
    errors: dict[int | None, PipelineError] = {
        404: NotFoundError(f"There is nothing at {_shown_path()}."),
        405: MethodNotAllowedError(f"{_shown_path()} does not accept {request.method[:20]}."),
        413: MalformedMultipartError("The form has too many parts, or a text field is too long."),
    }
    if isinstance(exc, RequestedRangeNotSatisfiable):
        return RangeNotSatisfiableError(f"The file has {exc.length} bytes.", size=exc.length)
    if exc.code is not None and exc.code >= 500:
        return InternalError("The server cannot answer this request.")
    return errors.get(exc.code) or BadRequestError(exc.description or "The request is not valid.")


def wants_page() -> bool:
    """Whether the client prefers HTML, as browsers do, to JSON."""
    offers = (_MIME_PROBLEM, _MIME_JSON, _MIME_HTML)
    return request.accept_mimetypes.best_match(offers) == _MIME_HTML


def _document(document: dict[str, str | int | float | bool | None]) -> Response:
    if wants_page():
        return pages.show("problem.html", problem=document)
    response = jsonify(document)
    response.mimetype = _MIME_PROBLEM
    return response


def _headers_of(error: PipelineError) -> list[tuple[str, str]]:
    headers = []
    retry_after_s = error.facts.get("retry_after_s") or _RETRY_AFTER_S.get(error.status)
    if error.is_transient and retry_after_s:
        headers.append(("Retry-After", str(retry_after_s)))
    if error.status == 401:
        headers.append(("WWW-Authenticate", 'Bearer realm="image-pipeline"'))
    if isinstance(error, ContentCodingError):
        headers.append(("Accept-Encoding", "identity"))  # RFC 9110, section 15.5.16
    if error.status == 416:
        headers.append(("Content-Range", f"bytes */{error.facts['size']}"))
    return headers


def _shown_path() -> str:
    return request.path[:200]


# --- every response ----------------------------------------------------------------------------


def add_headers(response: Response, *, request_id: str, is_https: bool) -> None:
    """Add the headers of every response."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers["X-Request-ID"] = request_id


def add_quota(response: Response, quota: Quota) -> None:
    """Add the rate limit headers (draft-ietf-httpapi-ratelimit-headers-10)."""
    policy = f'"uploads";q={quota.limit};w={quota.window_s}'
    response.headers["RateLimit-Policy"] = policy
    response.headers["RateLimit"] = f'"uploads";r={quota.remaining};t={quota.reset_s}'
