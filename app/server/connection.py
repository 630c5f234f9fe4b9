"""Handle one connection: bound its read rate, respond, linger after refusals, cut it if slow."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.task import WSGITask

from ..access.peers import Peers, Presence
from ..errors import BusyError
from .buffers import Budget
from .gate import ENVIRON_KEY, RESERVE_KEY, Gate, Head, Pass, client_address
from .lingering import LingeringChannel
from .pace import Moved, Wakeups
from .reader import Parser
from .refusals import ProblemTask
from .sockets import reset_when_closed, unsent_bytes
from .traffic import Traffic

#: Bytes per read. Waitress's default of 8 kB costs dozens of event-loop rounds per upload.
READ_BYTES: Final = 128 * 1024


@dataclass(frozen=True)
class Shared:
    """State shared by all connections of a server."""

    gate: Gate
    budget: Budget
    #: Counts connections per client. Behind a proxy, whose connections carry requests of many
    #: clients, it counts requests instead (*counts_requests*).
    peers: Peers
    counts_requests: bool
    wakeups: Wakeups
    is_stopping: threading.Event = field(default_factory=threading.Event)


class _Task(WSGITask):
    """Hands the gate's decision to the application; closes the connection after an unread body."""

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
        environ[RESERVE_KEY] = self.channel.reserve
        return environ


class Channel(LingeringChannel):
    """A connection that is cut when its client is too slow, and lingers when the server ends it."""

    error_task_class = ProblemTask
    task_class = _Task
    shared: Shared
    request: Parser | None
    outbufs: list[Any]
    #: Bytes that the client has sent beyond the current request.
    ahead = b""
    is_probe = _is_condemned = False

    def __init__(self, server: Any, sock: Any, address: Any, *arguments: Any, **more: Any) -> None:
        self.client = client_address(address[0], "", 0)
        counted_as = None if self.shared.counts_requests else self.client
        self._presence = Presence(self.shared.peers, counted_as)
        self._traffic = Traffic()
        super().__init__(server, sock, address, *arguments, **more)

    def parser_class(self, adj: Any) -> Parser:
        return Parser(adj, self)

    # --- called by the event loop ----------------------------------------------------------------

    def readable(self) -> bool:
        if self.is_lingering:
            return super().readable()
        now = time.monotonic()
        self._follow(now)
        if self._is_condemned or self._is_overdue(now):
            # Close now: waitress waits until the socket is writable, and a full one never is.
            self._is_condemned = True
            self.handle_close()
            return False
        if self.ahead and super().readable():
            data, self.ahead = self.ahead, b""
            self.received(data)
        return super().readable() and not self._is_pausing(now)

    def handle_read(self) -> None:
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if self.is_lingering:
            self.discard(data)
        elif data:
            self.last_activity = time.time()
            self._traffic.received(len(data))
            self.received(data)
            self._traffic.has_read(len(data), is_in_request=self.request is not None)
        else:
            self._end()

    def handle_write(self) -> None:
        super().handle_write()
        self._account()

    def handle_close(self) -> None:
        if self._is_condemned:
            reset_when_closed(self.socket)
            self.close_at_once()
        else:
            super().handle_close()

    def del_channel(self, *arguments: Any) -> None:
        super().del_channel(*arguments)
        self._presence.leave()
        self.shared.budget.release(self)

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close))
        self._traffic.sent(sent)
        return sent

    def service(self) -> None:
        super().service()
        self._account()  # the body is freed now; the connection may stay open for another minute

    # --- called while a request is read and answered ---------------------------------------------

    def admit(self, head: Head) -> Pass:
        granted = self.shared.gate.admit(head)
        self.client, self.is_probe = self.shared.gate.client_of(head), head.is_probe
        if self.shared.counts_requests and not self._presence.enter(self.client):
            return replace(granted, refusal=granted.refusal or self.shared.peers.refusal())
        return granted

    def reserve(self, size_bytes: int) -> None:
        """Reserve *size_bytes* for a response before it is fetched. Raises BusyError."""
        self._traffic.reserved_bytes = size_bytes
        if not self.shared.budget.reserve(self, self._held_bytes()):
            self._traffic.reserved_bytes = 0
            raise BusyError(
                "Too many bytes wait for clients; try again in a second.", retry_after_s=1
            )

    def has_room(self) -> bool:
        return self._account()

    def write_soon(self, data: Any) -> int:
        if not self.total_outbufs_len:
            self._traffic.begins(self._unsent_bytes(), time.monotonic())
        written = int(super().write_soon(data))
        self._traffic.written_bytes += written
        self._account()
        return written

    def has_answered(self) -> None:
        """Replace the reservation by the response's unsent bytes, now that it is written."""
        self._traffic.reserved_bytes = 0
        self._account()
        if self.shared.counts_requests:
            self._presence.leave()

    # --- called by the budget --------------------------------------------------------------------

    def moved_lately(self, now: float) -> Moved | None:
        return self._follow(now)

    def cut(self) -> None:
        self._is_condemned = True
        self.server.pull_trigger()

    @property
    def is_idle(self) -> bool:
        """Whether the connection is neither receiving nor answering a request."""
        is_begun = self.request is not None and self.request.is_begun
        is_busy = self.requests or is_begun or self.ahead or self.total_outbufs_len
        return self.is_lingering or not is_busy

    def _held_bytes(self) -> int:
        request = self.requests[0] if self.requests else self.request
        body_bytes = request.body_bytes_received if request is not None else 0
        out_bytes = max(self._traffic.reserved_bytes, self._traffic.written_bytes)
        return out_bytes + int(body_bytes) + len(self.ahead)

    def _free_sent(self) -> None:
        """Free the buffer of a sent response; waitress would keep it until the next response."""
        if self.total_outbufs_len or not self._traffic.written_bytes:
            return
        if not self.outbuf_lock.acquire(blocking=False):
            return  # another thread is writing a response
        try:
            if self.connected and not self.total_outbufs_len:
                for sent in self.outbufs:
                    sent.close()
                self.outbufs = [OverflowableBuffer(self.adj.outbuf_overflow)]
                self.current_outbuf_count = self._traffic.written_bytes = 0
        finally:
            self.outbuf_lock.release()

    def _account(self) -> bool:
        if self._is_condemned or not self.connected:
            self.shared.budget.release(self)  # the event loop frees its buffers
            return True
        self._free_sent()
        has_room = self.shared.budget.hold(self, self._held_bytes())
        if not self.connected:
            self.shared.budget.release(self)  # the other thread closed it in the meantime
        return has_room

    def _follow(self, now: float) -> Moved | None:
        """The bytes moved recently; None while the server is not waiting for the client."""
        is_receiving = self.request is not None and not self.requests
        if not (self.total_outbufs_len or is_receiving) or self._is_condemned:
            self._traffic.begins(self._unsent_bytes(), now)
            return None
        return self._traffic.moved_lately(self._unsent_bytes(), now)

    def _unsent_bytes(self) -> int:
        has_response = self.requests or self.total_outbufs_len
        return unsent_bytes(self.socket) if has_response else 0

    def _is_overdue(self, now: float) -> bool:
        if self.total_outbufs_len:
            return self._traffic.takes_too_long(now)
        self._traffic.has_nothing_to_send()
        request = None if self.requests else self.request
        return request is not None and request.is_overdue(now)

    def _is_pausing(self, now: float) -> bool:
        if now >= self._traffic.reads_again_at:
            return False
        self.shared.wakeups.at(self._traffic.reads_again_at)
        return True

    def _end(self) -> None:
        """Answer an incomplete request with 400: a client that stopped sending may still read."""
        with self.requests_lock:
            request, self.request = self.request, None
            if request is None or not request.is_begun or self.requests:
                self.handle_close()
                return
            request.end()
            self.requests.append(request)
        self.server.add_task(self)
