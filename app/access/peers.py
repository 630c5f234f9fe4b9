"""Limit the connections, or the simultaneous requests, of each client."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Final

from ..errors import TooManyConnectionsError
from ..observability import logs

logger = logs.get_logger(__name__)

_SAID_AGAIN_AFTER_S: Final = 60.0


class Peers:
    """Counts the connections or requests of each client, at most *limit*. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._present: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._said_at = -_SAID_AGAIN_AFTER_S

    def enter(self, client: str) -> bool:
        """Count one more for *client*; False if it has reached the limit."""
        with self._lock:
            if self._present[client] < self.limit:
                self._present[client] += 1
                return True
            is_said, now = time.monotonic() - self._said_at < _SAID_AGAIN_AFTER_S, time.monotonic()
            self._said_at = self._said_at if is_said else now
        if not is_said:
            logger.warning("client has too many connections", client=client, limit=self.limit)
        return False

    def refusal(self) -> TooManyConnectionsError:
        """The error for a client that has reached the limit."""
        sentence = f"{self.limit} requests of this address are in progress."
        return TooManyConnectionsError(sentence, limit=self.limit, retry_after_s=1)

    def leave(self, client: str) -> None:
        with self._lock:
            self._present[client] -= 1
            if self._present[client] <= 0:
                del self._present[client]  # otherwise the counter grows with every new address


class Presence:
    """The one entry in *peers* that a connection may hold."""

    def __init__(self, peers: Peers, counted_as: str | None = None) -> None:
        self._peers = peers
        self._counted_as = counted_as

    def enter(self, client: str) -> bool:
        """Count as *client* instead of any earlier one; False if it has reached the limit."""
        self.leave()
        if self._peers.enter(client):
            self._counted_as = client
        return self._counted_as is not None

    def leave(self) -> None:
        client, self._counted_as = self._counted_as, None
        if client is not None:
            self._peers.leave(client)
