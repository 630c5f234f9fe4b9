"""Know an image from what lies in the two buckets: keys, metadata and state.

S3 is the only record, there is no database. A result beats a failure record, which beats the
original; none of them means that nobody knows the image. A deleted image leaves a mark of no bytes
in place of its result: a worker that has the image in hand finds the key taken and stores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from .errors import (
    ForeignOriginalError,
    ImageDeletedError,
    ImageIdTakenError,
    NotFoundError,
    NotReadyError,
    ProcessingFailedError,
    unknown_image,
)
from .holders import DELETED, Holders, is_mark, live, or_none, read_record
from .messages import Announcement, Job, deduplication_id, failure_digest, message_group
from .object_keys import (
    FAILURES,
    aside_key,
    failure_key,
    names_another,
    original_key,
    processed_key,
    spellings,
)
from .object_metadata import from_metadata, to_metadata
from .ownership import Claim, as_metadata, key_in, may_claim, owner_of
from .ports import Admit, Bucket, Listed, Message, StoredObject
from .representation import Image, ImageStatus

PNG: Final = "image/png"
JSON: Final = "application/json"
#: A UUID as our keys have it.
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AFTER_ALL_IDS: Final = "~"
#: What an upload asks for, and who.
_ASKED: Final = frozenset(("method", "parameters", "group", "owner"))


@dataclass(frozen=True)
class Fetched:
    """An original: its job under the key where it was found, what is known of it, its bytes."""

    job: Job
    image: Image
    data: bytes


@dataclass(frozen=True)
class ImageStore:
    """Originals in one bucket, results and failure records in the other.

    Whatever reads an image raises ImageDeletedError once it is deleted.
    """

    originals: Bucket
    results: Bucket

    @property
    def _holders(self) -> Holders:
        return Holders(self.originals, self.results)

    def put_original(self, image: Image, data: bytes) -> Image | None:
        """Store what was uploaded, once; returns *image* with its expiry, None if it was there."""
        stored = self.originals.put_once(
            original_key(image.image_id), data, content_type=PNG, metadata=to_metadata(image)
        )
        if stored is None:
            return None
        return image.model_copy(update={"expires_at": stored.expires_at})

    def job_message(self, image: Image) -> Message:
        """The message that asks for the processing of *image*, whose original is stored."""
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
        return Message(
            job.to_json(),
            group=message_group(image.image_id, image.group, image.owner),
            deduplication_id=deduplication_id(image.image_id, job.redrive),
        )

    def get_original(self, job: Job) -> Fetched:
        """The original of *job* and what is known of it.

        Raises:
            NotFoundError: there is none.
            ForeignOriginalError: it has an owner, and the job claims another.
            ImageIdTakenError: the job's image has another original, or another owner.
        """
        # What the API has stored needs no look: the key is the image's own.
        if job.key != original_key(job.image_id):
            self._holders.check(Claim.of(job))
        stored = self._original_of(job)
        if job.owner and not owner_of(stored):
            self._holders.check(Claim.of(job))
        image = from_metadata(job.image_id, stored, ImageStatus.QUEUED)
        # The message says what is asked for; the metadata can be missing or older.
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

    def put_processed(self, image: Image, data: bytes, job: Job) -> Announcement:
        """Store a result once; returns the announcement of the result that is stored.

        A result that is there already stays: it can be our own, stored by a request whose
        answer was lost.
        """
        stored = self.results.put_once(
            processed_key(image.image_id),
            data,
            content_type=PNG,
            metadata=to_metadata(image, job.key),
        )
        if stored is None:
            return self.find_finished_job(job)
        image = image.model_copy(update={"expires_at": stored.expires_at})
        return self._announcement(image, job.key, redrive=job.redrive)

    def put_failure(self, image: Image, job: Job | Claim) -> Announcement:
        """Store the record of a failure, unless there is a result; returns what to announce.

        What has no right to the image is recorded beside it, with nothing of it.
        """
        claim = Claim.of(job) if isinstance(job, Job) else job
        try:
            result = self._holders.check(claim)
            if result:
                return _of_round(self._read_result(image.image_id, result), claim.redrive)
            return self._put_record(image, claim)
        except ImageIdTakenError:
            return self._put_aside(image, claim)

    def _put_record(self, image: Image, claim: Claim) -> Announcement:
        record = self._announcement(image, claim.key, redrive=claim.redrive)
        key, data = failure_key(image.image_id), record.to_json().encode()
        metadata = as_metadata(key=claim.key, owner=record.owner, digest=claim.digest)
        stored = self.results.put_once(key, data, content_type=JSON, metadata=metadata)
        if stored is None:
            # Its own, of an earlier try or round, or somebody's who came since we looked.
            self._holders.check(claim)
            stored = self.results.put(key, data, content_type=JSON, metadata=metadata)
        self._take_back_if_deleted(image.image_id)
        return record.model_copy(update={"expires_at": stored.expires_at})

    def _put_aside(self, image: Image, claim: Claim) -> Announcement:
        bare = image.model_copy(update={"original": None, "owner": claim.owner})
        record = self._announcement(bare, None, redrive=claim.redrive)
        key = aside_key(image.image_id, failure_digest(record))
        metadata = as_metadata(key=claim.key, owner=claim.owner, digest=claim.digest)
        self.results.put(key, record.to_json().encode(), content_type=JSON, metadata=metadata)
        return record

    def _take_back_if_deleted(self, image_id: UUID) -> None:
        # It may have been deleted since we looked, and its record would be left behind.
        try:
            self._find_processed(image_id)
        except NotFoundError:
            return
        except ImageDeletedError:
            self.results.delete(failure_key(image_id))
            raise

    def find_finished(self, image_id: UUID) -> Announcement:
        """What to announce of an image that is processed or failed. Raises NotFoundError."""
        try:
            return self._find_processed(image_id)
        except NotFoundError:
            return read_record(self.results.get(failure_key(image_id)))

    def find_finished_job(self, job: Job) -> Announcement:
        """What to announce of *job*, when it is finished.

        A failure of an earlier round does not count: an operator has sent the job again.

        Raises:
            NotFoundError: it is not.
            ImageIdTakenError: what is finished under its id is another's.
        """
        result = self._holders.check_result(Claim.of(job))
        if result:
            return _of_round(self._read_result(job.image_id, result), job.redrive)
        failed = read_record(self._holders.check_record(Claim.of(job)))
        if failed.redrive != job.redrive:
            raise unknown_image(job.image_id)
        return failed

    def find(self, image_id: UUID) -> Image:
        """The representation of an image in whatever state. Raises NotFoundError."""
        try:
            finished = self.find_finished(image_id)
        except NotFoundError:
            return self.find_upload(image_id)
        return Image.model_validate(finished.model_dump(by_alias=True))

    def find_upload(self, image_id: UUID) -> Image:
        """The image as it was sent, whatever became of it since. Raises NotFoundError."""
        try:
            stored = self.originals.head(original_key(image_id))
        except NotFoundError:
            raise unknown_image(image_id) from None
        return from_metadata(image_id, live(stored, image_id), ImageStatus.QUEUED)

    def find_in_vain(self, image_id: UUID, found: ImageStatus | None) -> None:
        """Make the requests that `find` makes for an unknown image and has not made for this one.

        So that it takes as long to hear nothing of another's image, or of a deleted one (None).
        """
        if found is ImageStatus.QUEUED:
            return
        if found is not ImageStatus.FAILED:
            or_none(self.results.get, failure_key(image_id))
        or_none(self.originals.head, original_key(image_id))

    def delete(self, image_id: UUID) -> None:
        """Erase original, result and failure record. Safe to repeat, and to be repeated if cut.

        The mark on the result comes first: from then on nobody knows the image, and no worker
        can store anything for it. An original that is another image's or owner's stays.
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
            # A mark of its own tells the worker before it computes.
            return key == original_key(image_id)
        return owner_of(stored) in (None, owner)

    def orphans(self, *, before: datetime) -> Iterator[UUID]:
        """The images that were stored *before* and of which nothing else is known.

        Three listings are walked side by side, as each is ordered by key; nothing is collected.
        """
        results = _Walk(_ids(self.results.list(), suffix=".png"))
        failures = _Walk(_ids(self.results.list(FAILURES), prefix=FAILURES, suffix=".json"))
        for image_id, stored_at in _ids(self.originals.list(), suffix=".png"):
            is_finished = results.has(image_id) or failures.has(image_id)
            if stored_at < before and not is_finished:
                yield UUID(image_id)

    def open_original(
        self, image_id: UUID, *, head: bool = False, admit: Admit | None = None
    ) -> StoredObject:
        """The PNG as it was sent, or its *head* alone. Raises NotFoundError.

        *admit* is told the size before the data is fetched; what it raises is raised.
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
        """The black-and-white page, or its *head* alone; *admit* as in `open_original`.

        Raises:
            NotReadyError: the image waits or is being processed.
            ProcessingFailedError: there is a failure record instead.
            NotFoundError: nobody knows the image.
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

    def _find_processed(self, image_id: UUID) -> Announcement:
        return self._read_result(image_id, self.results.head(processed_key(image_id)))

    def _read_result(self, image_id: UUID, stored: StoredObject) -> Announcement:
        image = from_metadata(image_id, live(stored, image_id), ImageStatus.PROCESSED)
        return self._announcement(image, key_in(stored.metadata) or original_key(image_id))

    def _announcement(self, image: Image, key: str | None, *, redrive: int = 0) -> Announcement:
        """*image* with the buckets and keys of its objects, for readers of S3."""
        content: dict[str, Any] = image.model_dump(by_alias=True)
        if image.original and key:
            content["original"] |= {"bucket": self.originals.name, "key": key}
        if image.processed:
            place = {"bucket": self.results.name, "key": processed_key(image.image_id)}
            content["processed"] |= place
        return Announcement.model_validate(content | {"owner": image.owner, "redrive": redrive})


def _of_round(announcement: Announcement, redrive: int) -> Announcement:
    return announcement.model_copy(update={"redrive": redrive})


def _open(
    bucket: Bucket, key: str, image_id: UUID, *, head: bool, admit: Admit | None
) -> StoredObject:
    return live(bucket.head(key) if head else bucket.get(key, admit=admit), image_id)


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
