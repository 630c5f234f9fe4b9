"""The web server over a real socket: what it refuses before Flask sees it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3

from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.scans import page_png
from tests.support.waiting import wait_until

LIMIT_BYTES = 50_000


@contextmanager
def serving(*limits: int) -> Iterator[int]:
    """A process of its own, so that it is stopped as it is in life."""
    port = free_port()
    arguments = [str(number) for number in (port, *limits)]
    command = [sys.executable, "-m", "tests.support.memory_site", *arguments]
    with subprocess.Popen(command, cwd=ROOT) as server:
        wait_until(lambda: is_alive(port))
        yield port
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(LIMIT_BYTES) as port:
        yield port


def is_alive(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/healthz"
        return urllib3.request("GET", url, timeout=2, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def exchange(port: int, request: bytes) -> bytes:
    """Send raw bytes and read until the server closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def test_it_serves_over_a_socket(port: int) -> None:
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}/healthz")

    assert (answer.status, answer.json()) == (200, {"status": "alive"})
    assert "waitress" not in answer.headers.get("Server", "")


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, LIMIT_BYTES * 2 - 1000])
def test_a_body_over_the_limit_gets_a_problem_document(port: int, size: int) -> None:
    fields = {"image": ("a.png", b"\0" * size)}

    answer = urllib3.request("POST", f"http://127.0.0.1:{port}/upload", fields=fields)

    assert (answer.status, answer.json()["code"]) == (413, "file-too-large")


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        (b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999", 413, "file-too-large"),
        (b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: -1", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbroken", 400, "bad-request"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
            501,
            "unsupported-transfer-coding",
        ),
    ],
)
def test_what_the_server_refuses_by_itself_is_a_problem_document_too(
    port: int, request_head: bytes, status: int, code: str
) -> None:
    head, _, body = exchange(port, request_head + b"\r\n\r\n").partition(b"\r\n\r\n")

    document = json.loads(body)
    assert int(head.split()[1]) == status == document["status"]
    assert document["code"] == code
    assert b"application/problem+json" in head
    assert b"Content-Security-Policy" in head
    assert document["request_id"].encode() in head


def test_forty_dribbling_clients_do_not_keep_others_waiting(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    for connection in slow:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")

    assert is_alive(port)
    for connection in slow:
        connection.close()


def test_a_full_disk_refuses_large_bodies_in_words_and_takes_small_ones() -> None:
    with serving(3_000_000, 100_000) as port:
        url = f"http://127.0.0.1:{port}/upload"
        large = {"image": ("a.png", page_png() + b"\0" * 1_000_000)}
        small = {"image": ("a.png", page_png())}

        refused = urllib3.request("POST", url, fields=large, retries=False)
        taken = urllib3.request("POST", url, fields=small, retries=False)

    assert (refused.status, refused.json()["code"]) == (503, "storage-unavailable")
    assert taken.status == 202
