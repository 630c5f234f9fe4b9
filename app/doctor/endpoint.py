"""Check that an endpoint answers, and that this machine's clock agrees with the endpoint's clock.

Standard library only: boto3 needs credentials, and is missing before the installation.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from .findings import Finding, failed, ok, skipped

TIMEOUT_S: Final = 5
#: AWS refuses a clock that is five minutes off; a clock set by NTP is off by less than this.
MAX_CLOCK_OFFSET_S: Final = 60
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Answer:
    """A response; this machine's clock is *clock_offset_s* ahead of the server's, if known."""

    status: int
    clock_offset_s: float | None


def check_endpoint(url: str, remedy: str) -> Iterator[Finding]:
    """Two findings: whether *url* answers, with *remedy* if not, and whether the clocks agree."""
    try:
        answer = ask(url)
    except (OSError, HTTPException, ValueError) as exc:
        yield failed(f"endpoint {url}", f"{reason_of(exc)}: {remedy}")
        yield skipped("clock", f"compared with the Date of {url}, which does not answer")
        return
    yield ok(f"endpoint {url}", "answers")
    yield _clock(url, answer.clock_offset_s)


def ask(url: str) -> Answer:
    """The response of *url*, error responses included.

    Raises:
        OSError, HTTPException, ValueError: there is no HTTP response.
    """
    began_at = time.time()
    try:
        with _opener(url).open(url, timeout=TIMEOUT_S) as response:
            status, date = response.status, response.headers.get("Date")
    except HTTPError as exc:
        status, date = exc.code, exc.headers.get("Date")
        exc.close()
    # Compare with the start or the end of the call, whichever is nearer: a slow response does not
    # mean a wrong clock.
    moments = (began_at, time.time())
    theirs = _seconds(date)
    offsets = [] if theirs is None else [moment - theirs for moment in moments]
    return Answer(status, min(offsets, key=abs, default=None))


def reason_of(exc: Exception) -> str:
    """The meaning of *exc*, an exception of `ask`, in a few words."""
    cause = exc.reason if isinstance(exc, URLError) else exc
    if isinstance(cause, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(cause, socket.gaierror):
        return "the host name is unknown"
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT_S} s"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or cause})"
    if isinstance(cause, HTTPException):
        return "the server does not speak HTTP"
    return str(getattr(cause, "strerror", None) or cause)


def _clock(url: str, offset_s: float | None) -> Finding:
    if offset_s is None:
        return skipped("clock", f"{url} does not send its time")
    if abs(offset_s) <= MAX_CLOCK_OFFSET_S:
        return ok("clock", f"agrees with the clock of {url}")
    where = "ahead of" if offset_s > 0 else "behind"
    return failed(
        "clock",
        f"{abs(offset_s):.0f} s {where} the clock of {url}: set it with NTP "
        "(`timedatectl set-ntp true`); AWS refuses requests that are five minutes off",
    )


def _seconds(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _opener(url: str) -> OpenerDirector:
    # Use the proxies of the environment, except for loopback.
    is_local = urlsplit(url).hostname in _LOOPBACK
    return build_opener(ProxyHandler({})) if is_local else build_opener()
