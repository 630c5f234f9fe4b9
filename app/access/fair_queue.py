"""Serve clients in turn: a client with a thousand requests delays each other client by only one.

A probe of the process's health waits for one request only: else a thousand clients together would
let it time out, and the process, which works, would be replaced.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar


class Task(Protocol):
    """A task that is queued under its client."""

    @property
    def client(self) -> str: ...

    @property
    def is_probe(self) -> bool: ...


T = TypeVar("T", bound=Task)


class FairQueue(Generic[T]):
    """A queue that serves clients in turn, with the deque methods that waitress's dispatcher calls.

    The dispatcher calls them under its own lock.
    """

    def __init__(self) -> None:
        self._others, self._probes = _Lines[T](), _Lines[T]()
        self._was_probe = False

    def __len__(self) -> int:
        return len(self._others) + len(self._probes)

    def append(self, task: T) -> None:
        (self._probes if task.is_probe else self._others).append(task)

    def popleft(self) -> T:
        """The task whose turn it is. Raises KeyError if the queue is empty."""
        # Probes get every other turn, so that a flood of probes leaves half of the turns.
        self._was_probe = bool(self._probes) and not (self._was_probe and self._others)
        return (self._probes if self._was_probe else self._others).popleft()


class _Lines(Generic[T]):
    """The tasks of each client, which take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, task: T) -> None:
        self._lines.setdefault(task.client, deque()).append(task)
        self._length += 1

    def popleft(self) -> T:
        client, line = self._lines.popitem(last=False)
        task = line.popleft()
        if line:
            self._lines[client] = line  # the client goes to the end
        self._length -= 1
        return task
