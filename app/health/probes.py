"""Serve /healthz, /readyz and /metrics to operators on a separate port, METRICS_PORT.

This is the standard library's server: one thread per connection, closed when the client is silent.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from ..errors import MethodNotAllowedError, PipelineError
from ..observability import logs
from .health import Answer, Health

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

logger = logs.get_logger(__name__)

#: Seconds of silence after which a connection is closed.
_SILENCE_S: Final = 10
#: The server notices a stop within this time.
_LOOK_S: Final = 0.2
_PROBLEM: Final = "application/problem+json"


class ProbeServer:
    """Listens as soon as it is made, and answers inside its `with` block. Port 0 means a free port.

    Raises:
        OSError: the server cannot listen on the address.
    """

    def __init__(self, host: str, port: int, health: Health) -> None:
        self._health = health
        self._server = _server_class(host, port)((host, port), _Handler)
        self._server.set_app(self._answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_S,), name="probes", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            answer = self._find(environ["REQUEST_METHOD"], environ["PATH_INFO"])
            status = "200 OK"
        except PipelineError as error:
            answer = Answer(_PROBLEM, json.dumps(error.to_problem()).encode())
            status = f"{error.status} {error.title}"
        headers = [("Content-Type", answer.mime), ("Cache-Control", "no-store")]
        start(status, [*headers, ("Content-Length", str(len(answer.body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]

    def _find(self, method: str, path: str) -> Answer:
        answer = self._health.answer(path)
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowedError(f"{path} accepts GET only.")
        return answer


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer.server_bind looks up the host name in DNS, which can take 30 s to fail.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        logger.debug("probe connection failed", client=str(client_address), exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the parent's name)
        logger.debug("probe", answer=format % args)


def _server_class(host: str, port: int) -> type[_Server]:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return _Server6 if family is socket.AF_INET6 else _Server
