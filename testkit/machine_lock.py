"""Tests of several processes share the machine; a repeated one has it alone."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


class MachineLock:
    """A lock of the processes that open the same *folder*; it ends with its process.

    Whoever waits for `take` holds the door, so that nobody enters before it.
    """

    def __init__(self, folder: Path) -> None:
        self._door = _opened(folder / "door")
        self._room = _opened(folder / "room")

    def share(self) -> None:
        """Wait until nobody has or awaits the machine alone."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)

    def take(self) -> None:
        """Wait until nobody else shares the machine, and let nobody enter until `release`."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX)

    def release(self) -> None:
        for held in (self._room, self._door):
            fcntl.flock(held, fcntl.LOCK_UN)


def _opened(path: Path) -> IO[bytes]:
    return path.open("ab")
