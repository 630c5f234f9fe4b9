"""The proxy that the fault tests rest on does what it says."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from testkit.aws.fault_proxy import (
    BlackHole,
    Call,
    Duplicate,
    Fault,
    FaultProxy,
    Latency,
    LoseAnswer,
    Reset,
    Rule,
    Status,
    Truncate,
)
from testkit.network.http_servers import serving
from testkit.timing.waiting import assert_within

MEGABYTE = bytes(1_000_000)


class Upstream(BaseHTTPRequestHandler):
    """Answers with the body it was sent, and counts."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[list[bytes]] = []
    clients: ClassVar[set[object]] = set()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.bodies.append(body)
        self.clients.add(self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET = do_PUT  # noqa: N815 (http.server's names)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    Upstream.bodies, Upstream.clients = [], set()
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), Upstream)) as url,
        FaultProxy(url) as proxy,
    ):
        yield proxy


def ask(
    proxy: FaultProxy, body: bytes = b"hello", *, method: str = "PUT", **headers: str
) -> tuple[int, bytes]:
    parts = urlsplit(proxy.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, "/bucket/key", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def inject(proxy: FaultProxy, fault: Fault) -> None:
    proxy.rules = [Rule(fault, last=1)]


def test_a_request_without_a_rule_passes_unchanged_and_is_counted(proxy: FaultProxy) -> None:
    assert ask(proxy, MEGABYTE) == (200, MEGABYTE)
    assert ask(proxy, method="HEAD") == (200, b"")
    assert proxy.seen == {"PutObject": 1, "HeadObject": 1}


def test_an_operation_of_sqs_is_known_by_its_target(proxy: FaultProxy) -> None:
    ask(proxy, method="POST", **{"X-Amz-Target": "AmazonSQS.SendMessageBatch"})

    assert proxy.seen == {"SendMessageBatch": 1}


def test_connections_to_the_upstream_are_used_again(proxy: FaultProxy) -> None:
    for _ in range(5):
        ask(proxy)

    assert len(Upstream.clients) == 1


def test_latency_does_not_delay_other_requests(proxy: FaultProxy) -> None:
    latency_s, clients = 0.5, 8
    proxy.rules = [Rule(Latency(latency_s))]
    began_at = time.monotonic()

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda _: ask(proxy), range(clients)))

    assert answers == [(200, b"hello")] * clients
    took_s = time.monotonic() - began_at
    assert took_s >= latency_s
    assert_within(took_s, clients * latency_s)


def test_an_injected_status_has_the_format_of_the_service(proxy: FaultProxy) -> None:
    proxy.rules = [Rule(Status(503, "SlowDown"))]

    assert ask(proxy)[0] == 503
    assert b"<Code>SlowDown</Code>" in ask(proxy)[1]
    assert b"#SlowDown" in ask(proxy, **{"X-Amz-Target": "AmazonSQS.SendMessage"})[1]
    assert Upstream.bodies == []


@pytest.mark.parametrize(
    ("fault", "applied"), [(Reset(), 0), (BlackHole(0.1), 0), (LoseAnswer(), 1)]
)
def test_a_lost_request_is_not_applied_and_a_lost_answer_is(
    proxy: FaultProxy, fault: Fault, applied: int
) -> None:
    inject(proxy, fault)

    with pytest.raises(OSError):  # noqa: PT011 (reset, or remote end closed)
        ask(proxy)

    assert len(Upstream.bodies) == applied


def test_a_truncated_answer_breaks_off_in_the_middle(proxy: FaultProxy) -> None:
    inject(proxy, Truncate(3))

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        ask(proxy)


def test_a_duplicate_is_applied_twice(proxy: FaultProxy) -> None:
    inject(proxy, Duplicate())

    assert ask(proxy) == (200, b"hello")
    assert Upstream.bodies == [b"hello"] * 2


def test_a_call_comes_instead_of_forwarding_or_once_it_is_applied(proxy: FaultProxy) -> None:
    applied: list[int] = []

    def note() -> None:
        applied.append(len(Upstream.bodies))

    inject(proxy, Call(before=note))
    with pytest.raises(OSError):  # noqa: PT011 (reset, or remote end closed)
        ask(proxy)
    inject(proxy, Call(after=note))
    ask(proxy)

    assert applied == [0, 1]


def test_a_rule_counts_its_own_requests(proxy: FaultProxy) -> None:
    proxy.rules = [Rule(Status(500, "X"), frozenset({"PutObject"}), "/key", first=2, last=3)]

    statuses = [ask(proxy)[0] for _ in range(4)]

    assert (ask(proxy, method="GET")[0], statuses) == (200, [200, 500, 500, 200])
