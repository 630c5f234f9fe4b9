"""Serve the application with waitress, whose own refusals speak our language too.

Waitress reads a request whole before it takes a thread, so slow clients cost none.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final
from uuid import uuid4

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import Error

from .errors import (
    BadRequestError,
    FileTooLargeError,
    InternalError,
    PipelineError,
    StorageUnavailableError,
    TransferCodingError,
)
from .routes import SECURITY_HEADERS
from .settings import Settings

logger = logging.getLogger(__name__)

#: A body up to so many times the limit is read to its end, because a client that is still
#: sending can miss the answer; a larger one is refused at its header.
_READ_TO_THE_END: Final = 2


class _DiskFullError(Error):
    code, reason = 503, "Service Unavailable"


class _Parser(HTTPRequestParser):
    """Reads a request; larger bodies wait in a temporary file."""

    def received(self, data: bytes) -> int:
        try:
            return int(super().received(data))
        except OSError as exc:
            # Waitress itself would drop the connection without an answer.
            logger.error("cannot keep a request body: %s", exc)
            self.error, self.completed = _DiskFullError(""), True
            return len(data)


class _ProblemTask(ErrorTask):
    """A refusal by waitress itself, as a problem document instead of plain text."""

    def execute(self) -> None:
        error = _as_problem(self.request.error.code)
        document = error.to_problem() | {"request_id": uuid4().hex}
        body = json.dumps(document).encode()
        self.status = f"{error.status} {error.title}"
        self.response_headers.extend(SECURITY_HEADERS.items())
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.response_headers.append(("X-Request-ID", document["request_id"]))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    parser_class = _Parser
    error_task_class = _ProblemTask


class HttpServer:
    """A listening socket; `run` answers requests until a KeyboardInterrupt.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        listeners: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=listeners,
            host=settings.host,
            port=settings.port,
            threads=settings.web_threads,
            max_request_body_size=_READ_TO_THE_END * settings.max_upload_bytes,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        for listener in listeners.values():
            if hasattr(listener, "channel_class"):
                listener.channel_class = _Channel

    def run(self) -> None:
        """Serve; on KeyboardInterrupt finish the requests in hand and return."""
        self._server.run()
        self._server.close()


def _as_problem(status: int) -> PipelineError:
    if status == 413:
        return FileTooLargeError("The body is far over the limit.")
    if status == 501:
        return TransferCodingError("The only transfer coding that is understood is chunked.")
    if status == 503:
        return StorageUnavailableError("There is no room for the request body; try again later.")
    if status < 500:
        return BadRequestError("The request is not valid HTTP.")
    return InternalError("The server cannot answer this request.")
