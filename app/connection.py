"""Hold one connection: read at a bounded pace, answer, linger, and cut who is too slow."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from .buffers import Budget
from .errors import BusyError, TooManyConnectionsError
from .gate import ENVIRON_KEY, ROOM_KEY, Gate, Head, Pass, client_address
from .http_reader import Parser
from .pace import Moved, Pace, ReadPace, RecentPace, Wakeups
from .peers import Peers
from .refusals import ProblemTask
from .sockets import reset_when_closed, unsent_bytes

#: By default waitress reads 8 kB at a time, which costs an upload dozens of rounds of its loop.
READ_BYTES: Final = 128 * 1024
#: After a refusal what still comes is read and thrown away for a while: closing at once would
#: reset the connection, and the client could lose the answer (RFC 9112, section 9.6).
_LINGER_S: Final = 10.0
_LINGER_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Shared:
    """What all connections of a server have in common."""

    gate: Gate
    budget: Budget
    #: Counts connections, or behind proxies, whose connections are everybody's, requests.
    peers: Peers
    counts_requests: bool
    wakeups: Wakeups
    is_stopping: threading.Event = field(default_factory=threading.Event)


class _Task(WSGITask):
    """Takes the pass along; ends the connection after a body that was not read."""

    def execute(self) -> None:
        if self.request.is_cut or self.channel.shared.is_stopping.is_set():
            self.set_close_on_finish()
        try:
            super().execute()
        finally:
            self.channel.has_answered()

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[ENVIRON_KEY] = self.request.granted
        environ[ROOM_KEY] = self.channel.reserve
        return environ


class Channel(HTTPChannel):
    """A connection that is cut when it is too slow, and lingers when we end it."""

    error_task_class = ProblemTask
    task_class = _Task
    shared: Shared
    #: A request came that is not read to its end; the connection ends with its answer.
    is_cut = False
    request: Parser | None
    outbufs: list[Any]
    #: What the client has sent beyond the request in hand.
    ahead = b""
    _lingers_until: float | None = None
    _thrown_away_bytes = 0
    _is_condemned = False
    #: Room for the response in the making.
    _reserved_bytes = 0
    #: All that was written since nothing waited: a buffer is freed when it is sent to its end.
    _written_bytes = 0
    _sent_bytes = 0
    _received_bytes = 0

    def __init__(self, server: Any, sock: Any, address: Any, *arguments: Any, **more: Any) -> None:
        self.client = client_address(address[0], "", 0)
        #: What it is counted as among the peers, while it is.
        self._counted_as: str | None = None if self.shared.counts_requests else self.client
        self._pace = Pace()
        self._read_pace = ReadPace()
        self._recent_pace = RecentPace()
        super().__init__(server, sock, address, *arguments, **more)

    def parser_class(self, adj: Any) -> Parser:
        return Parser(adj, self)

    # --- what the loop asks ----------------------------------------------------------------------

    def readable(self) -> bool:
        now = time.monotonic()
        if self._lingers_until is not None:
            if now > self._lingers_until:
                self.will_close = True
            return not self.will_close
        self._follow(now)
        if self._is_condemned or self._is_overdue(now):
            # At once: a socket that is full never becomes writable, which waitress would wait for.
            self._is_condemned = True
            self.handle_close()
            return False
        if self.ahead and not self.is_cut and super().readable():
            data, self.ahead = self.ahead, b""
            self.received(data)
        return bool(super().readable()) and not self.is_cut and not self._is_pausing(now)

    def writable(self) -> bool:
        return self.connected and bool(
            self.will_close if self._lingers_until is not None else super().writable()
        )

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
            self._received_bytes += len(data)
            self.received(data)
            self._read_pace.has_read(len(data), is_in_request=self.request is not None)
        else:
            self._end()

    def handle_write(self) -> None:
        super().handle_write()
        self._account()

    def handle_close(self) -> None:
        if self._is_condemned:
            reset_when_closed(self.socket)
        elif self.is_cut and self._lingers_until is None and self.connected:
            self._linger()
            return
        # Break the cycle of parser and connection so that the body is freed now.
        self.request = None
        super().handle_close()

    def del_channel(self, *arguments: Any) -> None:
        super().del_channel(*arguments)
        self._leave()
        self.shared.budget.release(self)

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close))
        self._sent_bytes += sent
        return sent

    def service(self) -> None:
        super().service()
        self._account()  # the body is freed; the connection may stay open for a minute

    # --- what a request asks ---------------------------------------------------------------------

    def admit(self, head: Head) -> Pass:
        granted = self.shared.gate.admit(head)
        self.client = self.shared.gate.client_of(head)
        if self.shared.counts_requests and not self._enter():
            limit = self.shared.peers.limit
            error = TooManyConnectionsError(
                f"{limit} requests of this address are in progress.", limit=limit, retry_after_s=1
            )
            return replace(granted, refusal=granted.refusal or error)
        return granted

    def reserve(self, size_bytes: int) -> None:
        """Make room for a response of *size_bytes*, before it is fetched. Raises BusyError."""
        self._reserved_bytes = size_bytes
        if not self.shared.budget.reserve(self, self._held_bytes()):
            self._reserved_bytes = 0
            raise BusyError(
                "Too many bytes wait for clients; try again in a second.", retry_after_s=1
            )

    def has_room(self) -> bool:
        return self._account()

    def write_soon(self, data: Any) -> int:
        if not self.total_outbufs_len:
            self._recent_pace.restart(self._moved_bytes(), time.monotonic())
        written = int(super().write_soon(data))
        self._written_bytes += written
        self._account()
        return written

    def has_answered(self) -> None:
        """The response is made; what of it is not sent yet counts by its own size."""
        self._reserved_bytes = 0
        self._account()
        if self.shared.counts_requests:
            self._leave()

    # --- what the budget asks --------------------------------------------------------------------

    def moved_lately(self, now: float) -> Moved | None:
        return self._follow(now)

    def cut(self) -> None:
        self._is_condemned = True
        self.server.pull_trigger()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being received or answered."""
        is_begun = self.request is not None and self.request.is_begun
        is_busy = self.requests or is_begun or self.ahead or self.total_outbufs_len
        return self._lingers_until is not None or not is_busy

    # --- how it is done --------------------------------------------------------------------------

    def _held_bytes(self) -> int:
        request = self.requests[0] if self.requests else self.request
        body_bytes = request.body_bytes_received if request is not None else 0
        out_bytes = max(self._reserved_bytes, self._written_bytes)
        return out_bytes + int(body_bytes) + len(self.ahead)

    def _free_sent(self) -> None:
        """Give up the file of a response that is sent: waitress keeps it until the next one."""
        if self.total_outbufs_len or not self._written_bytes:
            return
        if not self.outbuf_lock.acquire(blocking=False):
            return  # a response is being written
        try:
            if self.connected and not self.total_outbufs_len:
                for sent in self.outbufs:
                    sent.close()
                self.outbufs = [OverflowableBuffer(self.adj.outbuf_overflow)]
                self.current_outbuf_count = self._written_bytes = 0
        finally:
            self.outbuf_lock.release()

    def _account(self) -> bool:
        if self._is_condemned or not self.connected:
            self.shared.budget.release(self)  # the loop frees what it holds
            return True
        self._free_sent()
        has_room = self.shared.budget.hold(self, self._held_bytes())
        if not self.connected:
            self.shared.budget.release(self)  # it was closed meanwhile, by the other thread
        return has_room

    def _follow(self, now: float) -> Moved | None:
        """What has moved lately; None while it is not the client that is waited for."""
        is_receiving = self.request is not None and not self.requests
        if not (self.total_outbufs_len or is_receiving) or self._is_condemned:
            self._recent_pace.restart(self._moved_bytes(), now)
            return None
        return self._recent_pace.look(self._moved_bytes(), now)

    def _moved_bytes(self) -> int:
        has_response = self.requests or self.total_outbufs_len
        unsent = unsent_bytes(self.socket) if has_response else 0
        return self._sent_bytes + self._received_bytes - unsent

    def _is_overdue(self, now: float) -> bool:
        if self.total_outbufs_len:
            return self._pace.is_too_slow(self._sent_bytes, now)
        self._pace.restart(self._sent_bytes)
        request = None if self.requests else self.request
        return request is not None and request.is_overdue(now)

    def _is_pausing(self, now: float) -> bool:
        if now >= self._read_pace.reads_again_at:
            return False
        self.shared.wakeups.at(self._read_pace.reads_again_at)
        return True

    def _enter(self) -> bool:
        self._leave()
        if self.shared.peers.enter(self.client):
            self._counted_as = self.client
        return self._counted_as is not None

    def _leave(self) -> None:
        client, self._counted_as = self._counted_as, None
        if client is not None:
            self.shared.peers.leave(client)

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
