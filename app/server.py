"""Serve the application with waitress, behind a gate that sees a request before its body is read.

Waitress reads a request whole before it takes a thread, so slow clients cost none. What we add:
the gate is asked at the end of the header, a body that is refused there is never kept, and the
connection is closed so that the client can still read why.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import BadRequest, Error

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
from .settings import Settings

logger = logging.getLogger(__name__)

#: Each holds a file descriptor and up to half a megabyte of body; more of it goes to the disk.
_MAX_CONNECTIONS: Final = 1000
#: By default waitress reads 8 kB at a time, which costs an upload dozens of rounds of its loop.
_READ_BYTES: Final = 128 * 1024
_IDLE_S: Final = 60
_CLEANUP_S: Final = 5
#: For a header; and for a body that comes slower than _SLOWEST_BYTES_PER_S on average.
_SLOW_S: Final = 30.0
_SLOWEST_BYTES_PER_S: Final = 1024
#: After a refusal what still comes is read and thrown away for a while: closing at once would
#: reset the connection, and the client could lose the answer (RFC 9112, section 9.6).
_LINGER_S: Final = 10.0
_LINGER_BYTES: Final = 64 * 1024 * 1024
_FOLD: Final = re.compile(rb"\n[ \t]")


class _DiskFullError(Error):
    code, reason = 503, "Service Unavailable"


class _Parser(HTTPRequestParser):
    """Reads a request; larger bodies wait in a temporary file."""

    body_rcv: Any
    chunked: bool
    content_length: int

    def __init__(self, adj: Any, channel: _Channel) -> None:
        super().__init__(adj)
        self._channel = channel
        self._began_at = time.monotonic()
        self.granted: Pass | None = None
        #: There is a body, and it is not read to its end.
        self.is_cut = False

    def received(self, data: bytes) -> int:
        try:
            consumed = int(super().received(data))
        except OSError as exc:
            # Waitress itself would drop the connection without an answer.
            logger.error("cannot keep a request body: %s", exc)
            self.error, self.completed = _DiskFullError(""), True
            consumed = len(data)
        if not self.headers_finished and _has_bare_lf(self.header_plus):
            # It would wait for the end of a header that never comes.
            self.error, self.completed = BadRequest("Bare LF"), True
        if self.error is not None:
            self.is_cut = True
        if self.is_cut:
            # What comes now is the rest of that body, never another request.
            self._channel.is_cut = True
            return len(data)
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        if _FOLD.search(header_plus):
            raise ParsingError("Folded header")  # obsolete: RFC 9112, section 5.2
        super().parse_header(header_plus)
        if self.headers_finished or not header_plus.endswith(b"\r\n\r\n"):
            return  # waitress's own way to have an empty request for an error
        self._refuse_the_ambiguous()
        head = Head(self.command.upper(), self.path, self.headers, self._channel.addr[0])
        self.granted = self._channel.admit(head)
        if self.granted.refusal is not None:
            self._drop_body()

    def is_overdue(self, now: float) -> bool:
        allowed_s: float = _SLOW_S + self.body_bytes_received / _SLOWEST_BYTES_PER_S
        return now - self._began_at > allowed_s

    def _refuse_the_ambiguous(self) -> None:
        """What two servers could read as two different requests (RFC 9112, section 11.2)."""
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding")
        if "TRANSFER_ENCODING" in self.headers:  # left there in HTTP/1.0, which has none
            raise ParsingError("Transfer-Encoding in HTTP/1.0")
        hosts = self.headers.get("HOST", "" if self.version == "1.1" else "none")
        if not hosts or "," in hosts:
            raise ParsingError("Not exactly one Host")

    def _drop_body(self) -> None:
        self.is_cut = self.chunked or self.content_length > 0
        self.body_rcv, self.chunked, self.content_length = None, False, 0
        self.headers.pop("CONTENT_LENGTH", None)
        # The answer comes instead of 100 Continue, and the body is never sent.
        self.expect_continue = False


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
        document = error.to_problem() | {"request_id": uuid4().hex}
        logger.info("refused [%s]: %s", document["request_id"], error.code)
        body = json.dumps(document).encode()
        self.status = f"{error.status} {error.title}"
        self.response_headers.extend(SECURITY_HEADERS.items())
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.response_headers.append(("Cache-Control", "no-store"))
        self.response_headers.append(("X-Request-ID", document["request_id"]))
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

    def parser_class(self, adj: Any) -> _Parser:
        return _Parser(adj, self)

    def readable(self) -> bool:
        now = time.monotonic()
        if self._lingers_until is not None:
            if now > self._lingers_until:
                self.will_close = True
            return not self.will_close
        if self._is_overdue(now):
            self.will_close = True
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

    def handle_close(self) -> None:
        if self.is_cut and self._lingers_until is None and self.connected:
            self._linger()
        else:
            super().handle_close()

    def _is_overdue(self, now: float) -> bool:
        waits_for_client = self.request is not None and not self.requests
        return waits_for_client and self.request.is_overdue(now)

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
            connection_limit=_MAX_CONNECTIONS,
            recv_bytes=_READ_BYTES,
            channel_timeout=_IDLE_S,
            cleanup_interval=_CLEANUP_S,
            asyncore_use_poll=True,  # select() knows no file descriptor over 1023
            ident=None,
            clear_untrusted_proxy_headers=False,  # the gate alone reads them, and only if told to
        )
        channel = type("_GatedChannel", (_Channel,), {"admit": staticmethod(gate.admit)})
        for listener in listeners.values():
            if hasattr(listener, "channel_class"):
                listener.channel_class = channel

    def run(self) -> None:
        """Serve; on KeyboardInterrupt finish the requests in hand and return."""
        self._server.run()
        self._server.close()


def _has_bare_lf(data: bytes) -> bool:
    return b"\n" in data and data.count(b"\n") > data.count(b"\r\n")


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
