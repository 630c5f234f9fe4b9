"""Remember the last half hour, ten seconds at a time: uploads, finished images, the queue.

What one process has seen. It learns that an image is finished from the worker in the process and
from whoever asks for the image, whichever comes first; each image counts once, in the interval in
which it was finished.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Final, Literal

from pydantic import BaseModel, Field

from .representation import Image, ImageStatus, Timestamp, now

INTERVAL_S: Final = 10
MAX_SAMPLES: Final = 180
#: The intervals that say how long an image takes at present: five minutes.
_LATELY: Final = 30
#: An image is known by its id for half an hour; 180 times this many take 60 MB. More than one
#: process can do in an interval.
_MAX_FINISHED: Final = 2000
#: How far the clock of a worker elsewhere may be ahead of ours.
_MAX_AHEAD: Final = 6


class Sample(BaseModel):
    """One interval. A number that nobody knows is null."""

    at: Timestamp = Field(description="When the interval began.")
    uploads: int = Field(ge=0, description="Images that were accepted.")
    processed: int = Field(ge=0)
    failed: int = Field(ge=0)
    waiting: int | None = Field(ge=0, description="Images in the queue, the most that were seen.")
    p50_s: float | None = Field(ge=0, description="Median of the seconds from upload to end.")
    p95_s: float | None = Field(ge=0, description="95th percentile of them.")


class Backlog(BaseModel):
    """What SQS says of the queue: images that wait, and that workers have in hand."""

    waiting: int = Field(ge=0)
    held: int = Field(ge=0)


class Service(BaseModel):
    """How the service is, as this process of it has seen in the last half hour.

    `degraded` means that S3, SQS or the worker did not answer when it was last asked, or that so
    many images wait that uploads are refused.
    """

    status: Literal["up", "degraded"]
    queue: Backlog | None = Field(description="null when it is not known.")
    wait_s: float | None = Field(
        ge=0, description="Median of the seconds from upload to end in the last five minutes."
    )
    interval_s: int = Field(description="Seconds that a sample stands for.")
    samples: list[Sample] = Field(
        max_length=MAX_SAMPLES, description="Whole intervals, the oldest first."
    )


@dataclass
class _Interval:
    uploads: int = 0
    waiting: int | None = None
    #: Status, and seconds from upload to end, by image.
    finished: dict[int, tuple[ImageStatus, float | None]] = field(default_factory=dict)

    def count(self, status: ImageStatus) -> int:
        return sum(ended is status for ended, _ in self.finished.values())

    @property
    def seconds(self) -> list[float]:
        return sorted(s for _, s in self.finished.values() if s is not None)


class History:
    """Thread-safe. *clock* tells the time in UTC."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._intervals: dict[int, _Interval] = {}
        self._first = self._current

    def uploaded(self) -> None:
        with self._lock:
            self._interval(self._current).uploads += 1

    def queue_seen(self, waiting: int) -> None:
        with self._lock:
            interval = self._interval(self._current)
            interval.waiting = max(waiting, interval.waiting or 0)

    def finished(self, image: Image) -> None:
        """Note *image* if it is finished; whoever notes it again changes nothing."""
        if image.status is ImageStatus.QUEUED or image.processed_at is None:
            return
        seconds = None
        if image.uploaded_at is not None:
            seconds = max(0.0, (image.processed_at - image.uploaded_at).total_seconds())
        with self._lock:
            # By when it ended, which is the same whoever tells us, and when.
            number = _number(image.processed_at)
            if not self._oldest <= number <= self._current + _MAX_AHEAD:
                return
            interval = self._interval(number)
            if len(interval.finished) < _MAX_FINISHED:
                interval.finished[image.image_id.int] = (image.status, seconds)

    def samples(self) -> list[Sample]:
        """The intervals that are over, the oldest first; none from before we began."""
        with self._lock:
            return [self._sample(number) for number in range(self._oldest, self._current)]

    def wait_s(self) -> float | None:
        """The median of the seconds from upload to end, lately; None if nothing has ended."""
        with self._lock:
            lately = range(self._current - _LATELY, self._current + 1)
            known = [self._intervals[number] for number in lately if number in self._intervals]
            seconds = [s for interval in known for s in interval.seconds]
        return round(median(seconds), 3) if seconds else None

    @property
    def _current(self) -> int:
        return _number(self._clock())

    @property
    def _oldest(self) -> int:
        return max(self._first, self._current - MAX_SAMPLES)

    def _interval(self, number: int) -> _Interval:
        if number not in self._intervals:
            for old in [n for n in self._intervals if n < self._oldest]:
                del self._intervals[old]
            self._intervals[number] = _Interval()
        return self._intervals[number]

    def _sample(self, number: int) -> Sample:
        interval = self._intervals.get(number) or _Interval()
        seconds = interval.seconds
        return Sample(
            at=datetime.fromtimestamp(number * INTERVAL_S, UTC),
            uploads=interval.uploads,
            processed=interval.count(ImageStatus.PROCESSED),
            failed=interval.count(ImageStatus.FAILED),
            waiting=interval.waiting,
            p50_s=_percentile(seconds, 50),
            p95_s=_percentile(seconds, 95),
        )


def _number(moment: datetime) -> int:
    return int(moment.timestamp() // INTERVAL_S)


def _percentile(values: Iterable[float], percent: int) -> float | None:
    """The smallest of the sorted *values* that as many percent do not exceed (nearest rank)."""
    ordered = list(values)
    if not ordered:
        return None
    return round(ordered[math.ceil(len(ordered) * percent / 100) - 1], 3)
