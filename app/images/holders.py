"""Find the original and the owner that hold an image id, from the objects in the two buckets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ..domain.keys import failure_key, original_key, processed_key
from ..domain.messages import Announcement
from ..domain.ports import Bucket, StoredObject
from ..domain.representation import ImageStatus
from ..errors import ImageDeletedError, ImageIdTakenError, NotFoundError, unknown_image
from .ownership import Claim, Holder, owner_of

#: The metadata of a deletion mark: the empty object that replaces a deleted image.
DELETED: Final = {"deleted": "true"}


@dataclass(frozen=True)
class Holders:
    """Look-ups of the holder of an image id in its result, deletion mark, original and record."""

    originals: Bucket
    results: Bucket

    def find(self, image_id: UUID) -> Holder:
        """The holder of the image that clients see under *image_id*."""
        own_key = original_key(image_id)
        if result := or_none(self.results.head, processed_key(image_id)):
            return Holder.of(result, key=own_key)
        if record := or_none(self.results.get, failure_key(image_id)):
            return _of_record(record)
        original = or_none(self.originals.head, own_key)
        return Holder.of(original, key=own_key) if original else Holder(own_key, None)

    def check(self, claim: Claim) -> StoredObject | None:
        """The result or its deletion mark, None without; for a claim that may use the image id.

        Raises:
            ImageIdTakenError: the image has another original than *claim*, or another owner.
        """
        if result := self.check_result(claim):
            return result
        own_key = original_key(claim.image_id)
        if original := or_none(self.originals.head, own_key):
            holder = Holder.of(original, key=own_key)
            # A claim without a key may use an image that has no owner, or the same owner.
            if claim.key is not None or holder.owner not in (None, claim.owner):
                _check(claim, holder)
        if record := or_none(self.results.get, failure_key(claim.image_id)):
            holder = _of_record(record)
            # A stored original takes precedence over the failure record of another original.
            if not original or holder.key in (None, own_key):
                _check(claim, holder)
        return None

    def check_result(self, claim: Claim) -> StoredObject | None:
        """The result or its deletion mark; `check` without the original and the failure record."""
        result = or_none(self.results.head, processed_key(claim.image_id))
        if result:
            _check(claim, Holder.of(result, key=original_key(claim.image_id)))
        return result

    def check_record(self, claim: Claim) -> StoredObject:
        """The failure record. Raises NotFoundError, and ImageIdTakenError as `check` does."""
        record = self.results.get(failure_key(claim.image_id))
        holder = _of_record(record)
        is_own = claim.key == original_key(claim.image_id)
        if is_own and holder.key not in (None, claim.key):
            raise unknown_image(claim.image_id)  # the record belongs to an invalid claim
        _check(claim, holder)
        return record


def or_none(look: Callable[[str], StoredObject], key: str) -> StoredObject | None:
    """The object that *look* returns for *key*; None if there is none."""
    try:
        return look(key)
    except NotFoundError:
        return None


def read_record(stored: StoredObject) -> Announcement:
    """The announcement that the failure record *stored* holds.

    Raises:
        NotFoundError: *stored* is not a failure record; the next failure overwrites it.
    """
    try:
        record = Announcement.model_validate_json(stored.data)
    except ValueError:
        raise NotFoundError(f"{stored.key!r} is not a failure record.") from None
    if failure_key(record.image_id) != stored.key or not _is_failure(record):
        raise NotFoundError(f"{stored.key!r} is the failure record of another message.")
    return record.model_copy(update={"expires_at": stored.expires_at})


def is_mark(stored: StoredObject) -> bool:
    """Whether *stored* is the deletion mark of a deleted image."""
    return DELETED.items() <= stored.metadata.items()


def live(stored: StoredObject, image_id: UUID) -> StoredObject:
    """*stored*. Raises ImageDeletedError when it is a deletion mark."""
    if is_mark(stored):
        raise ImageDeletedError(image_id, owner_of(stored))
    return stored


def _is_failure(record: Announcement) -> bool:
    return record.status is ImageStatus.FAILED and record.error is not None


def _of_record(stored: StoredObject) -> Holder:
    # Older versions wrote failure records without metadata.
    try:
        record = read_record(stored)
    except NotFoundError:
        return Holder.of(stored)
    key = record.original.key if record.original else None
    return Holder.of(stored, key=key, owner=record.owner)


def _check(claim: Claim, holder: Holder) -> None:
    if not holder.admits(claim):
        # The detail has the whole key, so that the announcements of two refusals differ.
        raise ImageIdTakenError(
            f"Image id {claim.image_id} belongs to another original than {claim.key!r}, or to "
            "another owner."
        )
