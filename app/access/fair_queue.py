"""Take turns between clients: one that sends a thousand requests delays the others by one each."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar


class Task(Protocol):
    """Something to do for a client."""

    @property
    def client(self) -> str: ...


T = TypeVar("T", bound=Task)


class FairQueue(Generic[T]):
    """A queue with the methods of a deque that waitress's dispatcher calls, under its own lock."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, task: T) -> None:
        self._lines.setdefault(task.client, deque()).append(task)
        self._length += 1

    def popleft(self) -> T:
        """The oldest task of the client whose turn it is. Raises KeyError when there is none."""
        client, line = self._lines.popitem(last=False)
        task = line.popleft()
        if line:
            self._lines[client] = line  # at the end
        self._length -= 1
        return task
