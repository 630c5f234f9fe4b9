"""Read HTTP requests strictly, one at a time, and ask the gate before reading a body.

A request that would take more memory, disk or time than its limits is refused.
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser
from waitress.receiver import FixedStreamReceiver
from waitress.utilities import (
    BadRequest,
    Error,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    ServerNotImplemented,
)

from ..observability import logs
from .gate import Head, Pass
from .pace import Pace
from .request_head import HeadBuffer, HeadError, RequestHead, is_field

logger = logs.get_logger(__name__)

_MAX_CHUNK_LINE_BYTES: Final = 1024
_MAX_TRAILER_BYTES: Final = 8 * 1024
#: Chunk sizes and line ends may take this many bytes plus a quarter of the data. Each chunk costs
#: microseconds of the server's only event loop.
_MAX_FRAMING_BYTES: Final = 64 * 1024
#: The size in hexadecimal, then optional extensions, which are ignored.
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e]*)?")


class DiskFullError(Error):
    code, reason = 503, "Service Unavailable"


class NoRoomError(Error):
    code, reason = 503, "Service Unavailable"


class TargetTooLongError(Error):
    code, reason = 414, "URI Too Long"


#: ErrorTask expects waitress's own error classes.
_AS_WAITRESS: Final[dict[int, type[Error]]] = {
    400: BadRequest,
    414: TargetTooLongError,
    431: RequestHeaderFieldsTooLarge,
    501: ServerNotImplemented,
}


class _Chunks:
    """A strict reader of chunked bodies (RFC 9112, section 7.1), in place of waitress's receiver.

    Waitress's receiver accepts a bare LF as a line end, and lines of any length.
    """

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        #: Bytes missing from the current chunk; 0 while a line is read.
        self._left_bytes = 0
        self._line = b""
        self._act_on = self._begin_chunk
        self._trailer_bytes = 0
        self._framing_bytes = 0
        #: Chunk data of the current piece, appended to the file in one go: each append costs three
        #: system calls.
        self._data: list[bytes] = []
        self.completed = False
        self.error: Error | None = None

    def received(self, data: bytes) -> int:
        """The number of bytes of *data* that belong to the body; keeps them."""
        at = 0
        while at < len(data) and not (self.completed or self.error):
            at = self._take_chunk(data, at) if self._left_bytes else self._take_line(data, at)
        self._buffer.append(b"".join(self._data))
        self._framing_bytes += at - sum(map(len, self._data))
        self._data.clear()
        if self._framing_bytes > _MAX_FRAMING_BYTES + len(self) // 4:
            self.error = BadRequest("The chunks are too small")
        return at

    def __len__(self) -> int:
        return int(self._buffer.__len__())

    def getfile(self) -> Any:
        return self._buffer.getfile()

    def getbuf(self) -> Any:
        return self._buffer

    def _take_chunk(self, data: bytes, at: int) -> int:
        end = min(at + self._left_bytes, len(data))
        self._data.append(data[at:end])
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
        if line and (self._trailer_bytes > _MAX_TRAILER_BYTES or not is_field(line)):
            self.error = BadRequest("Invalid trailer")


class Connection(Protocol):
    """The part of a connection that the parser uses."""

    addr: Any
    #: Bytes that the client has sent beyond the current request.
    ahead: bytes
    #: The current request is not read to its end; the connection closes after the response.
    is_cut: bool

    def admit(self, head: Head) -> Pass: ...

    def has_room(self) -> bool:
        """Whether the received bytes fit the budget."""


class Parser(HTTPRequestParser):
    """Reads one request; waitress keeps a large body in a temporary file."""

    body_rcv: Any
    chunked: bool
    content_length: int
    #: The HTTP version of the response to a head that cannot be parsed.
    version = "1.1"

    def __init__(self, adj: Any, connection: Connection) -> None:
        super().__init__(adj)
        self._connection = connection
        self._pace = Pace()
        self._head = HeadBuffer()
        self.granted: Pass | None = None
        #: The request has a body that is not read to its end.
        self.is_cut = False

    @property
    def is_begun(self) -> bool:
        """Whether any byte beyond empty lines has arrived."""
        return self.headers_finished or self._head.is_begun

    def received(self, data: bytes) -> int:
        consumed = self._read(data)
        if self.error is not None:
            self.is_cut = True
        if self.is_cut:
            # Further bytes belong to that body and must never be parsed as another request.
            self._connection.is_cut = True
            return len(data)
        if self.completed:
            # One request at a time: a client that does not read its responses gets no further
            # requests processed.
            self._connection.ahead = data[consumed:]
            return len(data)
        return consumed

    def end(self) -> None:
        """Fail the request, because the client has closed before completing it."""
        self.is_cut = self._connection.is_cut = True
        self._fail(BadRequest("The request breaks off"))

    def is_overdue(self, now: float) -> bool:
        # The length of a head is unknown, so only its deadline counts, not its speed.
        moved_bytes = self.body_bytes_received if self.headers_finished else 0
        return self._pace.is_too_slow(moved_bytes, now)

    def _read(self, data: bytes) -> int:
        if not self.headers_finished:
            return self._read_head(data)
        try:
            consumed = int(super().received(data))
        except OSError as exc:
            # Waitress would drop the connection without a response.
            logger.error("request body not kept", reason=str(exc))
            self._fail(DiskFullError(""))
            consumed = len(data)
        if self.granted and self.body_bytes_received > self.granted.body_limit_bytes:
            self._fail(RequestEntityTooLarge(""))
        elif not self._connection.has_room():
            self._fail(NoRoomError(""))
            self._free_body()
        return consumed

    def _free_body(self) -> None:
        """Free the body now: until the response is sent, it would take room from other bodies."""
        self.close()
        self.body_rcv, self.body_bytes_received = None, 0
        self._connection.has_room()

    def _read_head(self, data: bytes) -> int:
        """Read the head without waitress's patterns, which take quadratic time on some heads."""
        try:
            consumed = self._head.add(data)
            if consumed is None:
                return len(data)
            self._take_head(self._head.head())
        except HeadError as error:
            self._fail(_AS_WAITRESS[error.status](str(error)))
            return len(data)
        return consumed

    def _take_head(self, head: RequestHead) -> None:
        """Set the attributes that waitress's `parse_header` would set, then ask the gate."""
        self.headers_finished = True
        self.command, self.version, self.headers = head.method, head.version, head.headers
        self.request_uri, self.path, self.query = head.target, head.path, head.query
        self.url_scheme = self.adj.url_scheme
        self._take_connection()
        self._take_body(head.content_length)
        asked = Head(self.command, self.path, self.headers, self._connection.addr[0])
        self.granted = self._connection.admit(asked)
        if self.granted.refusal is not None:
            self._drop_body()
        self.completed = self.body_rcv is None

    def _take_connection(self) -> None:
        # Waitress's tasks understand a single option only.
        options = {one.strip().lower() for one in self.headers.get("CONNECTION", "").split(",")}
        named = [one for one in ("close", "keep-alive") if one in options]
        self.headers["CONNECTION"] = named[0] if named else ""
        is_1_1 = self.version == "1.1"
        self.connection_close = "close" in options if is_1_1 else named != ["keep-alive"]
        self.expect_continue = is_1_1 and self.headers.get("EXPECT", "").lower() == "100-continue"

    def _take_body(self, content_length: int | None) -> None:
        self.chunked = content_length is None
        self.content_length = content_length or 0
        if content_length != 0:
            kept = OverflowableBuffer(self.adj.inbuf_overflow)
            whole = FixedStreamReceiver(self.content_length, kept)
            self.body_rcv = _Chunks(kept) if self.chunked else whole
        else:
            self.expect_continue = False  # otherwise waitress would wait for a body

    def _fail(self, error: Error) -> None:
        self.error, self.completed = error, True
        # The error response replaces 100 Continue.
        self.expect_continue = False

    def _drop_body(self) -> None:
        self.is_cut = self.chunked or self.content_length > 0
        self.body_rcv, self.chunked, self.content_length = None, False, 0
        self.headers.pop("CONTENT_LENGTH", None)
        # The final response replaces 100 Continue, so the client never sends the body.
        self.expect_continue = False
