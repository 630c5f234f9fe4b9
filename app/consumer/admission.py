"""Limit the images computed at the same time to the available CPUs and memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Admission:
    """Admission of at most *slots* images with *max_pixels* in total, first come, first served.

    An image with more than *max_pixels* is admitted alone.
    """

    def __init__(self, *, slots: int, max_pixels: int) -> None:
        self._free_slots = slots
        self._max_pixels = max_pixels
        self._pixels = 0
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """A block that starts once *pixels* fit, and occupies them until it ends."""
        self._enter(pixels)
        try:
            yield
        finally:
            self._leave(pixels)

    def _enter(self, pixels: int) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            # In order of arrival: otherwise a stream of small images would starve a large one.
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
