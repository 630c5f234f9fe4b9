"""Hold one connection: read at a bounded pace, answer, linger, and cut who is too slow."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from . import logs
from .answers import SECURITY_HEADERS
from .errors import (
    BadRequestError,
    FileTooLargeError,
    HeadTooLargeError,
    InternalError,
    PipelineError,
    StorageUnavailableError,
    TargetTooLongError,
    TransferCodingError,
)
from .gate import ENVIRON_KEY, Head, Pass
from .http_head import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES
from .http_reader import Pace, Parser

logger = logs.get_logger(__name__)

#: By default waitress reads 8 kB at a time, which costs an upload dozens of rounds of its loop.
READ_BYTES: Final = 128 * 1024
#: After a refusal what still comes is read and thrown away for a while: closing at once would
#: reset the connection, and the client could lose the answer (RFC 9112, section 9.6).
_LINGER_S: Final = 10.0
_LINGER_BYTES: Final = 64 * 1024 * 1024
#: A round of the loop costs as much for one byte as for 128 KiB. After a few small reads for one
#: request the next ones wait, twice as long each time, so that bytes collect in the kernel.
_SMALL_READ_BYTES: Final = 1024
_FREE_SMALL_READS: Final = 4
_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.5


class Wakeups:
    """Know when the loop must look at its connections again, though no socket is ready."""

    def __init__(self) -> None:
        self._soonest = math.inf

    def at(self, moment: float) -> None:
        self._soonest = min(self._soonest, moment)

    def take_timeout_s(self, longest_s: float) -> float:
        """How long the loop may sleep. Who must be woken later says so again in each round."""
        soonest, self._soonest = self._soonest, math.inf
        return min(longest_s, max(0.0, soonest - time.monotonic()))


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


class Channel(HTTPChannel):
    """A connection that is cut when it is too slow, and lingers when we end it."""

    error_task_class = _ProblemTask
    task_class = _Task
    admit: Callable[[Head], Pass]
    wakeups: Wakeups
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
        self._small_reads = 0
        self._reads_again_at = 0.0

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
        return bool(super().readable()) and not self.is_cut and not self._is_pausing(now)

    def writable(self) -> bool:
        return bool(self.will_close if self._lingers_until is not None else super().writable())

    def handle_read(self) -> None:
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if self._lingers_until is not None:
            self._throw_away(data)
        elif data:
            self.last_activity = time.time()
            self.received(data)
            self._pause_after(len(data))
        else:
            self._end()

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

    def _end(self) -> None:
        """The client sends no more: what it has begun is refused, for it may still read."""
        with self.requests_lock:
            request, self.request = self.request, None
            if request is None or not request.is_begun or self.requests:
                self.handle_close()
                return
            request.end()
            self.requests.append(request)
        self.server.add_task(self)

    def _pause_after(self, read_bytes: int) -> None:
        is_small = self.request is not None and read_bytes < _SMALL_READ_BYTES
        self._small_reads = self._small_reads + 1 if is_small else 0
        if self._small_reads > _FREE_SMALL_READS:
            doublings = self._small_reads - _FREE_SMALL_READS - 1
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(doublings, 10))
            self._reads_again_at = time.monotonic() + pause_s

    def _is_pausing(self, now: float) -> bool:
        if now >= self._reads_again_at:
            return False
        self.wakeups.at(self._reads_again_at)
        return True

    def _throw_away(self, data: bytes) -> None:
        self._thrown_away_bytes += len(data)
        if not data:
            self.handle_close()
        elif self._thrown_away_bytes > _LINGER_BYTES:
            self.will_close = True

    def _linger(self) -> None:
        self._lingers_until = time.monotonic() + _LINGER_S
        self.will_close = self.close_when_flushed = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()


def _as_problem(status: int) -> PipelineError:
    if status == 413:
        return FileTooLargeError("The body is over the limit.")
    if status == 414:
        return TargetTooLongError(
            f"The request target may have {MAX_TARGET_BYTES} bytes.", limit=MAX_TARGET_BYTES
        )
    if status == 431:
        return HeadTooLargeError(
            f"The head may have {MAX_HEAD_BYTES} bytes in {MAX_FIELDS} fields.",
            limit=MAX_HEAD_BYTES,
        )
    if status == 501:
        return TransferCodingError("The only transfer coding that is understood is chunked.")
    if status == 503:
        return StorageUnavailableError("There is no room for the request body; try again later.")
    if status < 500:
        return BadRequestError("The request is not valid HTTP.")
    return InternalError("The server cannot answer this request.")
