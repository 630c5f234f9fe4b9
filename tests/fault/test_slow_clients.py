"""Many clients that send a byte now and then, and what the others notice of them."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import urllib3

from app.settings import Settings
from benchmarks.head_cost import attacks, sending
from testkit.fleet import role
from testkit.ports import free_port
from testkit.raw_http import dribbling, seconds
from testkit.scans import page_png
from testkit.waiting import assert_within, is_alive, wait_until

SOAK = bool(os.environ.get("SOAK"))
DURATION_S = 30 if SOAK else 6
HEAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = (
    b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 1000000\r\n\r\n--x\r\n"
)


@pytest.fixture
def url(fault_settings: Settings) -> Iterator[str]:
    port = free_port()
    with role("web", fault_settings.model_copy(update={"port": port})):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_alive(url))
        yield url


def upload(url: str) -> int:
    fields = {"image": ("a.png", page_png())}
    return urllib3.request("POST", f"{url}/upload", fields=fields, retries=False).status


@contextmanager
def slow_clients(url: str, headers: int, bodies: int) -> Iterator[int]:
    port = int(url.rpartition(":")[2])
    with dribbling(port, headers, HEAD), dribbling(port, bodies, BODY):
        yield headers + bodies


@pytest.mark.parametrize(("headers", "bodies"), [(40, 40), (100, 100)])
def test_slow_clients_keep_nobody_waiting(url: str, headers: int, bodies: int) -> None:
    checks_s, uploads = [], []
    with slow_clients(url, headers, bodies) as count:
        started = time.monotonic()
        while seconds(started) < DURATION_S:
            asked = time.monotonic()
            assert is_alive(url)
            checks_s.append(seconds(asked))
            uploads.append(upload(url))

    p99_s = statistics.quantiles(checks_s, n=100)[98]
    print(f"{count} slow clients: health p99 {1000 * p99_s:.0f} ms, {len(uploads)} uploads taken")
    assert_within(p99_s, 0.2)
    assert set(uploads) == {202}


@pytest.mark.parametrize("name", attacks(32_000))
def test_a_head_that_is_long_to_read_keeps_nobody_waiting(url: str, name: str) -> None:
    """As a whole again and again, and byte by byte."""
    port, request = int(url.rpartition(":")[2]), attacks(32_000)[name]
    checks_s: list[float] = []
    with ExitStack() as stack:
        attackers = [stack.enter_context(sending(port, request, 1)) for _ in range(2)]
        while len(checks_s) < 100 or any(one.is_alive() for one in attackers):
            with socket.create_connection(("127.0.0.1", port)) as other:
                other.sendall(request)
                asked = time.monotonic()
                assert is_alive(url)
                checks_s.append(seconds(asked))

    p99_s = statistics.quantiles(checks_s, n=100)[98]
    print(f"{name}: health p99 {1000 * p99_s:.0f} ms")
    assert_within(p99_s, 0.1)


if SOAK:  # it takes half a minute

    def test_clients_that_stay_slow_are_cut_off(url: str) -> None:
        port = int(url.rpartition(":")[2])
        with dribbling(port, 5, HEAD) as clients:
            started = time.monotonic()
            assert all(is_cut_off(client) for client in clients)
            assert 25 < seconds(started) < 50

    def is_cut_off(client: socket.socket) -> bool:
        client.settimeout(60)
        try:
            return client.recv(1) == b""
        except ConnectionResetError:  # a byte of its own was on the way
            return True
