"""The owners of objects and image ids, and the claims of messages (docs/decisions/0024)."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, unquote
from uuid import NAMESPACE_OID, UUID, uuid5

from ..domain import bodies
from ..domain.keys import fits_s3, spellings
from ..domain.messages import MAX_REDRIVE, Job
from ..domain.ports import Delivery, StoredObject
from ..domain.representation import GROUP_PATTERN, OWNER_PATTERN

_KEY: Final = "original-key"
_KEY_BASE64: Final = "original-key-base64"
_MESSAGE: Final = "message"
_OWNER: Final = "owner"
#: Percent-encoding triples a key of 1,024 bytes, and S3 limits all metadata to 2 KB.
_MAX_QUOTED: Final = 1024


def owner_of(stored: StoredObject) -> str | None:
    """The name of the token that uploaded the original, from the metadata of any of its objects."""
    return stored.metadata.get(_OWNER) or None


def may_claim(claimed: str | None, owner: str | None) -> bool:
    """Whether a message that names the owner *claimed* may use an object of *owner*.

    A message without an owner may use every object, and every message may use an object without an
    owner: producers with write access to the queue are trusted this far.
    """
    return claimed is None or owner is None or claimed == owner


@dataclass(frozen=True)
class Claim:
    """The image, original and owner that a message names; parts of an invalid message are None."""

    image_id: UUID
    #: The key of an object in the input bucket.
    key: str | None = None
    owner: str | None = None
    group: str | None = None
    redrive: int = 0
    #: Digest of the message body; distinguishes messages without a key.
    digest: str | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(job.image_id, job.key, job.owner, job.group, job.redrive)

    @classmethod
    def read(cls, delivery: Delivery, bucket: str) -> Self:
        """The claim of a message that is not a valid job, or is a job for another bucket."""
        fields = bodies.fields_of(delivery.body)
        is_here = fields.get("bucket") == bucket
        digest = hashlib.sha256(delivery.body.encode(errors="replace")).hexdigest()[:32]
        return cls(
            bodies.image_named_in(delivery.body) or _uuid_of(delivery.message_id),
            _key_of(fields) if is_here else None,
            _text(fields.get("owner"), OWNER_PATTERN),
            _text(fields.get("group"), GROUP_PATTERN),
            _round(fields.get("redrive")),
            digest,
        )


@dataclass(frozen=True)
class Holder:
    """The original and the owner that hold an image id."""

    key: str | None
    owner: str | None
    #: Digest of the message that failed, if it named no key.
    digest: str | None = None

    @classmethod
    def of(cls, stored: StoredObject, *, key: str | None = None, owner: str | None = None) -> Self:
        """The holder named by a result, deletion mark, failure record or original."""
        found = stored.metadata
        return cls(key_in(found) or key, owner_of(stored) or owner, found.get(_MESSAGE))

    def admits(self, claim: Claim) -> bool:
        """Whether *claim* names the same original and a permitted owner."""
        return may_claim(claim.owner, self.owner) and self._has_original_of(claim)

    def _has_original_of(self, claim: Claim) -> bool:
        if self.key is not None:
            return claim.key is not None and self.key in spellings(claim.key, claim.image_id)
        # The record of an unreadable message only blocks other unreadable messages.
        return claim.key is not None or self.digest in (None, claim.digest)


def as_metadata(
    *, key: str | None, owner: str | None = None, digest: str | None = None
) -> dict[str, str]:
    """The metadata that `Holder.of` reads."""
    found = {_OWNER: owner, _MESSAGE: digest if key is None else None}
    known = {name: value for name, value in found.items() if value}
    if key is None:
        return known
    quoted = quote(key)
    if len(quoted) <= _MAX_QUOTED:
        return known | {_KEY: quoted}
    return known | {_KEY_BASE64: urlsafe_b64encode(key.encode()).decode()}


def key_in(metadata: Mapping[str, str]) -> str | None:
    """The key of the original in *metadata*, as `as_metadata` writes it; None without."""
    if encoded := metadata.get(_KEY_BASE64):
        try:
            return urlsafe_b64decode(encoded).decode()
        except ValueError:
            return None
    return unquote(metadata.get(_KEY, "")) or None


def _uuid_of(message_id: str) -> UUID:
    """*message_id* as a UUID; emulators of SQS may use ids of another form."""
    try:
        return UUID(message_id)
    except ValueError:
        return uuid5(NAMESPACE_OID, message_id)


def _text(value: Any, pattern: str) -> str | None:
    if not (isinstance(value, str) and re.fullmatch(pattern, value)):
        return None
    return None if any("\ud800" <= c <= "\udfff" for c in value) else value


def _key_of(fields: Mapping[str, Any]) -> str | None:
    key = _text(fields.get("key"), r"(?s).+")
    return key if key and fits_s3(key) else None


def _round(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value <= MAX_REDRIVE else 0
