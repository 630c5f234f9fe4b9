"""The load generator of the benchmarks counts from the moment that an upload was due."""

from __future__ import annotations

import asyncio
import io
import json
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from itertools import pairwise

import pytest
from werkzeug.formparser import parse_form_data

from benchmarks.pipeline.open_loop import (
    Answer,
    Connections,
    parse_head,
    read_load,
    send_all,
    upload_request,
)
from testkit.network.http_servers import serving

STALL_S = 0.4


class Handler(BaseHTTPRequestHandler):
    """Takes everything, as the subclass says."""

    protocol_version = "HTTP/1.1"
    status = 202
    connections = 0

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"image_id": "an-id"}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def server(
    handler: type[Handler], kind: type[HTTPServer] = ThreadingHTTPServer
) -> AbstractContextManager[str]:
    return serving(kind(("127.0.0.1", 0), handler))


def load(url: str, *, rate: float, count: int) -> list[Answer]:
    return asyncio.run(send_all(url, upload_request(url, b"PNG", []), rate, count))


def test_uploads_are_due_at_a_constant_rate_and_answers_keep_status_and_id() -> None:
    class Taking(Handler):
        pass

    with server(Taking) as url:
        answers = load(url, rate=100, count=10)

    gaps = [b.due_at - a.due_at for a, b in pairwise(answers)]
    assert gaps == pytest.approx([0.01] * 9)
    assert {(a.status, a.image_id) for a in answers} == {(202, "an-id")}
    assert all(a.due_at <= a.sent_at <= a.answered_at for a in answers)


def test_uploads_due_during_a_stall_are_late_too() -> None:
    """A closed loop would have sent one, and seen one slow answer."""

    class Stalling(Handler):
        has_stalled = False

        def do_POST(self) -> None:
            if not Stalling.has_stalled:
                Stalling.has_stalled = True
                time.sleep(STALL_S)
            super().do_POST()
            self.close_connection = True

    with server(Stalling, HTTPServer) as url:  # one at a time
        answers = load(url, rate=20, count=5)

    for number, answer in enumerate(answers):
        assert answer.latency_s >= STALL_S - number / 20 - 0.05


def test_a_refusal_keeps_its_status_and_a_server_that_hangs_up_is_no_answer() -> None:
    class Refusing(Handler):
        status = 503

    class HangingUp(Handler):
        def do_POST(self) -> None:
            self.close_connection = True

    for handler, status in ((Refusing, 503), (HangingUp, 0)):
        with server(handler) as url:
            (answer,) = load(url, rate=1, count=1)

        assert (answer.status, answer.image_id, answer.is_accepted) == (status, None, False)


def test_a_connection_is_used_again_until_the_server_closes_it() -> None:
    class Keeping(Handler):
        connections = 0

    class Closing(Handler):
        connections = 0

        def do_POST(self) -> None:
            super().do_POST()
            self.close_connection = True  # without saying so

    async def exchange_three(url: str) -> list[int]:
        connections = Connections(url)
        request = upload_request(url, b"PNG", [])
        statuses = [(await connections.exchange(request))[0] for _ in range(3)]
        await connections.close()
        return statuses

    for handler, expected in ((Keeping, 1), (Closing, 3)):
        with server(handler) as url:
            assert asyncio.run(exchange_three(url)) == [202] * 3
        assert handler.connections == expected


def test_the_request_is_a_form_with_the_image_and_its_fields() -> None:
    request = upload_request("http://127.0.0.1:5000", b"\x89PNG\r\n", ["method=otsu"])
    head, _, body = request.partition(b"\r\n\r\n")
    _, headers = parse_head(head.decode().replace("POST /upload HTTP/1.1", "HTTP/1.1 200 OK"))
    environ = {
        "wsgi.input": io.BytesIO(body),
        "CONTENT_TYPE": headers["content-type"],
        "CONTENT_LENGTH": headers["content-length"],
        "REQUEST_METHOD": "POST",
    }

    _, form, files = parse_form_data(environ)

    with files["image"].stream as image:
        assert image.read() == b"\x89PNG\r\n"
    assert dict(form) == {"method": "otsu"}


def test_a_response_that_is_not_http_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        parse_head("nonsense\r\n")


def test_http_1_0_closes_unless_it_says_otherwise() -> None:
    assert parse_head("HTTP/1.0 200 OK\r\n")[1]["connection"] == "close"
    assert parse_head("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n")[1]["connection"] != "close"


def test_a_load_is_unchanged_after_writing_and_reading() -> None:
    answer = Answer(1.0, 1.1, 1.2, 202, "an-id")
    text = json.dumps({"cpu_s": 0.5, "answers": [asdict(answer)]})

    seen = read_load(text)

    assert (seen.cpu_s, seen.answers) == (0.5, [answer])
