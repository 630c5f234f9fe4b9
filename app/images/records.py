"""Store and find the outcome of each image: its result or its failure record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ..domain.keys import aside_key, failure_key, original_key, processed_key
from ..domain.messages import Announcement, Job, failure_digest
from ..domain.ports import Bucket, StoredObject
from ..domain.representation import Image, ImageStatus
from ..errors import ImageDeletedError, ImageIdTakenError, NotFoundError, unknown_image
from .holders import Holders, live, read_record
from .metadata import from_metadata, to_metadata
from .ownership import Claim, as_metadata, key_in

PNG: Final = "image/png"
JSON: Final = "application/json"


@dataclass(frozen=True)
class Records:
    """Results and failure records, in the bucket *results*; a result overrides a failure.

    Every method that reads an image raises ImageDeletedError once the image is deleted.
    """

    originals: Bucket
    results: Bucket

    @property
    def _holders(self) -> Holders:
        return Holders(self.originals, self.results)

    def put_processed(self, image: Image, data: bytes, job: Job) -> Announcement:
        """Store a result once; returns the announcement of the stored result.

        An existing result stays: it can be this worker's own, when the response of S3 was lost.
        """
        stored = self.results.put_once(
            processed_key(image.image_id),
            data,
            content_type=PNG,
            metadata=to_metadata(image, job.key),
        )
        if stored is None:
            return self.find_of_job(job)
        image = image.model_copy(update={"expires_at": stored.expires_at})
        return self.announcement(image, job.key, redrive=job.redrive)

    def put_failure(self, image: Image, job: Job | Claim) -> Announcement:
        """Store a failure record, unless there is a result; returns the announcement.

        An invalid claim gets a record under a key of its own, without any data of the image.
        """
        claim = Claim.of(job) if isinstance(job, Job) else job
        try:
            result = self._holders.check(claim)
            if result:
                return _of_round(self._read_result(image.image_id, result), claim.redrive)
            return self._put_record(image, claim)
        except ImageIdTakenError:
            return self._put_aside_record(image, claim)

    def _put_record(self, image: Image, claim: Claim) -> Announcement:
        record = self.announcement(image, claim.key, redrive=claim.redrive)
        key, data = failure_key(image.image_id), record.to_json().encode()
        metadata = as_metadata(key=claim.key, owner=record.owner, digest=claim.digest)
        stored = self.results.put_once(key, data, content_type=JSON, metadata=metadata)
        if stored is None:
            # The existing record is from an earlier attempt or redrive, or appeared just now.
            self._holders.check(claim)
            stored = self.results.put(key, data, content_type=JSON, metadata=metadata)
        self._withdraw_if_deleted(image.image_id)
        return record.model_copy(update={"expires_at": stored.expires_at})

    def _put_aside_record(self, image: Image, claim: Claim) -> Announcement:
        bare = image.model_copy(update={"original": None, "owner": claim.owner})
        record = self.announcement(bare, None, redrive=claim.redrive)
        key = aside_key(image.image_id, failure_digest(record))
        metadata = as_metadata(key=claim.key, owner=claim.owner, digest=claim.digest)
        self.results.put(key, record.to_json().encode(), content_type=JSON, metadata=metadata)
        return record

    def _withdraw_if_deleted(self, image_id: UUID) -> None:
        # The image may have been deleted since the check; its record would remain.
        try:
            self._find_processed(image_id)
        except NotFoundError:
            return
        except ImageDeletedError:
            self.results.delete(failure_key(image_id))
            raise

    def find(self, image_id: UUID) -> Announcement:
        """The announcement of a processed or failed image. Raises NotFoundError."""
        try:
            return self._find_processed(image_id)
        except NotFoundError:
            return read_record(self.results.get(failure_key(image_id)))

    def find_of_job(self, job: Job) -> Announcement:
        """The announcement of the outcome of *job*.

        A failure from before a redrive does not count: an operator has sent the job again.

        Raises:
            NotFoundError: *job* has no outcome yet.
            ImageIdTakenError: the outcome under its image id belongs to another original or owner.
        """
        result = self._holders.check_result(Claim.of(job))
        if result:
            return _of_round(self._read_result(job.image_id, result), job.redrive)
        failed = read_record(self._holders.check_record(Claim.of(job)))
        if failed.redrive != job.redrive:
            raise unknown_image(job.image_id)
        return failed

    def _find_processed(self, image_id: UUID) -> Announcement:
        return self._read_result(image_id, self.results.head(processed_key(image_id)))

    def _read_result(self, image_id: UUID, stored: StoredObject) -> Announcement:
        image = from_metadata(image_id, live(stored, image_id), ImageStatus.PROCESSED)
        return self.announcement(image, key_in(stored.metadata) or original_key(image_id))

    def announcement(self, image: Image, key: str | None, *, redrive: int = 0) -> Announcement:
        """*image* with the buckets and keys of its objects, for consumers that read S3."""
        content: dict[str, Any] = image.model_dump(by_alias=True)
        if image.original and key:
            content["original"] |= {"bucket": self.originals.name, "key": key}
        if image.processed:
            place = {"bucket": self.results.name, "key": processed_key(image.image_id)}
            content["processed"] |= place
        return Announcement.model_validate(content | {"owner": image.owner, "redrive": redrive})


def _of_round(announcement: Announcement, redrive: int) -> Announcement:
    return announcement.model_copy(update={"redrive": redrive})
