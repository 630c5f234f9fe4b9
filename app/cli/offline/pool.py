"""Process pages in parallel; the engine computes without the GIL, so threads use all CPUs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, Generic, TypeVar

from ...domain.ports import Binarized
from ...formats.pictures import Source

#: The engine: a function from a file and a page number to the result.
Process = Callable[[Source, int], Binarized]
Item = TypeVar("Item")

#: Seconds that started pages still get after Ctrl-C.
_GRACE_S: Final = 3.0


class Pool(Generic[Item]):
    """Threads that call *work* with each of *items*."""

    def __init__(
        self, items: Sequence[Item], work: Callable[[Item], Binarized], parallel: int
    ) -> None:
        self._work = work
        self._stopping = threading.Event()
        self._left: SimpleQueue[Item] = SimpleQueue()
        for item in items:
            self._left.put(item)
        self._count = len(items)
        self._ended: SimpleQueue[tuple[Item, Binarized | Exception]] = SimpleQueue()
        # Daemon threads, because a page that takes minutes must not delay the exit after Ctrl-C.
        self._threads = [
            threading.Thread(target=self._run, daemon=True)
            for _ in range(min(parallel, len(items)))
        ]

    def results(self) -> Iterator[tuple[Item, Binarized | Exception]]:
        """Each item with its result or its fault, in the order in which they end."""
        for thread in self._threads:
            thread.start()
        for _ in range(self._count):
            yield self._ended.get()

    def stop(self) -> bool:
        """Begin no further item; returns whether all threads ended within a few seconds."""
        self._stopping.set()
        deadline = monotonic() + _GRACE_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                item = self._left.get_nowait()
            except Empty:
                return
            try:
                self._ended.put((item, self._work(item)))
            except Exception as exc:  # the fault of one page must not stop the others
                self._ended.put((item, exc))
