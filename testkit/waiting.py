"""Wait for something with a deadline, say what was seen last, and hold what must be quick."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import urllib3

T = TypeVar("T")


class TooSlowError(AssertionError):
    """It took longer than it may: a fault of ours, or a machine that others use.

    pytest repeats such a test up to twice (pyproject.toml), and no other.
    """


def assert_within(took_s: float, limit_s: float) -> None:
    """For bounds by the clock on the wall."""
    if took_s > limit_s:
        raise TooSlowError(f"took {took_s:.2f} s, may take {limit_s:.2f} s")


def wait_until(look: Callable[[], T], *, within_s: float = 60.0, every_s: float = 0.05) -> T:
    """The first truthy thing that *look* returns; fails the test after *within_s*."""
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s; seen last: {seen!r}")
        time.sleep(every_s)


def is_alive(url: str) -> bool:
    """Whether the server at *url* answers its health check."""
    return is_ok(f"{url}/healthz")


def is_ready(url: str) -> bool:
    """Whether the server at *url* says that it can work."""
    return is_ok(f"{url}/readyz")


def is_ok(url: str) -> bool:
    """Whether somebody answers a GET of *url* with 200."""
    try:
        return urllib3.request("GET", url, timeout=5, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
