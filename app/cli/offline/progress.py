"""Show the progress of a run: a bar on a terminal, a line from time to time in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final, Self

from tqdm import tqdm

#: Seconds between two lines in a log: the first pause, which doubles, and the longest.
_FIRST_PAUSE_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 300.0


class Progress:
    """The progress of *total* pages, on standard error."""

    def __init__(self, total: int, clock: Callable[[], float] = monotonic) -> None:
        self._bar = tqdm(total=total, unit=" pages", desc="binarize", disable=None)
        self._total, self._done, self._clock = total, 0, clock
        self._began_at = self._said_at = clock()
        self._pause_s = _FIRST_PAUSE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def step(self) -> None:
        """Count one more finished page."""
        self._done += 1
        self._bar.update()
        now = self._clock()
        if self._bar.disable and now - self._said_at >= self._pause_s:
            self._said_at, self._pause_s = now, min(_LONGEST_PAUSE_S, 2 * self._pause_s)
            pace = self._done / (now - self._began_at)
            self.say(f"{self._done} of {self._total} pages, {pace:.1f} a second")

    @staticmethod
    def say(sentence: str) -> None:
        """Print a line above the bar."""
        tqdm.write(f"binarize: {sentence}", file=sys.stderr)
