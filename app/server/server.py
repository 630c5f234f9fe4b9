"""Serve the application with waitress, behind a gate that decides before a body is read.

Waitress reads a whole request before it assigns a thread, so slow clients occupy no threads.
`head`, `reader` and `connection` replace the parts of waitress that do not bound a client's use.
"""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from socket import socket
from typing import Any, Final

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

from ..access.fair_queue import FairQueue
from ..access.peers import Peers
from ..settings import Settings
from .buffers import Budget
from .connection import READ_BYTES, Channel, Shared
from .gate import Gate, client_address
from .pace import Wakeups

#: A connection costs one file descriptor, two while its body is on disk, and up to 0.5 MB.
_MAX_CONNECTIONS: Final = 1000
_DESCRIPTORS_A_CONNECTION: Final = 2
#: Reserved for files, S3 and SQS.
_OTHER_DESCRIPTORS: Final = 128
#: Connections accepted per round of the event loop: after each round, open connections are served.
_ACCEPTS_AT_ONCE: Final = 64
_IDLE_S: Final = 60
_CLEANUP_S: Final = 5
#: Seconds between two checks for slow clients.
_LOOK_S: Final = 1.0
_DRAIN_LOOK_S: Final = 0.05
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class HttpServer:
    """A listening socket; `run` answers requests until SIGTERM or SIGINT.

    *on_stop* is called when the server begins to drain; it should end long requests.

    Raises:
        OSError: the server cannot listen on the address.
    """

    def __init__(
        self, app: Flask, settings: Settings, gate: Gate, on_stop: Callable[[], None]
    ) -> None:
        self._on_stop = on_stop
        self._grace_period_s = settings.grace_period_s
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.queue = FairQueue[Channel]()
        self._dispatcher.set_thread_count(settings.web_threads)
        self._sockets: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=self._sockets,
            _dispatcher=self._dispatcher,
            host=settings.host,
            port=settings.port,
            # Waitress refuses a body of this size; the gate's limit is the largest one allowed.
            max_request_body_size=gate.max_body_bytes + 1,
            connection_limit=_connection_limit(),
            recv_bytes=READ_BYTES,
            channel_timeout=_IDLE_S,
            cleanup_interval=_CLEANUP_S,
            asyncore_use_poll=True,  # select() cannot handle file descriptors over 1023
            ident=None,
            clear_untrusted_proxy_headers=False,  # only the gate reads them, if configured to
        )
        self.budget = Budget(settings.buffered_bytes)
        self._shared = Shared(
            gate=gate,
            budget=self.budget,
            peers=Peers(settings.max_connections_per_client),
            counts_requests=settings.trusted_proxy_hops > 0,
            wakeups=Wakeups(),
        )
        self._channel_class = type("_SharingChannel", (Channel,), {"shared": self._shared})
        self._listeners = [one for one in self._sockets.values() if hasattr(one, "channel_class")]
        self._accepted = 0
        for listener in self._listeners:
            listener.channel_class = self._open
            listener.handle_accept = partial(self._accept, listener, listener.handle_accept)

    @property
    def addresses(self) -> list[str]:
        """The addresses that the server listens on."""
        return [str(listener.socket.getsockname()[0]) for listener in self._listeners]

    def run(self) -> None:
        """Serve until a signal, then finish the current requests within the grace period.

        A second signal cuts the requests that are still running.
        """
        try:
            with self._stopped_by_signals():
                while not self._shared.is_stopping.is_set():
                    self._look(_LOOK_S)
                self._drain(time.monotonic() + self._grace_period_s)
        except KeyboardInterrupt:
            self._on_stop()
        self._dispatcher.shutdown()
        self._server.close()
        wasyncore.close_all(self._sockets)

    def _accept(self, listener: Any, accept_one: Callable[[], None]) -> None:
        """Accept the connections that wait.

        Waitress accepts one in a round of the loop. While threads are busy a round takes 10 ms, so
        that a health check would wait for seconds behind a few hundred connections.
        """
        for _ in range(_ACCEPTS_AT_ONCE):
            before = self._accepted
            accept_one()
            if self._accepted == before or not listener.readable():
                return

    def _open(
        self, listener: Any, sock: socket, address: Any, *arguments: Any, **more: Any
    ) -> None:
        """Accept a connection unless its client has reached its limit."""
        self._accepted += 1
        shared = self._shared
        if shared.counts_requests or shared.peers.enter(client_address(address[0], "", 0)):
            self._channel_class(listener, sock, address, *arguments, **more)
        else:
            sock.close()

    def _look(self, longest_s: float) -> None:
        """Run one round of the event loop, which waits at most *longest_s* for a socket."""
        wasyncore.poll2(self._shared.wakeups.take_timeout_s(longest_s), self._sockets)

    def _drain(self, deadline: float) -> None:
        self._on_stop()
        self._look(0)  # begin to receive requests that have already arrived
        for listener in self._listeners:
            wasyncore.dispatcher.close(listener)
        while time.monotonic() < deadline:
            channels = [one for one in self._sockets.values() if isinstance(one, Channel)]
            for channel in channels:
                if channel.is_idle:
                    channel.is_cut = False  # otherwise it would linger
                    channel.handle_close()
            if not any(one.connected for one in channels):
                return
            self._look(_DRAIN_LOOK_S)

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Let the first signal end the loop between rounds, and the second one immediately."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {signum: signal.signal(signum, self._stop) for signum in _SIGNALS}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _stop(self, *_: object) -> None:
        for signum in _SIGNALS:
            signal.signal(signum, signal.default_int_handler)
        self._shared.is_stopping.set()
        self._listeners[0].pull_trigger()


def _connection_limit() -> int:
    """The connections that the file descriptors allow; raises the soft limit if needed."""
    wanted = _MAX_CONNECTIONS * _DESCRIPTORS_A_CONNECTION + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(_MAX_CONNECTIONS, (soft - _OTHER_DESCRIPTORS) // _DESCRIPTORS_A_CONNECTION))
