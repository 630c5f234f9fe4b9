"""Serve the application with waitress, behind a gate that sees a request before its body is read.

Waitress reads a request whole before it takes a thread, so slow clients cost none. What we add:
the gate is asked at the end of the header, a body that is refused there is never kept, and the
connection is closed so that the client can still read why.
"""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from . import logs
from .answers import SECURITY_HEADERS
from .errors import (
    BadRequestError,
    FileTooLargeError,
    InternalError,
    PipelineError,
    StorageUnavailableError,
    TransferCodingError,
)
from .gate import ENVIRON_KEY, Gate, Head, Pass
from .http_reader import Pace, Parser
from .settings import Settings

logger = logs.get_logger(__name__)

#: Each costs a file descriptor, two with a body that goes to the disk, and up to half a megabyte.
_MAX_CONNECTIONS: Final = 1000
_DESCRIPTORS_A_CONNECTION: Final = 2
#: For the files, S3 and SQS.
_OTHER_DESCRIPTORS: Final = 128
#: By default waitress reads 8 kB at a time, which costs an upload dozens of rounds of its loop.
_READ_BYTES: Final = 128 * 1024
_IDLE_S: Final = 60
_CLEANUP_S: Final = 5
#: After a refusal what still comes is read and thrown away for a while: closing at once would
#: reset the connection, and the client could lose the answer (RFC 9112, section 9.6).
_LINGER_S: Final = 10.0
_LINGER_BYTES: Final = 64 * 1024 * 1024


class _Task(WSGITask):
    """Takes the pass along; ends the connection after a body that was not read."""

    def execute(self) -> None:
        if self.request.is_cut:
            self.set_close_on_finish()
        super().execute()

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[ENVIRON_KEY] = self.request.granted
        return environ


class _ProblemTask(ErrorTask):
    """A refusal by waitress itself, as a problem document instead of plain text."""

    def execute(self) -> None:
        error = _as_problem(self.request.error.code)
        request_id = uuid4().hex
        logs.begin(request_id=request_id)
        document = error.to_problem() | {"request_id": request_id}
        body = json.dumps(document).encode()
        logger.info("request refused", status=error.status, code=error.code, bytes=len(body))
        self.status = f"{error.status} {error.title}"
        self.response_headers.extend(SECURITY_HEADERS.items())
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.response_headers.append(("Cache-Control", "no-store"))
        self.response_headers.append(("X-Request-ID", request_id))
        if error.status == 503:
            self.response_headers.append(("Retry-After", "5"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    """A connection that is cut when it is too slow, and lingers when we end it."""

    error_task_class = _ProblemTask
    task_class = _Task
    admit: Callable[[Head], Pass]
    _lingers_until: float | None = None
    _thrown_away_bytes = 0
    #: A request came that is not read to its end; the connection ends with its answer.
    is_cut = False
    request: Parser | None
    #: What the client has sent beyond the request in hand.
    ahead = b""
    _sent_bytes = 0

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._pace = Pace()

    def parser_class(self, adj: Any) -> Parser:
        return Parser(adj, self)

    def readable(self) -> bool:
        now = time.monotonic()
        if self._lingers_until is not None:
            if now > self._lingers_until:
                self.will_close = True
            return not self.will_close
        if self._is_overdue(now):
            self.will_close = True
        if self.ahead and not self.is_cut and super().readable():
            data, self.ahead = self.ahead, b""
            self.received(data)
        return bool(super().readable()) and not self.is_cut

    def writable(self) -> bool:
        return bool(self.will_close if self._lingers_until is not None else super().writable())

    def handle_read(self) -> None:
        if self._lingers_until is None:
            super().handle_read()
            return
        try:
            self._thrown_away_bytes += len(self.recv(_READ_BYTES))  # closes at the end
        except OSError:
            self.handle_close()
        if self._thrown_away_bytes > _LINGER_BYTES:
            self.will_close = True

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close))
        self._sent_bytes += sent
        return sent

    def handle_close(self) -> None:
        if self.is_cut and self._lingers_until is None and self.connected:
            self._linger()
        else:
            # It knows us, and would keep its body for the garbage collector to find.
            self.request = None
            super().handle_close()

    def _is_overdue(self, now: float) -> bool:
        if self.total_outbufs_len:
            return self._pace.is_too_slow(self._sent_bytes, now)
        self._pace.restart()
        self._sent_bytes = 0
        request = None if self.requests else self.request
        return request is not None and request.is_overdue(now)

    def _linger(self) -> None:
        self._lingers_until = time.monotonic() + _LINGER_S
        self.will_close = self.close_when_flushed = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()


class _Dispatcher(ThreadedTaskDispatcher):
    """The server's threads; says when they are to come to an end."""

    def __init__(self, on_stop: Callable[[], None]) -> None:
        super().__init__()
        self._on_stop = on_stop

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        self._on_stop()
        return bool(super().shutdown(cancel_pending, timeout))


class HttpServer:
    """A listening socket; `run` answers requests until a KeyboardInterrupt.

    *on_stop* is called when the requests in hand should come to an end.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self, app: Flask, settings: Settings, gate: Gate, on_stop: Callable[[], None]
    ) -> None:
        dispatcher = _Dispatcher(on_stop)
        dispatcher.set_thread_count(settings.web_threads)
        listeners: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=listeners,
            _dispatcher=dispatcher,
            host=settings.host,
            port=settings.port,
            # Waitress refuses a body of this size; ours is the largest that may be.
            max_request_body_size=gate.max_body_bytes + 1,
            connection_limit=_connection_limit(),
            recv_bytes=_READ_BYTES,
            channel_timeout=_IDLE_S,
            cleanup_interval=_CLEANUP_S,
            asyncore_use_poll=True,  # select() knows no file descriptor over 1023
            ident=None,
            clear_untrusted_proxy_headers=False,  # the gate alone reads them, and only if told to
        )
        channel = type("_GatedChannel", (_Channel,), {"admit": staticmethod(gate.admit)})
        self._listeners = [one for one in listeners.values() if hasattr(one, "channel_class")]
        for listener in self._listeners:
            listener.channel_class = channel

    @property
    def addresses(self) -> list[str]:
        """Those that are listened on."""
        return [str(listener.socket.getsockname()[0]) for listener in self._listeners]

    def run(self) -> None:
        """Serve; on KeyboardInterrupt finish the requests in hand and return."""
        self._server.run()
        self._server.close()


def _connection_limit() -> int:
    """As many connections as there are file descriptors for; asks for enough of them."""
    wanted = _MAX_CONNECTIONS * _DESCRIPTORS_A_CONNECTION + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(_MAX_CONNECTIONS, (soft - _OTHER_DESCRIPTORS) // _DESCRIPTORS_A_CONNECTION))


def _as_problem(status: int) -> PipelineError:
    if status == 413:
        return FileTooLargeError("The body is over the limit.")
    if status == 501:
        return TransferCodingError("The only transfer coding that is understood is chunked.")
    if status == 503:
        return StorageUnavailableError("There is no room for the request body; try again later.")
    if status < 500:
        return BadRequestError("The request is not valid HTTP.")
    return InternalError("The server cannot answer this request.")
