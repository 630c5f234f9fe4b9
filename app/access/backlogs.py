"""Limit how many images of one group, and of one owner, wait at the same time.

SQS tells the depth of a whole queue only. So each web process remembers the images that it has
accepted, in one line for each group and owner. Once a line reaches its limit, the process drops
the finished images at its front: images finish in about the order in which they were accepted.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from ..domain.messages import message_group
from ..domain.representation import Image
from ..errors import GroupFullError, OwnerFullError, TransientError

#: Look again for finished images of a full line after this time.
_LOOK_S: Final = 1.0
_RETRY_AFTER_S: Final = 5
#: Forget the least recently used lines beyond this many images, plus one full line of each kind. An
#: image in a line takes about 130 bytes.
_MAX_IMAGES: Final = 100_000


@dataclass
class _Line:
    """The images of one group or owner that may still wait, oldest first."""

    images: dict[UUID, None] = field(default_factory=dict)
    looked_at: float = -math.inf


class Backlogs:
    """The waiting images of each group and owner, of those that this process accepted.

    *max_of_group* and *max_of_owner* are the limits; 0 means none. *is_finished* says whether an
    image has a result or a failure record. *forgot* gets the number of images of a forgotten line,
    which may exceed its limit by as many as of them still wait. Thread-safe.
    """

    def __init__(
        self,
        *,
        max_of_group: int,
        max_of_owner: int,
        is_finished: Callable[[UUID], bool],
        forgot: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_of_group = max_of_group
        self._max_of_owner = max_of_owner
        self._max_images = _MAX_IMAGES + max_of_group + max_of_owner
        self._is_finished = is_finished
        self._forgot = forgot
        self._clock = clock
        self._lock = threading.Lock()
        #: By name, most recently used last.
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._count = 0

    def check_room(self, image: Image) -> None:
        """Raise unless the lines of *image* have room; asks S3 about 20 images a second or so.

        A repeated upload of an image that already waits always has room.

        Raises:
            GroupFullError, OwnerFullError: as many images as allowed wait.
            StorageUnavailableError: S3 does not answer whether images are finished.
        """
        for name, limit, kind in self._lines_of(image):
            if self._has_room(name, limit, image.image_id):
                continue
            self._drop_finished(name)
            if not self._has_room(name, limit, image.image_id):
                raise _full(kind, limit)

    def add(self, image: Image) -> None:
        """Remember *image*, which waits now."""
        with self._lock:
            for name, _, _ in self._lines_of(image):
                line = self._lines.setdefault(name, _Line())
                self._lines.move_to_end(name)
                self._count += image.image_id not in line.images
                line.images[image.image_id] = None
            while self._count > self._max_images:
                self._forget_a_line()

    def _forget_a_line(self) -> None:
        _, line = self._lines.popitem(last=False)
        self._count -= len(line.images)
        self._forgot(len(line.images))

    def _lines_of(self, image: Image) -> Iterator[tuple[str, int, type[TransientError]]]:
        """The lines of *image* that have a limit: name, limit and error."""
        if image.group and self._max_of_group:
            name = message_group(image.image_id, image.group, image.owner)
            yield f"group {name}", self._max_of_group, GroupFullError
        if image.owner and self._max_of_owner:
            yield f"owner {image.owner}", self._max_of_owner, OwnerFullError

    def _has_room(self, name: str, limit: int, image_id: UUID) -> bool:
        with self._lock:
            line = self._lines.get(name)
            return not line or image_id in line.images or len(line.images) < limit

    def _drop_finished(self, name: str) -> None:
        with self._lock:
            line, now = self._lines.get(name), self._clock()
            if not line or now - line.looked_at < _LOOK_S:
                return
            line.looked_at = now
            images = list(line.images)
        # Outside the lock: each step asks S3.
        finished = bisect_left(images, True, key=lambda image_id: not self._is_finished(image_id))
        with self._lock:
            if self._lines.get(name) is not line:  # another thread has dropped the line
                return
            for image_id in images[:finished]:
                # Another thread may have removed the image.
                self._count -= image_id in line.images
                line.images.pop(image_id, None)


def _full(kind: type[TransientError], limit: int) -> TransientError:
    whose = "of this group" if kind is GroupFullError else "of yours"
    return kind(
        f"{limit} images {whose} wait; no more may.", limit=limit, retry_after_s=_RETRY_AFTER_S
    )
