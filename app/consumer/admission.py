"""Let no more images be computed at once than there are CPUs and memory for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Admission:
    """A gate for *slots* images with *max_pixels* between them, first come, first served.

    An image larger than that is let through alone.
    """

    def __init__(self, *, slots: int, max_pixels: int) -> None:
        self._free_slots = slots
        self._max_pixels = max_pixels
        self._pixels = 0
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Wait for room for *pixels*, and take it until the block ends."""
        self._enter(pixels)
        try:
            yield
        finally:
            self._leave(pixels)

    def _enter(self, pixels: int) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            # In order, or a large image would wait for as long as small ones come.
            self._changed.wait_for(lambda: self._queue[0] is ticket and self._has_room(pixels))
            self._queue.popleft()
            self._free_slots -= 1
            self._pixels += pixels
            self._changed.notify_all()

    def _leave(self, pixels: int) -> None:
        with self._changed:
            self._free_slots += 1
            self._pixels -= pixels
            self._changed.notify_all()

    def _has_room(self, pixels: int) -> bool:
        fits = self._pixels == 0 or self._pixels + pixels <= self._max_pixels
        return self._free_slots > 0 and fits
