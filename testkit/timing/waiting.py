"""Wait for a condition with a deadline, and check upper bounds of wall-clock time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import urllib3

from testkit.network.http_requests import http_request

T = TypeVar("T")


class TooSlowError(AssertionError):
    """A time limit was exceeded, by a slow program or on a busy machine.

    pytest repeats only such a test, up to twice and while no other test runs (tests/conftest.py).
    """


def assert_within(took_s: float, limit_s: float) -> None:
    """Raise TooSlowError if *took_s*, by a clock or in CPU time, is over *limit_s*."""
    if took_s > limit_s:
        raise TooSlowError(f"took {took_s:.3f} s, may take {limit_s:.3f} s")


def wait_until(look: Callable[[], T], *, within_s: float = 60.0, every_s: float = 0.05) -> T:
    """The first truthy result of *look*; fails the test after *within_s* with the last result."""
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s; seen last: {seen!r}")
        time.sleep(every_s)


def is_alive(url: str) -> bool:
    """Whether the liveness check of the server at *url* succeeds."""
    return is_ok(f"{url}/healthz")


def is_ready(url: str) -> bool:
    """Whether the readiness check of the server at *url* succeeds."""
    return is_ok(f"{url}/readyz")


def is_ok(url: str) -> bool:
    """Whether a GET of *url* returns 200."""
    try:
        return http_request("GET", url, timeout=5, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
