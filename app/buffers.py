"""Bound the bytes that wait in this process for clients: responses to send, bodies that come in.

Each connection says what it holds. When the budget is used up, connections are cut whose clients
have moved no byte for longest; only when there is none is a new transfer refused.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Final, Protocol

#: A connection is not cut before its client has moved nothing for so long.
_STALLED_S: Final = 1.0
#: The same for a client that holds more than half of the budget, when another client needs room.
_STALLED_HOG_S: Final = 0.1


class Holder(Protocol):
    """A connection that holds bytes of the budget."""

    @property
    def client(self) -> str:
        """The address whose connections are counted together."""

    def stalled_s(self, now: float) -> float | None:
        """Seconds since the client moved a byte; None while it is not the client that is late."""

    def cut(self) -> None:
        """Close the connection soon and free what it holds."""


class Budget:
    """At most *limit_bytes* for all connections. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._held: dict[Holder, int] = {}
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        return self._used_bytes

    def hold(self, holder: Holder, size_bytes: int) -> bool:
        """Note that *holder* holds *size_bytes* now; makes room for them, and says if there is."""
        with self._lock:
            before = self._held.get(holder, 0)
            self._set(holder, size_bytes)
            return size_bytes <= before or self._make_room(holder)

    def reserve(self, holder: Holder, size_bytes: int) -> bool:
        """The same, but *holder* gets no bytes unless there is room for them."""
        with self._lock:
            before = self._held.get(holder, 0)
            self._set(holder, size_bytes)
            has_room = self._make_room(holder)
            if not has_room:
                self._set(holder, before)
            return has_room

    def release(self, holder: Holder) -> None:
        with self._lock:
            self._set(holder, 0)

    def _set(self, holder: Holder, size_bytes: int) -> None:
        self._used_bytes += size_bytes - self._held.pop(holder, 0)
        if size_bytes:
            self._held[holder] = size_bytes

    def _make_room(self, needing: Holder) -> bool:
        while self._used_bytes > self.limit_bytes:
            victim = self._find_victim(needing)
            if victim is None:
                return False
            self._set(victim, 0)
            victim.cut()
        return True

    def _find_victim(self, needing: Holder) -> Holder | None:
        """The connection to cut, of a client that holds more than half where there is one."""
        now, hog = time.monotonic(), self._hog()
        found: list[tuple[bool, float, Holder]] = []
        for holder in self._held:
            stalled_s = None if holder is needing else holder.stalled_s(now)
            is_hogs = holder.client == hog != needing.client
            if stalled_s is not None and stalled_s >= (_STALLED_HOG_S if is_hogs else _STALLED_S):
                found.append((is_hogs, stalled_s, holder))
        return max(found, key=lambda one: one[:2])[2] if found else None

    def _hog(self) -> str | None:
        shares: Counter[str] = Counter()
        for holder, size_bytes in self._held.items():
            shares[holder.client] += size_bytes
        client, size_bytes = max(shares.items(), key=lambda one: one[1], default=("", 0))
        return client if size_bytes > self.limit_bytes // 2 else None
