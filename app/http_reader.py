"""Read HTTP requests strictly, one at a time, and ask the gate before a body is read.

What two servers could read as two different requests is refused (RFC 9112, section 11.2), and so
is whatever would let a client take more memory, disk or time than its request is worth.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final, Protocol

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from . import logs
from .gate import Head, Pass

logger = logs.get_logger(__name__)

#: A header must be there by then; of a body or an answer that much must have moved meanwhile.
_SLOW_S: Final = 30.0
_SLOW_BYTES: Final = 30 * 1024
_MAX_CHUNK_LINE_BYTES: Final = 1024
_MAX_TRAILER_BYTES: Final = 8 * 1024
#: The size in hexadecimal, and extensions that nobody uses.
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e]*)?")
_FOLD: Final = re.compile(rb"\n[ \t]")
_TRANSFER_ENCODING: Final = re.compile(rb"^transfer-encoding:[ \t]*(.*?)[ \t]*\r$", re.I | re.M)


class DiskFullError(Error):
    code, reason = 503, "Service Unavailable"


class _Chunks:
    """A chunked body, read exactly (RFC 9112, section 7.1); stands in for waitress's receiver.

    Waitress's takes a bare LF for the end of a line, and lines of any length.
    """

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        #: What is to come: bytes of a chunk, or else a line.
        self._left_bytes = 0
        self._line = b""
        self._act_on = self._begin_chunk
        self._trailer_bytes = 0
        self.completed = False
        self.error: Error | None = None

    def received(self, data: bytes) -> int:
        """Take in *data*; returns how much of it belongs to the body."""
        at = 0
        while at < len(data) and not (self.completed or self.error):
            at = self._take_chunk(data, at) if self._left_bytes else self._take_line(data, at)
        return at

    def __len__(self) -> int:
        return int(self._buffer.__len__())

    def getfile(self) -> Any:
        return self._buffer.getfile()

    def getbuf(self) -> Any:
        return self._buffer

    def _take_chunk(self, data: bytes, at: int) -> int:
        end = min(at + self._left_bytes, len(data))
        self._buffer.append(data[at:end])
        self._left_bytes -= end - at
        return end

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at) + 1 or len(data)
        self._line += data[at:end]
        if len(self._line) > _MAX_CHUNK_LINE_BYTES:
            self.error = BadRequest("A line between chunks is too long")
        elif self._line.endswith(b"\r\n"):
            line, self._line = self._line[:-2], b""
            self._act_on(line)
        elif self._line.endswith(b"\n"):
            self.error = BadRequest("Bare LF")
        return end

    def _begin_chunk(self, line: bytes) -> None:
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            self.error = BadRequest("Invalid chunk size")
            return
        self._left_bytes = int(size[1], 16)
        self._act_on = self._end_chunk if self._left_bytes else self._end_body

    def _end_chunk(self, line: bytes) -> None:
        if line:
            self.error = BadRequest("Chunk longer than its size")
        self._act_on = self._begin_chunk

    def _end_body(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + len(b"\r\n")
        self.completed = not line
        if line and (b":" not in line or self._trailer_bytes > _MAX_TRAILER_BYTES):
            self.error = BadRequest("Invalid trailer")


class Connection(Protocol):
    """What a parser needs of the connection that it reads from."""

    addr: Any
    #: What the client has sent beyond the request in hand.
    ahead: bytes
    #: A request came that is not read to its end; the connection ends with its answer.
    is_cut: bool

    def admit(self, head: Head) -> Pass: ...


class Pace:
    """Tells who is too slow: each _SLOW_S of a transfer must bring _SLOW_BYTES."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._since = time.monotonic()
        self._bytes = 0

    def is_too_slow(self, moved_bytes: int, now: float) -> bool:
        if now - self._since < _SLOW_S:
            return False
        is_slow = moved_bytes - self._bytes < _SLOW_BYTES
        self._since, self._bytes = now, moved_bytes
        return is_slow


class Parser(HTTPRequestParser):
    """Reads a request; larger bodies wait in a temporary file."""

    body_rcv: Any
    chunked: bool
    content_length: int

    def __init__(self, adj: Any, connection: Connection) -> None:
        super().__init__(adj)
        self._connection = connection
        self._pace = Pace()
        self.granted: Pass | None = None
        #: There is a body, and it is not read to its end.
        self.is_cut = False

    def received(self, data: bytes) -> int:
        consumed = self._read(data)
        if self.error is not None:
            self.is_cut = True
        if self.is_cut:
            # What comes now is the rest of that body, never another request.
            self._connection.is_cut = True
            return len(data)
        if self.completed:
            # One at a time: who does not read the answers gets no more of them.
            self._connection.ahead = data[consumed:]
            return len(data)
        return consumed

    def _read(self, data: bytes) -> int:
        if not self.headers_finished and _begins_with_space(self.header_plus[:64] + data[:64]):
            self.error, self.completed = BadRequest("Space before the method"), True
            return len(data)
        try:
            consumed = int(super().received(data))
        except OSError as exc:
            # Waitress itself would drop the connection without an answer.
            logger.error("request body not kept", reason=str(exc))
            self.error, self.completed = DiskFullError(""), True
            consumed = len(data)
        if not self.headers_finished and _has_bare_lf(self.header_plus):
            # It would wait for the end of a header that never comes.
            self.error, self.completed = BadRequest("Bare LF"), True
        if self.granted and self.body_bytes_received > self.granted.body_limit_bytes:
            self.error, self.completed = RequestEntityTooLarge(""), True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        if not header_plus.endswith(b"\r\n\r\n"):
            super().parse_header(header_plus)  # waitress's own way to make an error
            return
        self._refuse_the_ambiguous(header_plus)
        try:
            super().parse_header(header_plus)
        except ValueError as exc:  # an address or a number that Python cannot read
            raise ParsingError(str(exc)) from None
        self._refuse_two_hosts()
        if self.chunked:
            self.body_rcv = _Chunks(self.body_rcv.getbuf())
        head = Head(self.command.upper(), self.path, self.headers, self._connection.addr[0])
        self.granted = self._connection.admit(head)
        if self.granted.refusal is not None:
            self._drop_body()

    def is_overdue(self, now: float) -> bool:
        # A header has no length that it could be slow to: it is late when it is not there.
        moved_bytes = self.body_bytes_received if self.headers_finished else 0
        return self._pace.is_too_slow(moved_bytes, now)

    @staticmethod
    def _refuse_the_ambiguous(header_plus: bytes) -> None:
        """What two servers could read as two different requests (RFC 9112, sections 2, 5, 6)."""
        if _FOLD.search(header_plus):
            raise ParsingError("Folded header")
        codings = [found.lower() for found in _TRANSFER_ENCODING.findall(header_plus)]
        if not codings:
            return
        is_http_1_1 = header_plus.partition(b"\r\n")[0].endswith(b"HTTP/1.1")
        has_length = b"\r\ncontent-length" in header_plus.lower()
        is_repeated = len(codings) > 1 or b"," in codings[0] or not codings[0]
        if is_repeated or has_length or not is_http_1_1:
            raise ParsingError("Transfer-Encoding is not exactly one")

    def _refuse_two_hosts(self) -> None:
        hosts = self.headers.get("HOST", "" if self.version == "1.1" else "none")
        if not hosts or "," in hosts:
            raise ParsingError("Not exactly one Host")

    def _drop_body(self) -> None:
        self.is_cut = self.chunked or self.content_length > 0
        self.body_rcv, self.chunked, self.content_length = None, False, 0
        self.headers.pop("CONTENT_LENGTH", None)
        # The answer comes instead of 100 Continue, and the body is never sent.
        self.expect_continue = False


def _begins_with_space(data: bytes) -> bool:
    # Empty lines may stand before a request (RFC 9112, section 2.2); waitress strips more.
    return data.lstrip(b"\r\n")[:1].isspace()


def _has_bare_lf(data: bytes) -> bool:
    return b"\n" in data and data.count(b"\n") > data.count(b"\r\n")
