"""The image store: the state of every image, derived from the objects in the two buckets.

S3 is the only record; there is no database. A result overrides a failure record, which overrides
the original; without any of them the image is unknown. Deleting an image replaces its result with
a deletion mark, an empty object: a worker that still processes the image finds the key taken and
stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ..domain.keys import (
    failure_key,
    names_another,
    original_key,
    processed_key,
    spellings,
)
from ..domain.messages import Job
from ..domain.ports import Admit, Bucket, Message, StoredObject, asking
from ..domain.representation import Image, ImageStatus
from ..errors import (
    ForeignOriginalError,
    ImageDeletedError,
    NotFoundError,
    NotReadyError,
    ProcessingFailedError,
    unknown_image,
)
from .holders import DELETED, Holders, is_mark, live, or_none
from .metadata import from_metadata, to_metadata
from .ownership import Claim, as_metadata, may_claim, owner_of
from .records import PNG, Records

#: The fields of a job that override the metadata of the original.
_ASKED: Final = frozenset(("method", "parameters", "group", "owner"))


@dataclass(frozen=True)
class Fetched:
    """An original: its job, with the key where it was found, its image and its bytes."""

    job: Job
    image: Image
    data: bytes


@dataclass(frozen=True)
class ImageStore:
    """Originals in one bucket, results and failure records in the other.

    Every method that reads an image raises ImageDeletedError once the image is deleted.
    """

    originals: Bucket
    results: Bucket

    @property
    def records(self) -> Records:
        """The results and failure records."""
        return Records(self.originals, self.results)

    @property
    def _holders(self) -> Holders:
        return Holders(self.originals, self.results)

    def put_original(self, image: Image, data: bytes) -> Image | None:
        """Store an upload once; returns *image* with its expiry, None if it is stored already."""
        stored = self.originals.put_once(
            original_key(image.image_id), data, content_type=PNG, metadata=to_metadata(image)
        )
        if stored is None:
            return None
        return image.model_copy(update={"expires_at": stored.expires_at})

    def job_message(self, image: Image) -> Message:
        """The message that requests the processing of *image*, whose original is stored."""
        job = Job(
            image_id=image.image_id,
            bucket=self.originals.name,
            key=original_key(image.image_id),
            method=image.method,
            parameters=image.parameters,
            sha256=image.original.sha256 if image.original else None,
            group=image.group,
            uploaded_at=image.uploaded_at,
            owner=image.owner,
        )
        return asking(job)

    def get_original(self, job: Job) -> Fetched:
        """The original of *job*, with its image.

        Raises:
            NotFoundError: the original does not exist.
            ForeignOriginalError: the original has an owner, and the job names another.
            ImageIdTakenError: the job's image has another original, or another owner.
        """
        # An original stored by the API needs no check: its key is derived from the image id.
        if job.key != original_key(job.image_id):
            self._holders.check(Claim.of(job))
        stored = self._original_of(job)
        if job.owner and not owner_of(stored):
            self._holders.check(Claim.of(job))
        image = from_metadata(job.image_id, stored, ImageStatus.QUEUED)
        # The message overrides the metadata, which can be missing or older.
        asked = job.model_dump(include={*_ASKED, "uploaded_at"})
        known = {name: value for name, value in asked.items() if value}
        found = job.model_copy(update={"key": stored.key})
        return Fetched(found, image.model_copy(update=known), stored.data)

    def _original_of(self, job: Job) -> StoredObject:
        for key in spellings(job.key, job.image_id):
            try:
                stored = self.originals.get(key)
            except NotFoundError:
                continue
            if not may_claim(job.owner, owner_of(stored)):
                raise ForeignOriginalError("The original belongs to another owner.")
            if is_mark(stored) and key != original_key(job.image_id):
                continue  # another image of the same original was deleted
            return live(stored, job.image_id)
        raise unknown_image(job.image_id)

    def find(self, image_id: UUID) -> Image:
        """The representation of an image in any state. Raises NotFoundError."""
        try:
            finished = self.records.find(image_id)
        except NotFoundError:
            return self.find_upload(image_id)
        return Image.model_validate(finished.model_dump(by_alias=True))

    def is_finished(self, image_id: UUID) -> bool:
        """Whether the image waits no more: it is processed, failed, deleted or expired."""
        try:
            return self.find(image_id).status is not ImageStatus.QUEUED
        except (ImageDeletedError, NotFoundError):
            return True

    def find_upload(self, image_id: UUID) -> Image:
        """The image as it was uploaded, without its outcome. Raises NotFoundError."""
        try:
            stored = self.originals.head(original_key(image_id))
        except NotFoundError:
            raise unknown_image(image_id) from None
        return from_metadata(image_id, live(stored, image_id), ImageStatus.QUEUED)

    def find_in_vain(self, image_id: UUID, found: ImageStatus | None) -> None:
        """Make the requests that `find` would make for an unknown image and has not made yet.

        The response then takes as long for another owner's image, or a deleted one (None), as for
        an unknown image, so that its time does not reveal which it is.
        """
        if found is ImageStatus.QUEUED:
            return
        if found is not ImageStatus.FAILED:
            or_none(self.results.get, failure_key(image_id))
        or_none(self.originals.head, original_key(image_id))

    def delete(self, image_id: UUID) -> None:
        """Erase original, result and failure record. Safe to repeat; repeat it when interrupted.

        The deletion mark replaces the result first: from then on the image is unknown to clients,
        and no worker can store anything for it. The original of another image or owner stays.
        """
        holder = self._holders.find(image_id)
        key = holder.key or original_key(image_id)
        mark = DELETED | as_metadata(key=key, owner=holder.owner)
        self.results.put(processed_key(image_id), b"", content_type=PNG, metadata=mark)
        if self._may_erase(key, image_id, holder.owner):
            mark = DELETED | as_metadata(key=None, owner=holder.owner)
            self.originals.put(key, b"", content_type=PNG, metadata=mark)
        self.results.delete(failure_key(image_id))

    def _may_erase(self, key: str, image_id: UUID, owner: str | None) -> bool:
        if names_another(key, image_id):
            return False
        stored = or_none(self.originals.head, key)
        if stored is None:
            # A deletion mark in place of the original stops the worker before it computes.
            return key == original_key(image_id)
        return owner_of(stored) in (None, owner)

    def open_original(
        self, image_id: UUID, *, head: bool = False, admit: Admit | None = None
    ) -> StoredObject:
        """The PNG as it was uploaded, without its data if *head*. Raises NotFoundError.

        *admit* is called with the size before the data is fetched; an exception from it propagates.
        """
        key = original_key(image_id)
        try:
            return _open(self.originals, key, image_id, head=head, admit=admit)
        except NotFoundError:
            own_key = self._holders.find(image_id).key or key
        if own_key == key or names_another(own_key, image_id):
            raise unknown_image(image_id)
        return _open(self.originals, own_key, image_id, head=head, admit=admit)

    def open_processed(
        self, image_id: UUID, *, head: bool = False, admit: Admit | None = None
    ) -> StoredObject:
        """The black-and-white page; *head* and *admit* as in `open_original`.

        Raises:
            NotReadyError: the image is queued or being processed.
            ProcessingFailedError: the image has a failure record instead.
            NotFoundError: the image is unknown.
        """
        try:
            return _open(self.results, processed_key(image_id), image_id, head=head, admit=admit)
        except NotFoundError:
            image = self.find(image_id)
        if image.status is ImageStatus.FAILED and image.error:
            raise ProcessingFailedError(image.error.detail, reason=image.error.code)
        raise NotReadyError(f"Image {image_id} is still {image.status}.")

    def check(self) -> None:
        """Raise StorageUnavailableError unless both buckets answer."""
        self.originals.check()
        self.results.check()


def _open(
    bucket: Bucket, key: str, image_id: UUID, *, head: bool, admit: Admit | None
) -> StoredObject:
    return live(bucket.head(key) if head else bucket.get(key, admit=admit), image_id)
