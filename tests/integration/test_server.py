"""The web server over a real socket: refusals before Flask, pipelining, stopping and limits."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import urllib3
from waitress import wasyncore

from app.server.pace import Pace
from app.server.server import HttpServer
from app.settings import Settings
from testkit.in_memory.served import Served, serving
from testkit.in_memory.site import Site
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.network.raw_http import exchange, read_to_end, seconds, send_until_answered
from testkit.png.scans import page_png
from testkit.root import ROOT
from testkit.timing.waiting import assert_within, is_alive, wait_until

LIMIT_BYTES = 50_000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(LIMIT_BYTES) as served:
        yield served.port


def test_the_server_answers_over_a_socket(port: int) -> None:
    answer = http_request("GET", f"http://127.0.0.1:{port}/healthz")

    assert (answer.status, answer.json()) == (200, {"status": "alive"})
    assert "waitress" not in answer.headers.get("Server", "")


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, LIMIT_BYTES * 2, LIMIT_BYTES * 100])
def test_a_body_over_the_limit_gets_a_problem_document(port: int, size: int) -> None:
    fields = {"image": ("a.png", b"\0" * size)}

    answer = http_request("POST", f"http://127.0.0.1:{port}/upload", fields=fields)

    assert (answer.status, answer.json()["code"]) == (413, "file-too-large")


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        (b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999", 413, "file-too-large"),
        (b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: -1", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbroken", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 300_000, 431, "head-too-large"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
            501,
            "unsupported-transfer-coding",
        ),
    ],
)
def test_a_refusal_by_the_server_itself_is_a_problem_document(
    port: int, request_head: bytes, status: int, code: str
) -> None:
    head, _, body = exchange(port, request_head + b"\r\n\r\n").partition(b"\r\n\r\n")

    document = json.loads(body)
    assert int(head.split()[1]) == status == document["status"]
    assert document["code"] == code
    assert b"application/problem+json" in head
    assert b"Content-Security-Policy" in head
    assert document["request_id"].encode() in head


def test_with_a_full_disk_large_bodies_are_refused_and_small_ones_accepted() -> None:
    with serving(3_000_000, 100_000) as served:
        url = f"http://127.0.0.1:{served.port}/upload"
        large = {"image": ("a.png", page_png() + b"\0" * 1_000_000)}
        small = {"image": ("a.png", page_png())}

        refused = http_request("POST", url, fields=large, retries=False)
        taken = http_request("POST", url, fields=small, retries=False)

    assert (refused.status, refused.json()["code"]) == (503, "storage-unavailable")
    assert taken.status == 202


# --- a body that is refused at its header --------------------------------------------------------

MEGABYTE = 1_000_000


def large_head(more: bytes = b"") -> bytes:
    return (
        b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 30000000\r\n" + more + b"\r\n"
    )


def test_a_body_far_over_the_limit_is_refused_at_its_header_and_not_stored() -> None:
    # The server may write no file of over one byte: it would end with SIGXFSZ or respond 5xx.
    with serving(MEGABYTE, 1) as served:
        before = served.memory_bytes
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
            sent = send_until_answered(connection, large_head(), 30 * MEGABYTE)
            answer = read_to_end(connection)
        grown = served.memory_bytes - before

    print(f"30 MB over a limit of 1 MB: {sent} bytes of body sent, memory grew by {grown} bytes")
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"Connection: close" in answer
    assert sent < 10 * MEGABYTE  # the capacity of both sockets' buffers
    assert grown < 5 * MEGABYTE


def test_a_client_that_expects_100_continue_is_refused_before_its_body(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(large_head(b"Expect: 100-continue\r\n"))
        answer = read_to_end(connection)

    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"100 Continue" not in answer


def test_a_client_that_sends_its_whole_body_first_reads_the_refusal(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(large_head() + b"\0" * (30 * MEGABYTE))
        answer = read_to_end(connection)

    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"file-too-large" in answer


def test_bytes_after_a_refusal_are_never_parsed_as_a_request(port: int) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    answer = exchange(port, large_head() + hidden)

    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_chunked_body_over_the_limit_is_refused_while_it_is_read() -> None:
    head = (
        b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n1c9c380\r\n"  # 30,000,000
    )
    with (
        serving(MEGABYTE) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection,
    ):
        sent = send_until_answered(connection, head, 30 * MEGABYTE)
        answer = read_to_end(connection)

    print(f"the same, chunked: {sent} bytes of body sent")
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert sent < 10 * MEGABYTE


def test_a_chunked_upload_within_the_limit_is_taken(port: int) -> None:
    body, content_type = urllib3.encode_multipart_formdata({"image": ("a.png", page_png())})

    answer = http_request(
        "POST",
        f"http://127.0.0.1:{port}/upload",
        body=(body[n : n + 100] for n in range(0, len(body), 100)),
        headers={"Content-Type": content_type, "Transfer-Encoding": "chunked"},
    )

    assert answer.status == 202


# --- several requests on one connection ----------------------------------------------------------

CHUNKED = b"Transfer-Encoding: chunked\r\n"
PLAIN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("path", [b"/healthz", b"/images/1", b"/openapi.json"])
def test_only_uploads_may_have_a_large_chunked_body(path: bytes) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + CHUNKED + b"\r\n1c9c380\r\n"
    # The server may write no file of over one byte.
    with (
        serving(40 * MEGABYTE, 1) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection,
    ):
        sent = send_until_answered(connection, head, 30 * MEGABYTE)
        answer = read_to_end(connection)

    assert b" 413 " in answer.split(b"\r\n")[0]
    assert sent < 10 * MEGABYTE


def test_two_valid_requests_on_one_connection_get_two_answers(port: int) -> None:
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    assert exchange(port, PLAIN + last).count(b"HTTP/1.1 200") == 2


def test_requests_sent_ahead_are_answered_in_their_order(port: int) -> None:
    paths = [b"/healthz", b"/nowhere", b"/openapi.json", b"/healthz"]
    requests = [b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths]
    requests[-1] = requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    answer = exchange(port, b"".join(requests), is_ended=False)

    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200", b"200"]


def test_a_client_that_pipelines_and_reads_nothing_delays_no_other(port: int) -> None:
    """More clients than the server has threads; their responses exceed every buffer."""
    large = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(4)]
    for client in clients:
        client.sendall(large * 40)

    for _ in range(20):
        assert is_alive(f"http://127.0.0.1:{port}")
    for client in clients:
        client.close()


# --- the path as the gate and Flask see it -------------------------------------------------------


@pytest.mark.parametrize("path", [b"//upload", b"/%75pload", b"/./upload", b"/upload?x"])
def test_no_spelling_of_the_path_lets_an_upload_exceed_the_limits(port: int, path: bytes) -> None:
    head = large_head().replace(b"/upload", path)

    assert b" 413 " in exchange(port, head).split(b"\r\n")[0]


# --- stopping ------------------------------------------------------------------------------------


def test_a_stop_answers_waiting_requests() -> None:
    with serving(LIMIT_BYTES) as served, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            http_request,
            "POST",
            f"http://127.0.0.1:{served.port}/upload",
            fields={"image": ("a.png", page_png())},
            headers={"Prefer": "wait=30"},
        )
        wait_until(lambda: has_one_busy(served))
        started = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        answer = waiting.result()
        served.process.wait(60)

    assert (answer.status, answer.json()["status"]) == (202, "queued")
    assert_within(seconds(started), 5)


def has_one_busy(served: Served) -> bool:
    """Whether a request waits: the server then grants no wait to a second one."""
    answer = http_request(
        "POST",
        f"http://127.0.0.1:{served.port}/upload",
        fields={"image": ("a.png", page_png())},
        headers={"Prefer": "wait=0"},
    )
    return "Preference-Applied" not in answer.headers


# --- order of service ----------------------------------------------------------------------------


def site_and_server(**settings: Any) -> tuple[Site, HttpServer]:
    """A site, and its server, which does not run yet."""
    site = Site(Settings(port=free_port(), **settings))
    services = site.app.extensions["image_pipeline"]
    return site, HttpServer(site.app, services.settings, services.gate, on_stop=site.waits.stop)


def port_of(server: HttpServer) -> int:
    return int(server._listeners[0].socket.getsockname()[1])


def test_waiting_connections_are_accepted_in_one_round_of_the_loop() -> None:
    _, server = site_and_server(max_connections_per_client=30)
    before = len(server._sockets)
    with ExitStack() as stack:
        address = "127.0.0.1", port_of(server)
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(40)]

        server._look(10)

        assert len(server._sockets) - before == 30
        # The other 10 exceed the limit of connections of one address.
        assert {client.recv(1) for client in clients[30:]} == {b""}
        wasyncore.close_all(server._sockets)


def test_a_health_check_is_answered_while_many_clients_wait() -> None:
    """Otherwise a load balancer would replace a process that is merely busy."""
    site, server = site_and_server(web_threads=1, trusted_proxy_hops=1)
    put_once, may_put = site.inputs.put_once, threading.Semaphore(0)

    def put_in_turn(*given: Any, **named: Any) -> Any:
        may_put.acquire()
        return put_once(*given, **named)

    site.inputs.put_once = put_in_turn  # type: ignore[method-assign]
    queue = server._dispatcher.queue
    threading.Thread(target=server.run, daemon=True).start()
    url = f"http://127.0.0.1:{port_of(server)}"

    def upload(number: int) -> int:
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        fields = {"image": ("a.png", page_png())}
        return http_request("POST", f"{url}/upload", fields=fields, headers=headers).status

    with ThreadPoolExecutor(11) as pool:
        uploads = [pool.submit(upload, number) for number in range(10)]
        wait_until(lambda: len(queue) == 9)  # the tenth is in progress
        check = pool.submit(http_request, "GET", f"{url}/healthz")
        wait_until(lambda: len(queue) == 10)
        may_put.release()
        try:
            assert check.result(20).status == 200
            assert sum(one.done() for one in uploads) <= 1
        finally:
            may_put.release(10)
        assert {one.result(60) for one in uploads} == {202}


# --- limits of pace and number -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moved_bytes", "is_too_slow"),
    [
        ([0], True),
        ([30_000], True),
        ([40_000], False),
        # An earlier fast transfer does not excuse a stall.
        ([32_000_000, 32_000_000], True),
        ([40_000, 80_000, 120_000], False),
    ],
)
def test_a_transfer_must_move_30_kib_in_each_half_minute(
    moved_bytes: list[int], is_too_slow: bool
) -> None:
    pace, now = Pace(), time.monotonic()

    verdicts = [pace.is_too_slow(moved, now + 31 * (n + 1)) for n, moved in enumerate(moved_bytes)]

    assert verdicts == [False] * (len(moved_bytes) - 1) + [is_too_slow]
    assert not pace.is_too_slow(0, now + 31 * len(moved_bytes) + 29)


@pytest.mark.parametrize(("descriptors", "connections"), [(400, 136), (100, 1), (100_000, 1000)])
def test_the_limit_of_connections_follows_from_the_limit_of_descriptors(
    descriptors: int, connections: int
) -> None:
    program = (
        "import resource; from app.server import server;"
        f"resource.getrlimit = lambda _: (50, {descriptors});"
        "resource.setrlimit = lambda _, limits: print(limits[0]);"
        "print(server._connection_limit())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == [str(min(descriptors, 2128)), str(connections)]
