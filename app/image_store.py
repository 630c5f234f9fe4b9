"""Know an image from what lies in the two buckets: keys, metadata and state.

S3 is the only record, there is no database. A result beats a failure record, which beats the
original; none of them means that nobody knows the image. A deleted image leaves a mark of no bytes
in place of its result: a worker that has the image in hand finds the key taken and stores nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from .domain import (
    Announcement,
    Bucket,
    Image,
    ImageStatus,
    Job,
    Listed,
    Message,
    StoredObject,
    deduplication_id,
    message_group,
)
from .errors import ImageDeletedError, NotFoundError, NotReadyError, ProcessingFailedError
from .filenames import clean_filename

PNG: Final = "image/png"
JSON: Final = "application/json"
#: S3 takes 2 KB of metadata an object, names and values together.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAX_METADATA_BYTES: Final = 2048
_FAILURES: Final = "failures/"
#: The metadata of what stands in place of a deleted image.
_DELETED: Final = {"deleted": "true"}
#: A UUID as our keys have it.
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AFTER_ALL_IDS: Final = "~"


def original_key(image_id: UUID) -> str:
    return f"{image_id}.png"


def processed_key(image_id: UUID) -> str:
    return f"{image_id}.png"


def failure_key(image_id: UUID) -> str:
    return f"{_FAILURES}{image_id}.json"


def original_href(image_id: UUID) -> str:
    return f"/images/{image_id}/original"


def processed_href(image_id: UUID) -> str:
    return f"/images/{image_id}/processed"


@dataclass(frozen=True)
class ImageStore:
    """Originals in one bucket, results and failure records in the other.

    Whatever reads an image raises ImageDeletedError once it is deleted.
    """

    originals: Bucket
    results: Bucket

    def put_original(self, image: Image, data: bytes) -> Image | None:
        """Store what was uploaded, once; returns *image* with its expiry, None if it was there."""
        stored = self.originals.put_once(
            original_key(image.image_id),
            data,
            content_type=PNG,
            metadata=_with_ignored(_to_metadata(image), image.ignored),
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
            group=message_group(image.image_id, image.group),
            deduplication_id=deduplication_id(image.image_id, job.redrive),
        )

    def get_original(self, job: Job) -> tuple[Image, bytes]:
        """What is known of the image of *job*, and its bytes. Raises NotFoundError."""
        stored = _live(self.originals.get(job.key), job.image_id)
        image = _from_metadata(job.image_id, stored, ImageStatus.QUEUED)
        # The message says what is asked for; the metadata can be missing or older.
        asked = job.model_dump(include={*_ASKED, "uploaded_at"})
        known = {name: value for name, value in asked.items() if value}
        return image.model_copy(update=known), stored.data

    def put_processed(self, image: Image, data: bytes, job: Job) -> Announcement:
        """Store a result once; returns the announcement of the result that is stored.

        A result that is there already stays: it can be our own, stored by a request whose
        answer was lost.
        """
        stored = self.results.put_once(
            processed_key(image.image_id),
            data,
            content_type=PNG,
            metadata=_with_ignored(
                _to_metadata(image) | {"original-key": quote(job.key)}, image.ignored
            ),
        )
        if stored is None:
            return self.find_finished_job(job)
        image = image.model_copy(update={"expires_at": stored.expires_at})
        return self._announcement(image, job.key, redrive=job.redrive)

    def put_failure(self, image: Image, job: Job | None) -> Announcement:
        """Store the record of a failure, unless there is a result; returns what to announce."""
        redrive = job.redrive if job else 0
        try:
            return _of_round(self._find_processed(image.image_id), redrive)
        except NotFoundError:
            record = self._announcement(image, job.key if job else None, redrive=redrive)
        stored = self.results.put(
            failure_key(image.image_id),
            record.to_json().encode(),
            content_type=JSON,
            metadata={},
        )
        self._take_back_if_deleted(image.image_id)
        return record.model_copy(update={"expires_at": stored.expires_at})

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
            record = self.results.get(failure_key(image_id))
        announcement = Announcement.model_validate_json(record.data)
        return announcement.model_copy(update={"expires_at": record.expires_at})

    def find_finished_job(self, job: Job) -> Announcement:
        """What to announce of *job*, when it is finished. Raises NotFoundError.

        A failure of an earlier round does not count: an operator has sent the job again.
        """
        finished = self.find_finished(job.image_id)
        if finished.status is ImageStatus.FAILED and finished.redrive != job.redrive:
            raise _unknown(job.image_id)
        return _of_round(finished, job.redrive)

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
            raise _unknown(image_id) from None
        return _from_metadata(image_id, _live(stored, image_id), ImageStatus.QUEUED)

    def delete(self, image_id: UUID) -> None:
        """Erase original, result and failure record. Safe to repeat, and to be repeated if cut.

        The mark on the result comes first: from then on nobody knows the image, and no worker
        can store anything for it.
        """
        key = self._key_of_original(image_id)
        mark = _DELETED | {"original-key": quote(key)}
        self.results.put(processed_key(image_id), b"", content_type=PNG, metadata=mark)
        self.originals.put(key, b"", content_type=PNG, metadata=_DELETED)
        self.results.delete(failure_key(image_id))

    def _key_of_original(self, image_id: UUID) -> str:
        """Other producers choose their own; it stands with the result, or with its mark."""
        try:
            return _key_in(self.results.head(processed_key(image_id)).metadata, image_id)
        except NotFoundError:
            pass
        try:
            finished = self.find_finished(image_id)
        except NotFoundError:
            return original_key(image_id)
        return finished.original.key if finished.original else original_key(image_id)

    def orphans(self, *, before: datetime) -> Iterator[UUID]:
        """The images that were stored *before* and of which nothing else is known.

        Three listings are walked side by side, as each is ordered by key; nothing is collected.
        """
        results = _Walk(_ids(self.results.list(), suffix=".png"))
        failures = _Walk(_ids(self.results.list(_FAILURES), prefix=_FAILURES, suffix=".json"))
        for image_id, stored_at in _ids(self.originals.list(), suffix=".png"):
            is_finished = results.has(image_id) or failures.has(image_id)
            if stored_at < before and not is_finished:
                yield UUID(image_id)

    def open_original(self, image_id: UUID, *, head: bool = False) -> StoredObject:
        """The PNG as it was sent, or its *head* alone. Raises NotFoundError."""
        key = original_key(image_id)
        try:
            return _open(self.originals, key, image_id, head=head)
        except NotFoundError:
            own_key = self._key_of_original(image_id)
        if own_key == key:
            raise _unknown(image_id)
        return _open(self.originals, own_key, image_id, head=head)

    def open_processed(self, image_id: UUID, *, head: bool = False) -> StoredObject:
        """The black-and-white page, or its *head* alone.

        Raises:
            NotReadyError: the image waits or is being processed.
            ProcessingFailedError: there is a failure record instead.
            NotFoundError: nobody knows the image.
        """
        try:
            return _open(self.results, processed_key(image_id), image_id, head=head)
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
        stored = _live(self.results.head(processed_key(image_id)), image_id)
        image = _from_metadata(image_id, stored, ImageStatus.PROCESSED)
        return self._announcement(image, _key_in(stored.metadata, image_id))

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


def _open(bucket: Bucket, key: str, image_id: UUID, *, head: bool) -> StoredObject:
    return _live(bucket.head(key) if head else bucket.get(key), image_id)


def _key_in(metadata: Mapping[str, str], image_id: UUID) -> str:
    """The key of the original that a result, or the mark in its place, says it had."""
    return unquote(metadata.get("original-key", "")) or original_key(image_id)


def _live(stored: StoredObject, image_id: UUID) -> StoredObject:
    """*stored*, unless it is the mark of a deleted image."""
    if _DELETED.items() <= stored.metadata.items():
        raise ImageDeletedError(f"Image {image_id} was deleted.")
    return stored


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


def _unknown(image_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no image {image_id}; it is unknown, deleted or expired.")


def owner_of(stored: StoredObject) -> str | None:
    """The name of the token that sent the original that *stored* is, or was made from."""
    return stored.metadata.get("owner")


def filename_of(stored: StoredObject) -> str | None:
    """What the client called the original that *stored* is, or was made from."""
    # Cleaned again, since other producers and earlier versions have written it, too.
    return clean_filename(unquote(stored.metadata.get("original-filename", "")))


# --- metadata: ASCII values under "section-field"; what is unknown is left out ------------------

_SECTIONS: Final = ("original", "processed")
#: What an upload asks for, and who.
_ASKED: Final = frozenset(("method", "parameters", "group", "owner"))
_NOT_METADATA: Final = {
    "image_id", "status", "expires_at", "error", "parameters", "ignored", *_SECTIONS
}  # fmt: skip


def _to_metadata(image: Image) -> dict[str, str]:
    content = image.model_dump(mode="json", by_alias=True)
    flat = {name: value for name, value in content.items() if name not in _NOT_METADATA}
    for section in _SECTIONS:
        about = content[section] or {}
        flat |= {f"{section}-{name}": about[name] for name in about if name != "href"}
    flat["owner"] = image.owner
    flat["parameters"] = json.dumps(image.parameters, separators=(",", ":"))
    name = clean_filename(flat.get("original-filename") or "")
    flat["original-filename"] = quote(name, safe="") if name else None
    return {k.replace("_", "-"): str(v) for k, v in flat.items() if v is not None}


def _with_ignored(metadata: dict[str, str], lines: Sequence[str]) -> dict[str, str]:
    """*metadata* with as many of *lines* as S3 has room for, and a last one if there are more."""
    taken = sum(len(name) + len(value) for name, value in metadata.items()) + len("ignored")
    for count in range(len(lines), 0, -1):
        kept = [*lines[:count], *(["and more"] if count < len(lines) else [])]
        value = json.dumps(kept, separators=(",", ":"))
        if taken + len(value) <= MAX_METADATA_BYTES:
            return metadata | {"ignored": value}
    return metadata


def _from_metadata(image_id: UUID, stored: StoredObject, status: ImageStatus) -> Image:
    try:
        return _read_metadata(image_id, stored, stored.metadata, status)
    except ValueError:
        # Somebody else's object: metadata of the same names with another meaning. The image
        # counts, what is said about it does not.
        return _read_metadata(image_id, stored, {}, status)


def _read_metadata(
    image_id: UUID, stored: StoredObject, metadata: Mapping[str, str], status: ImageStatus
) -> Image:
    flat: dict[str, Any] = {k.replace("-", "_"): v for k, v in metadata.items()}
    original = _section(flat, "original") | {"href": original_href(image_id)}
    original["filename"] = filename_of(stored)
    if status is ImageStatus.QUEUED:
        original["bytes"] = stored.size_bytes
    processed = {"bytes": stored.size_bytes} | _section(flat, "processed")
    processed["href"] = processed_href(image_id)
    content = flat | {
        "image_id": image_id,
        "status": status,
        "parameters": json.loads(flat.get("parameters", "{}")),
        "ignored": json.loads(flat.get("ignored", "[]")),
        "expires_at": stored.expires_at,
        "original": original,
        "processed": processed if status is ImageStatus.PROCESSED else None,
        "error": None,
    }
    return Image.model_validate(content)


def _section(flat: Mapping[str, Any], section: str) -> dict[str, Any]:
    prefix = section + "_"
    return {k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)}
