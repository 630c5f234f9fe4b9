"""Find the images that were stored and of which nobody has heard since."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from ..domain.keys import FAILURES
from ..domain.ports import Bucket, Listed

#: A UUID as our keys have it.
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AFTER_ALL_IDS: Final = "~"


def find_orphans(originals: Bucket, results: Bucket, *, before: datetime) -> Iterator[UUID]:
    """The images that were stored *before* and of which nothing else is known.

    Three listings are walked side by side, as each is ordered by key; nothing is collected.
    """
    finished = _Walk(_ids(results.list(), suffix=".png"))
    failures = _Walk(_ids(results.list(FAILURES), prefix=FAILURES, suffix=".json"))
    for image_id, stored_at in _ids(originals.list(), suffix=".png"):
        is_finished = finished.has(image_id) or failures.has(image_id)
        if stored_at < before and not is_finished:
            yield UUID(image_id)


class _Walk:
    """Answers whether an id is in an ordered listing, for ids that only ever go up."""

    def __init__(self, ids: Iterator[tuple[str, datetime]]) -> None:
        self._ids = ids
        self._current = ""

    def has(self, image_id: str) -> bool:
        while self._current < image_id:
            self._current = next(self._ids, (_AFTER_ALL_IDS, None))[0]
        return self._current == image_id


def _ids(
    listed: Iterator[Listed], *, prefix: str = "", suffix: str
) -> Iterator[tuple[str, datetime]]:
    """The image ids among the keys, in their order, and when each was stored."""
    for found in listed:
        name = found.key.removeprefix(prefix).removesuffix(suffix)
        if _IMAGE_ID.fullmatch(name) and found.key == f"{prefix}{name}{suffix}":
            yield name, found.modified_at
