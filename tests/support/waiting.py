"""Wait for something with a deadline, and say what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import urllib3

T = TypeVar("T")


def wait_until(look: Callable[[], T], *, within_s: float = 20.0, every_s: float = 0.05) -> T:
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
    try:
        return urllib3.request("GET", f"{url}/healthz", timeout=5, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
