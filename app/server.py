"""Serve the application with waitress, behind a gate that sees a request before its body is read.

Waitress reads a request whole before it takes a thread, so slow clients cost none. `http_head`,
`http_reader` and `connection` replace what of it lets a client take more than its share.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any, Final

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

from .connection import READ_BYTES, Channel, Wakeups
from .gate import Gate
from .settings import Settings

#: Each costs a file descriptor, two with a body that goes to the disk, and up to half a megabyte.
_MAX_CONNECTIONS: Final = 1000
_DESCRIPTORS_A_CONNECTION: Final = 2
#: For the files, S3 and SQS.
_OTHER_DESCRIPTORS: Final = 128
_IDLE_S: Final = 60
_CLEANUP_S: Final = 5
#: So often the loop looks for who is too slow.
_LOOK_S: Final = 1.0


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
        self._dispatcher = dispatcher = _Dispatcher(on_stop)
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
            recv_bytes=READ_BYTES,
            channel_timeout=_IDLE_S,
            cleanup_interval=_CLEANUP_S,
            asyncore_use_poll=True,  # select() knows no file descriptor over 1023
            ident=None,
            clear_untrusted_proxy_headers=False,  # the gate alone reads them, and only if told to
        )
        self._sockets = listeners
        self._wakeups = Wakeups()
        shared = {"admit": staticmethod(gate.admit), "wakeups": self._wakeups}
        channel = type("_GatedChannel", (Channel,), shared)
        self._listeners = [one for one in listeners.values() if hasattr(one, "channel_class")]
        for listener in self._listeners:
            listener.channel_class = channel

    @property
    def addresses(self) -> list[str]:
        """Those that are listened on."""
        return [str(listener.socket.getsockname()[0]) for listener in self._listeners]

    def run(self) -> None:
        """Serve; on KeyboardInterrupt finish the requests in hand and return."""
        try:
            while self._sockets:
                wasyncore.poll2(self._wakeups.take_timeout_s(_LOOK_S), self._sockets)
        except (KeyboardInterrupt, SystemExit):
            self._dispatcher.shutdown()
        self._server.close()


def _connection_limit() -> int:
    """As many connections as there are file descriptors for; asks for enough of them."""
    wanted = _MAX_CONNECTIONS * _DESCRIPTORS_A_CONNECTION + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(_MAX_CONNECTIONS, (soft - _OTHER_DESCRIPTORS) // _DESCRIPTORS_A_CONNECTION))
