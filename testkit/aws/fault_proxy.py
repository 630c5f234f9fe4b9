"""A proxy between AWS clients and LocalStack that injects faults of networks and services.

    with FaultProxy("http://127.0.0.1:4566") as proxy:
        proxy.rules = [Rule(LoseAnswer(), frozenset({"PutObject"}), first=1, last=1)]
        ... Settings(aws_endpoint_url=proxy.url) ...

Unlike a TCP proxy, it knows the operation of a request, can forward the request and lose the
response.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from testkit.aws.http_messages import HttpConnection, HttpMessage

_MAX_HEAD_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Latency:
    """Delay the response."""

    seconds: float


@dataclass(frozen=True)
class Status:
    """Refuse with an error of the service, without forwarding."""

    code: int
    error: str


@dataclass(frozen=True)
class Reset:
    """Reset the connection, without forwarding."""


@dataclass(frozen=True)
class BlackHole:
    """Send nothing for a while, then reset the connection, without forwarding."""

    seconds: float


@dataclass(frozen=True)
class LoseAnswer:
    """Forward, wait for the response, then reset the connection."""


@dataclass(frozen=True)
class Truncate:
    """Send only the first bytes of the body, then reset the connection."""

    size_bytes: int


@dataclass(frozen=True)
class Duplicate:
    """Forward twice and return the second response."""


@dataclass(frozen=True)
class Call:
    """Call a function instead of forwarding, or between forwarding and the response."""

    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None


Fault = Latency | Status | Reset | BlackHole | LoseAnswer | Truncate | Duplicate | Call


@dataclass
class Rule:
    """A fault for the matching requests from number *first* to *last*, counted from 1."""

    fault: Fault
    operations: frozenset[str] = frozenset()
    path_contains: str = ""
    first: int = 1
    last: int | None = None
    probability: float = 1.0
    matched: int = field(default=0, compare=False)

    def applies(self, request: HttpMessage, chance: random.Random) -> bool:
        if self.operations and request.operation not in self.operations:
            return False
        if self.path_contains not in request.path:
            return False
        self.matched += 1
        is_in_range = self.first <= self.matched <= (self.last or self.matched)
        return is_in_range and chance.random() < self.probability


class FaultProxy:
    """A proxy in a thread of its own, inside a `with` block."""

    def __init__(self, upstream: str | None, *, seed: int = 1) -> None:
        parts = urlsplit(upstream or "")
        assert parts.hostname
        assert parts.port
        self._upstream = (parts.hostname, parts.port)
        #: The first matching rule applies.
        self.rules: Sequence[Rule] = []
        #: Every request that arrived, by the name of its operation.
        self.seen: Counter[str] = Counter()
        self.url = ""
        self._chance = random.Random(seed)
        self._idle: list[HttpConnection] = []
        self._clients: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._stopping.wait()
        server.close()
        for task in (clients := list(self._clients)):
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        for connection in self._idle:
            connection.writer.transport.abort()
        await asyncio.sleep(0.01)  # until what was aborted is closed

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = HttpConnection(reader, writer)
        # asyncio keeps only weak references to tasks, so a waiting task could be collected.
        task = asyncio.current_task()
        assert task
        self._clients.add(task)
        try:
            while request := await connection.read_request():
                self.seen[request.operation] += 1
                if not await self._answer(connection, request):
                    break
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client or the proxy has closed
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _answer(self, client: HttpConnection, request: HttpMessage) -> bool:
        """Respond to *request*; returns whether the connection stays open."""
        fault = self._fault(request)
        if isinstance(fault, Latency):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, BlackHole):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, BlackHole | Reset):
            return False
        if isinstance(fault, Status):
            await client.write(_refusal(request, fault))
            return True
        if isinstance(fault, Call) and fault.before:
            fault.before()
            return False
        answer = await self._forward(request)
        if isinstance(fault, Duplicate):
            answer = await self._forward(request)
        if isinstance(fault, Call) and fault.after:
            fault.after()
        if isinstance(fault, LoseAnswer):
            return False
        if isinstance(fault, Truncate):
            await client.write(answer.head + answer.body[: fault.size_bytes])
            await asyncio.sleep(0.05)  # or the abort would overtake it
            return False
        await client.write(answer.head + answer.body)
        return True

    def _fault(self, request: HttpMessage) -> Fault | None:
        applying = (rule for rule in self.rules if rule.applies(request, self._chance))
        rule = next(applying, None)
        return rule.fault if rule else None

    async def _forward(self, request: HttpMessage) -> HttpMessage:
        while self._idle:
            connection = self._idle.pop()
            with contextlib.suppress(OSError, EOFError):  # it was closed while idle
                return await self._exchange(connection, request)
        return await self._exchange(
            HttpConnection(*await asyncio.open_connection(*self._upstream, limit=_MAX_HEAD_BYTES)),
            request,
        )

    async def _exchange(self, upstream: HttpConnection, request: HttpMessage) -> HttpMessage:
        try:
            await upstream.write(request.head + request.body)
            answer = await upstream.read_answer(has_body=request.method != "HEAD")
        except BaseException:
            upstream.writer.transport.abort()
            raise
        if answer.is_last:
            upstream.writer.transport.abort()
        else:
            self._idle.append(upstream)
        return answer


def _refusal(request: HttpMessage, status: Status) -> bytes:
    if request.is_sqs:
        kind = "application/x-amz-json-1.0"
        body = json.dumps({"__type": f"com.amazonaws.sqs#{status.error}", "message": "injected"})
    else:
        kind = "application/xml"
        body = f"<Error><Code>{status.error}</Code><Message>injected</Message></Error>"
    content = b"" if request.method == "HEAD" else body.encode()
    head = (
        f"HTTP/1.1 {status.code} Injected\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
