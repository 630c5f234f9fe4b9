"""Send one PNG repeatedly at a constant rate, without waiting for responses: an open loop.

    python -m benchmarks.pipeline.open_loop URL PNG --rate 20 --seconds 10 [--field method=otsu]

Prints JSON: the CPU seconds used, and for each upload when it was due, sent and answered (seconds
of the machine's monotonic clock, which all processes share), the status (0: no response) and the
image id. Latency counts from the due time, so a stall shows in every upload that was due during it.
A loop that waits for responses sends less to a slow server and hides the stall ("coordinated
omission": Gil Tene, "How NOT to Measure Latency", 2013). Connections are kept alive, as many as
needed.

Runs as a separate process on the standard library, so that it uses little CPU and shares no
interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: Longest wait for a response, after which a client would have given up.
ANSWER_TIMEOUT_S = 120.0
LEAD_S = 0.1
ACCEPTED = (200, 201, 202)


@dataclass(frozen=True)
class Answer:
    due_at: float
    sent_at: float
    answered_at: float
    status: int
    image_id: str | None = None

    @property
    def latency_s(self) -> float:
        return self.answered_at - self.due_at

    @property
    def is_accepted(self) -> bool:
        return self.status in ACCEPTED


@dataclass(frozen=True)
class Load:
    answers: list[Answer]
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url")
    parser.add_argument("png", type=Path)
    parser.add_argument("--rate", type=float, required=True, help="uploads a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--field", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    request = upload_request(options.url, options.png.read_bytes(), options.field)
    count = max(1, round(options.rate * options.seconds))
    answers = asyncio.run(send_all(options.url, request, options.rate, count))
    times = os.times()
    load = {"cpu_s": times.user + times.system, "answers": [asdict(a) for a in answers]}
    json.dump(load, sys.stdout)


def read_load(text: str) -> Load:
    """Parse the output of `main`."""
    seen = json.loads(text)
    return Load([Answer(**one) for one in seen["answers"]], seen["cpu_s"])


def upload_request(url: str, png: bytes, fields: Sequence[str]) -> bytes:
    """The bytes of a POST /upload with *png* as its part `image`, and NAME=VALUE fields."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, _, value in (field.partition("=") for field in fields)
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="page.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = "".join(parts).encode() + png + f"\r\n--{boundary}--\r\n".encode()
    head = (
        f"POST /upload HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAccept: application/json\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(url: str, request: bytes, rate: float, count: int) -> list[Answer]:
    connections = Connections(url)
    began_at = time.monotonic() + LEAD_S
    tasks = []
    for number in range(count):
        due_at = began_at + number / rate
        await asyncio.sleep(max(0.0, due_at - time.monotonic()))
        tasks.append(asyncio.create_task(send(connections, request, due_at)))
    answers = await asyncio.gather(*tasks)
    await connections.close()
    return list(answers)


async def send(connections: Connections, request: bytes, due_at: float) -> Answer:
    sent_at = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            status, body = await connections.exchange(request)
    except (OSError, EOFError, ValueError, TimeoutError):
        return Answer(due_at, sent_at, time.monotonic(), 0)
    answered_at = time.monotonic()
    image_id = json.loads(body)["image_id"] if status in ACCEPTED else None
    return Answer(due_at, sent_at, answered_at, status, image_id)


class Connections:
    """A pool of connections to one server, reused while it keeps them open."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname, place.port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send *request*; status and body of its answer.

        Raises:
            OSError, EOFError: the server cannot be reached, or hangs up.
            ValueError: what it says is not HTTP.
        """
        while self._idle:
            try:
                return await self._on(*self._idle.pop(), request)
            except (ConnectionError, EOFError):
                continue  # the server may close an idle connection; try another
        return await self._on(*await asyncio.open_connection(self._host, self._port), request)

    async def close(self) -> None:
        while self._idle:
            await _hang_up(self._idle.pop()[1])

    async def _on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, bytes]:
        is_kept = False
        try:
            # Do not drain first: a refusal may arrive before everything is sent.
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, headers = parse_head(head)
            length = headers.get("content-length")
            body = await (reader.read() if length is None else reader.readexactly(int(length)))
            is_kept = length is not None and headers.get("connection", "").lower() != "close"
            return status, body
        finally:
            if is_kept:
                self._idle.append((reader, writer))
            else:
                await _hang_up(writer)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()  # discard what is not sent yet
    with suppress(OSError):
        await writer.wait_closed()


def parse_head(head: str) -> tuple[int, dict[str, str]]:
    """Status, and headers with names in lower case. Raises ValueError."""
    first, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    version, status, *_ = first.split(" ")
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return int(status), headers


if __name__ == "__main__":
    main()
