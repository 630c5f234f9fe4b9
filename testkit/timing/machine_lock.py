"""A lock by which tests in several processes share the machine, or one test uses it alone."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


class MachineLock:
    """A lock between the processes that open the same *folder*; released when its process ends.

    A process that waits in `take` holds the entry lock, so that no other process can overtake it.
    """

    def __init__(self, folder: Path) -> None:
        self._entry = _opened(folder / "entry")
        self._machine = _opened(folder / "machine")

    def share(self) -> None:
        """Wait until no process uses the machine alone, or waits to do so; then share it."""
        fcntl.flock(self._entry, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_SH)
        fcntl.flock(self._entry, fcntl.LOCK_UN)

    def take(self) -> None:
        """Wait until no other process shares the machine, and use it alone until `release`."""
        fcntl.flock(self._entry, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_EX)

    def release(self) -> None:
        for held in (self._machine, self._entry):
            fcntl.flock(held, fcntl.LOCK_UN)


def _opened(path: Path) -> IO[bytes]:
    return path.open("ab")
