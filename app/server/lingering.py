"""Keep reading for a while from a connection that the server ends before the request is read."""

from __future__ import annotations

import socket
import time
from typing import Any, Final

from waitress.channel import HTTPChannel

#: After a refusal, incoming bytes are read and discarded for this long: an immediate close would
#: reset the connection, and the client could lose the response (RFC 9112, section 9.6).
_LINGER_S: Final = 10.0
_LINGER_BYTES: Final = 64 * 1024 * 1024


class LingeringChannel(HTTPChannel):
    """A connection that discards incoming bytes once its last response is written."""

    #: The current request is not read to its end; the connection closes after the response.
    is_cut = False
    _lingers_until: float | None = None
    _discarded_bytes = 0

    @property
    def is_lingering(self) -> bool:
        return self._lingers_until is not None

    def readable(self) -> bool:
        if self._lingers_until is None:
            return bool(super().readable()) and not self.is_cut
        if time.monotonic() > self._lingers_until:
            self.will_close = True
        return not self.will_close

    def writable(self) -> bool:
        is_wanted = self.will_close if self.is_lingering else super().writable()
        return self.connected and bool(is_wanted)

    def handle_close(self) -> None:
        if self.is_cut and not self.is_lingering and self.connected:
            self._linger()
        else:
            self.close_at_once()

    def close_at_once(self) -> None:
        # Break the cycle of parser and connection so that the body is freed now.
        self.request: Any = None
        super().handle_close()

    def discard(self, data: bytes) -> None:
        """Count *data*, read while lingering; empty *data* means that the client has closed."""
        self._discarded_bytes += len(data)
        if not data:
            self.handle_close()
        elif self._discarded_bytes > _LINGER_BYTES:
            self.will_close = True

    def _linger(self) -> None:
        self._lingers_until = time.monotonic() + _LINGER_S
        self.will_close = self.close_when_flushed = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()
