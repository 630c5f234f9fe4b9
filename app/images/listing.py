"""List the orphans and the finished images of the store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Final
from uuid import UUID

from ..domain.keys import FAILURES
from ..domain.ports import Bucket, Listed

#: A UUID as it is written in keys: lower case, with hyphens.
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AFTER_ALL_IDS: Final = "~"


def find_orphans(originals: Bucket, results: Bucket, *, before: datetime) -> Iterator[UUID]:
    """The images stored *before* that have neither a result nor a failure record.

    Three listings are merged, as each is ordered by key, so that memory use is constant.
    """
    finished = _Walk(_processed(results))
    failures = _Walk(_failed(results))
    for image_id, stored_at in _ids(originals.list(), suffix=".png"):
        is_finished = finished.has(image_id) or failures.has(image_id)
        if stored_at < before and not is_finished:
            yield UUID(image_id)


def find_finished(
    results: Bucket, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[UUID]:
    """The images with a result, a failure record or a deletion mark stored from *since* to *until*.

    Each image is listed once, in the order of the ids. Memory use is constant.
    """
    both = merge(_processed(results), _failed(results))
    for image_id, stored in groupby(both, key=lambda found: found[0]):
        times = [stored_at for _, stored_at in stored]
        if any((not since or since <= t) and (not until or t < until) for t in times):
            yield UUID(image_id)


class _Walk:
    """Membership tests against an ordered listing, for ids asked in ascending order."""

    def __init__(self, ids: Iterator[tuple[str, datetime]]) -> None:
        self._ids = ids
        self._current = ""

    def has(self, image_id: str) -> bool:
        while self._current < image_id:
            self._current = next(self._ids, (_AFTER_ALL_IDS, None))[0]
        return self._current == image_id


def _processed(results: Bucket) -> Iterator[tuple[str, datetime]]:
    return _ids(results.list(), suffix=".png")


def _failed(results: Bucket) -> Iterator[tuple[str, datetime]]:
    return _ids(results.list(FAILURES), prefix=FAILURES, suffix=".json")


def _ids(
    listed: Iterator[Listed], *, prefix: str = "", suffix: str
) -> Iterator[tuple[str, datetime]]:
    """The image ids among the keys, in key order, with the time at which each was stored."""
    for found in listed:
        name = found.key.removeprefix(prefix).removesuffix(suffix)
        if _IMAGE_ID.fullmatch(name) and found.key == f"{prefix}{name}{suffix}":
            yield name, found.modified_at
