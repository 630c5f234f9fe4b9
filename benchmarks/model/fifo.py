"""The queue of the model of simulation.py: first in, first out, and one image of a group at a time.

SQS delivers no message of a group while another one is in flight, so one image of a group is
processed at a time, however many images of the group wait.
"""

from __future__ import annotations

from collections import deque

from benchmarks.model.design import Design
from benchmarks.model.run import Picture


class Fifo:
    """The waiting images: deliverable ones, and those behind another image of their group."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._free: deque[Picture] = deque()
        self._behind: dict[str, deque[Picture]] = {}
        self._blocked = 0

    def __len__(self) -> int:
        return len(self._free) + self._blocked

    def is_full(self, group: str) -> bool:
        """Whether an upload of *group* is refused."""
        is_group_full = len(self._behind.get(group, ())) >= self._design.max_group_depth
        return is_group_full or len(self) >= self._design.max_queue_depth

    def add(self, picture: Picture) -> None:
        if picture.group in self._behind:
            self._behind[picture.group].append(picture)
            self._blocked += 1
            return
        if picture.group:
            self._behind[picture.group] = deque()
        self._free.append(picture)

    def add_again(self, picture: Picture) -> None:
        """Put back an image whose worker died; the rest of its group waits for it."""
        self._free.appendleft(picture)

    def take(self) -> Picture | None:
        """Remove and return the image that is delivered next."""
        return self._free.popleft() if self._free else None

    def delete(self, picture: Picture) -> None:
        """Finish *picture*, so that the next image of its group can be delivered."""
        if not picture.group:
            return
        behind = self._behind[picture.group]
        if not behind:
            del self._behind[picture.group]
            return
        self._blocked -= 1
        self._free.appendleft(behind.popleft())
