"""Many clients that send a byte now and then do not delay other clients."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil
import pytest

from benchmarks.service.head_cost import attacks, sending
from testkit.network.http_requests import http_request
from testkit.network.raw_http import dribbling, seconds
from testkit.png.scans import page_png
from testkit.processes.fleet import role
from testkit.timing.waiting import assert_within, is_alive, wait_until
from tests.conftest import provisioned

SOAK = bool(os.environ.get("SOAK"))
DURATION_S = 30 if SOAK else 6
HEAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = (
    b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 1000000\r\n\r\n--x\r\n"
)


@dataclass(frozen=True)
class Web:
    """A running role `web`."""

    url: str
    process: psutil.Process

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def health_check_s(self) -> float:
        """CPU seconds of the server for a health check; wall time would include other processes."""
        before_s = self._cpu_s()
        assert is_alive(self.url)
        return self._cpu_s() - before_s

    def _cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@pytest.fixture(scope="module")
def web(endpoint: str) -> Iterator[Web]:
    settings = provisioned(endpoint)
    with role("web", settings) as running:
        web = Web(f"http://127.0.0.1:{settings.port}", psutil.Process(running.process.pid))
        wait_until(lambda: is_alive(web.url))
        yield web


def upload(url: str) -> int:
    fields = {"image": ("a.png", page_png())}
    return http_request("POST", f"{url}/upload", fields=fields, retries=False).status


@contextmanager
def slow_clients(port: int, headers: int, bodies: int) -> Iterator[int]:
    with dribbling(port, headers, HEAD), dribbling(port, bodies, BODY):
        yield headers + bodies


@pytest.mark.parametrize(("headers", "bodies"), [(40, 40), (100, 100)])
def test_slow_clients_delay_no_other_client(web: Web, headers: int, bodies: int) -> None:
    checks_s, uploads = [], []
    with slow_clients(web.port, headers, bodies) as count:
        started = time.monotonic()
        while seconds(started) < DURATION_S:
            checks_s.append(web.health_check_s())
            uploads.append(upload(web.url))

    p99_s = statistics.quantiles(checks_s, n=100)[98]
    print(f"{count} slow clients: health p99 {1000 * p99_s:.0f} ms of CPU, {len(uploads)} uploads")
    assert_within(p99_s, 0.2)
    assert set(uploads) == {202}


@pytest.mark.parametrize("name", attacks(32_000))
def test_an_expensive_head_delays_no_other_client(web: Web, name: str) -> None:
    """Two attackers send the head byte by byte, and others send it as a whole."""
    port, request = web.port, attacks(32_000)[name]
    checks_s: list[float] = []
    with ExitStack() as stack:
        attackers = [stack.enter_context(sending(port, request, 1)) for _ in range(2)]
        while len(checks_s) < 100 or any(one.is_alive() for one in attackers):
            with socket.create_connection(("127.0.0.1", port)) as other:
                other.sendall(request)
                checks_s.append(web.health_check_s())

    p99_s = statistics.quantiles(checks_s, n=100)[98]
    print(f"{name}: health p99 {1000 * p99_s:.0f} ms of CPU")
    assert_within(p99_s, 0.1)


if SOAK:  # the test takes half a minute

    def test_clients_that_stay_slow_are_cut_off(web: Web) -> None:
        with dribbling(web.port, 5, HEAD) as clients:
            started = time.monotonic()
            assert all(is_cut_off(client) for client in clients)
            assert 25 < seconds(started) < 50

    def is_cut_off(client: socket.socket) -> bool:
        client.settimeout(60)
        try:
            return client.recv(1) == b""
        except ConnectionResetError:  # a byte of the client was on its way to the server
            return True
