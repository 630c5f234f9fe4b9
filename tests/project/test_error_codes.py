"""Each error that the API can answer with, over a real socket, as a client comes to see it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import urllib3

from app import errors
from app.openapi.refusals import documented_errors
from testkit.corpora.hostile_pngs import cases
from testkit.in_memory.served_sites import MAX_UPLOAD_BYTES
from testkit.network.http_requests import http_request
from testkit.network.raw_http import exchange
from testkit.png.scans import header, page_png, pixels, png
from testkit.root import ROOT

PAGE = ("scan.png", page_png())
KEY = {"Idempotency-Key": "a-key-of-16-characters"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    data: bytes


@dataclass(frozen=True)
class Served:
    port: int
    failed: str
    queued: str

    def ask(self, method: str, path: str, **options: object) -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = http_request(method, url, retries=False, **options)
        return Answer(answer.status, answer.headers, answer.data)

    def upload(self, data: bytes = PAGE[1], **more: object) -> Answer:
        return self.ask("POST", "/upload", fields={"image": ("scan.png", data)}, **more)

    def say(self, request: bytes) -> Answer:
        """What is no request in any library's words."""
        head, _, body = exchange(self.port, request).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = urllib3.HTTPHeaderDict()
        for line in lines[1:]:
            headers.add(*line.split(": ", 1))
        return Answer(int(lines[0].split()[1]), headers, body)


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, Served]]:
    command = [sys.executable, "-m", "testkit.in_memory.served_sites"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield {
            name: Served(**found) for name, found in json.loads(process.stdout.readline()).items()
        }
        process.kill()


def two_images() -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", PAGE), ("image", PAGE)]


def reuse_a_key(site: Served) -> Answer:
    site.upload(headers=KEY)
    return site.upload(page_png(50), headers=KEY)


def go_over_the_rate(site: Served) -> Answer:
    site.upload()
    return site.upload()


def upload_twice(site: Served, *, token: str = "", **fields: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    form = {"image": PAGE, **fields}
    site.ask("POST", "/upload", fields=form, headers=headers)
    return site.ask("POST", "/upload", fields=form, headers=headers)


def be_twice(site: Served) -> Answer:
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as first:
        first.sendall(head)
        assert first.recv(100).startswith(b"HTTP/1.1 100 ")
        return site.say(head)


def animated() -> bytes:
    return next(case.data for case in cases() if case.name == "apng_ok")


WAYS: dict[str, tuple[str, Callable[[Served], Answer]]] = {
    "bad-request": ("sound", lambda s: s.say(b"GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n")),
    "malformed-multipart": ("sound", lambda s: s.ask("POST", "/upload", body=b"x")),
    "missing-image": ("sound", lambda s: s.ask("POST", "/upload", fields={"other": PAGE})),
    "multiple-images": ("sound", lambda s: s.ask("POST", "/upload", fields=two_images())),
    "empty-image": ("sound", lambda s: s.upload(b"")),
    "unauthorized": ("guarded", lambda s: s.upload()),
    "cross-site": ("sound", lambda s: s.ask("POST", f"/images/{s.queued}/delete")),
    "not-found": ("sound", lambda s: s.ask("GET", "/images/1")),
    "method-not-allowed": ("sound", lambda s: s.ask("PUT", "/upload")),
    "not-ready": ("sound", lambda s: s.ask("GET", f"/images/{s.queued}/processed")),
    "processing-failed": ("sound", lambda s: s.ask("GET", f"/images/{s.failed}/processed")),
    "file-too-large": ("sound", lambda s: s.upload(bytes(2 * MAX_UPLOAD_BYTES))),
    "target-too-long": (
        "sound",
        lambda s: s.say(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    ),
    "head-too-large": (
        "sound",
        lambda s: s.say(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 33_000 + b"\r\n\r\n"),
    ),
    "unsupported-content-coding": (
        "sound",
        lambda s: s.upload(headers={"Content-Encoding": "gzip"}),
    ),
    "not-a-png": ("sound", lambda s: s.upload(b"GIF89a")),
    "range-not-satisfiable": (
        "sound",
        lambda s: s.ask("GET", f"/images/{s.queued}/original", headers={"Range": "bytes=9999-"}),
    ),
    "corrupt-png": ("sound", lambda s: s.upload(page_png()[:-1])),
    "unsupported-png": ("sound", lambda s: s.upload(animated())),
    "too-many-pixels": ("sound", lambda s: s.upload(png(header(30_000, 30), pixels([])))),
    "invalid-parameter": ("sound", lambda s: s.upload(headers={"Idempotency-Key": "short"})),
    "idempotency-key-reused": ("sound", reuse_a_key),
    "rate-limited": ("limited", go_over_the_rate),
    "internal-error": ("broken", lambda s: s.upload()),
    "unsupported-transfer-coding": (
        "sound",
        lambda s: s.say(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ),
    "storage-unavailable": ("without storage", lambda s: s.upload()),
    "queue-unavailable": ("without queue", lambda s: s.upload()),
    "busy": ("busy", lambda s: s.upload()),
    "too-many-connections": ("crowded", be_twice),
    "group-full": ("narrow", lambda s: upload_twice(s, group="book")),
    "owner-full": ("tight", lambda s: upload_twice(s, token="one")),
    "queue-full": ("full", lambda s: s.upload() and s.upload()),
}


def test_a_request_provokes_every_documented_error() -> None:
    assert WAYS.keys() == documented_errors()


@pytest.mark.parametrize("code", WAYS)
def test_an_error_comes_over_the_wire_with_its_code(sites: dict[str, Served], code: str) -> None:
    name, provoke = WAYS[code]

    answer = provoke(sites[name])

    document = json.loads(answer.data)
    assert (document["code"], document["status"]) == (code, answer.status)
    assert answer.status == status_of(code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert document["request_id"] == answer.headers["X-Request-ID"]
    assert "Content-Security-Policy" in answer.headers
    if document["status"] in (429, 503) or code == "not-ready":
        assert int(answer.headers["Retry-After"]) > 0


def status_of(code: str) -> int:
    kinds = [kind for kind in vars(errors).values() if getattr(kind, "code", None) == code]
    found: int = kinds[0].status
    return found
