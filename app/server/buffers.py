"""Bound the memory and disk that transfers use: responses being sent and bodies being received.

Each connection reports how many bytes it holds. When the budget is used up, the slowest connections
are cut: those whose clients would need longest, at their recent speed, to move the held bytes. A
client over its share loses connections to other clients. If none can be cut, the new transfer is
refused.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Final, Protocol

from .pace import Moved

#: A connection that needs longer than this to move its held bytes is slow. A page of 2 MB at
#: 50 kB/s, with stalls, needs less. An attacker who wants to occupy the whole budget must move a
#: sixtieth of it per second.
_SLOW_S: Final = 60.0
#: Speed assumed for a stalled client: the minimum that `Pace` tolerates. A connection that holds
#: only a few bytes therefore never counts as slow.
_LEAST_BYTES_PER_S: Final = 1024
#: Minimum observation time before a connection can count as slow: connections start slowly.
_FIRST_LOOK_S: Final = 1.0
#: The same for a connection of a client over its share, which is cut even when it is not slow.
_FIRST_LOOK_OVER_SHARE_S: Final = 0.1
#: When the budget is used up, a client may hold a quarter of it, or a single transfer of any size.
_SHARES: Final = 4


class Holder(Protocol):
    """A connection that holds bytes of the budget."""

    @property
    def client(self) -> str:
        """The address under which connections are counted together."""

    def moved_lately(self, now: float) -> Moved | None:
        """The bytes the client moved in the last seconds; None while it waits for the server."""

    def cut(self) -> None:
        """Close the connection soon and free the bytes it holds."""


class Budget:
    """A limit of *limit_bytes* on the sum over all connections. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._held: dict[Holder, int] = {}
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        return self._used_bytes

    def hold(self, holder: Holder, size_bytes: int) -> bool:
        """Record that *holder* holds *size_bytes*; True if they fit, after cuts if needed."""
        with self._lock:
            before = self._held.get(holder, 0)
            self._set(holder, size_bytes)
            return size_bytes <= before or self._make_room(holder)

    def reserve(self, holder: Holder, size_bytes: int) -> bool:
        """Like `hold`, but record nothing if *size_bytes* do not fit."""
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
        """The connection to cut: slow ones first, and among them clients over their share."""
        now, over_share = time.monotonic(), self._over_share()
        found: list[tuple[bool, bool, float, Holder]] = []
        for holder, size_bytes in self._held.items():
            moved = None if holder is needing else holder.moved_lately(now)
            if moved is None:
                continue
            needs_s = size_bytes / max(moved.bytes_per_s, _LEAST_BYTES_PER_S)
            is_slow = needs_s >= _SLOW_S and moved.seconds >= _FIRST_LOOK_S
            is_over = holder.client in over_share
            gives_way = is_over and needing.client not in over_share
            if is_slow or (gives_way and moved.seconds >= _FIRST_LOOK_OVER_SHARE_S):
                found.append((is_slow, is_over, needs_s, holder))
        return max(found, key=lambda one: one[:3])[3] if found else None

    def _over_share(self) -> set[str]:
        """The clients that hold more than a share in more than one transfer."""
        shares, transfers = Counter[str](), Counter[str]()
        for holder, size_bytes in self._held.items():
            shares[holder.client] += size_bytes
            transfers[holder.client] += 1
        limit_bytes = self.limit_bytes // _SHARES
        return {one for one in shares if shares[one] > limit_bytes and transfers[one] > 1}
