"""Serve clients in turn: a client with a thousand requests delays each other client by only one."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar


class Task(Protocol):
    """A task that is queued under its client."""

    @property
    def client(self) -> str: ...


T = TypeVar("T", bound=Task)


class FairQueue(Generic[T]):
    """A queue that serves clients in turn, with the deque methods that waitress's dispatcher calls.

    The dispatcher calls them under its own lock.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, task: T) -> None:
        self._lines.setdefault(task.client, deque()).append(task)
        self._length += 1

    def popleft(self) -> T:
        """The oldest task of the client whose turn it is. Raises KeyError if the queue is empty."""
        client, line = self._lines.popitem(last=False)
        task = line.popleft()
        if line:
            self._lines[client] = line  # the client goes to the end
        self._length -= 1
        return task
