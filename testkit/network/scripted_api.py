"""An API on loopback whose responses a test writes, for tests of the upload client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from testkit.network.http_servers import serving

IMAGE_ID = "6f1c7c1e-3f0f-4d6c-9f0a-6a9f6f0d2b11"


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it."""

    line: str
    token: str | None
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    url: str
    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)


def image(status: str, **more: object) -> Answer:
    found = {"image_id": IMAGE_ID, "status": status, "error": None, **more}
    return Answer(200, json.dumps(found).encode())


@contextmanager
def server(answer: Callable[[Asked], Answer]) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(f"{self.command} {self.path}", self.headers.get("Authorization"), body)
            running.asked.append(asked)
            given = running.answer(asked)
            self.send_response(given.status)
            for name, value in {**given.headers, "Content-Length": str(len(given.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        do_POST = do_GET  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        running = Server(url, answer)
        yield running
