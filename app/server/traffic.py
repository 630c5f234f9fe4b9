"""Keep account of what a connection has moved and holds, and how fast."""

from __future__ import annotations

from .pace import Moved, Pace, ReadPace, RecentPace


class Traffic:
    """The bytes of one connection. Other threads may ask; the loop and the task count."""

    def __init__(self) -> None:
        #: Room for the response in the making.
        self.reserved_bytes = 0
        #: All that was written since nothing waited: a buffer is freed when it is sent to its end.
        self.written_bytes = 0
        self._sent_bytes = 0
        self._received_bytes = 0
        self._pace = Pace()
        self._read_pace = ReadPace()
        self._recent_pace = RecentPace()

    @property
    def reads_again_at(self) -> float:
        """When a client that sends many small pieces is read from again."""
        return self._read_pace.reads_again_at

    def received(self, size_bytes: int) -> None:
        self._received_bytes += size_bytes

    def has_read(self, size_bytes: int, *, is_in_request: bool) -> None:
        self._read_pace.has_read(size_bytes, is_in_request=is_in_request)

    def sent(self, size_bytes: int) -> None:
        self._sent_bytes += size_bytes

    def begins(self, unsent_bytes: int, now: float) -> None:
        """Count what moves lately anew: nothing was waited for until now."""
        self._recent_pace.restart(self._moved_bytes(unsent_bytes), now)

    def moved_lately(self, unsent_bytes: int, now: float) -> Moved:
        return self._recent_pace.look(self._moved_bytes(unsent_bytes), now)

    def takes_too_long(self, now: float) -> bool:
        """Whether the client takes too little of a response that waits for it."""
        return self._pace.is_too_slow(self._sent_bytes, now)

    def has_nothing_to_send(self) -> None:
        self._pace.restart(self._sent_bytes)

    def _moved_bytes(self, unsent_bytes: int) -> int:
        return self._sent_bytes + self._received_bytes - unsent_bytes
