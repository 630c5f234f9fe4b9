"""Count the bytes that a connection moves and holds, and measure its speed."""

from __future__ import annotations

from .pace import Moved, Pace, ReadPace, RecentPace


class Traffic:
    """The byte counts of one connection. The loop and the task update them; any thread reads."""

    def __init__(self) -> None:
        #: Bytes reserved for the response that is being made.
        self.reserved_bytes = 0
        #: Bytes written since the output buffer was last empty: waitress frees a buffer only when
        #: all of it is sent.
        self.written_bytes = 0
        self._sent_bytes = 0
        self._received_bytes = 0
        self._pace = Pace()
        self._read_pace = ReadPace()
        self._recent_pace = RecentPace()

    @property
    def reads_again_at(self) -> float:
        """The time of the next read from a client that sends many small pieces."""
        return self._read_pace.reads_again_at

    def received(self, size_bytes: int) -> None:
        self._received_bytes += size_bytes

    def has_read(self, size_bytes: int, *, is_in_request: bool) -> None:
        self._read_pace.has_read(size_bytes, is_in_request=is_in_request)

    def sent(self, size_bytes: int) -> None:
        self._sent_bytes += size_bytes

    def begins(self, unsent_bytes: int, now: float) -> None:
        """Restart the measurement: until now the server was not waiting for the client."""
        self._recent_pace.restart(self._moved_bytes(unsent_bytes), now)

    def moved_lately(self, unsent_bytes: int, now: float) -> Moved:
        return self._recent_pace.look(self._moved_bytes(unsent_bytes), now)

    def takes_too_long(self, now: float) -> bool:
        """Whether the client reads its response too slowly."""
        return self._pace.is_too_slow(self._sent_bytes, now)

    def has_nothing_to_send(self) -> None:
        self._pace.restart(self._sent_bytes)

    def _moved_bytes(self, unsent_bytes: int) -> int:
        return self._sent_bytes + self._received_bytes - unsent_bytes
