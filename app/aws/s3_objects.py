"""Access to the objects of one bucket, by obstore or, for some keys, by boto3.

obstore takes a sixth of boto3's CPU time per call, but cannot express every S3 key as a path.
Neither class counts calls, repeats them or translates errors: `s3_service` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import obstore
from botocore.exceptions import ClientError
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from ..domain.ports import Admit, Listed, StoredObject
from ..domain.representation import now
from ..settings import Settings
from . import clients as aws
from .faults import Place

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: The exceptions of obstore; FileNotFoundError stands for a missing key or a missing bucket.
OBSTORE_ERRORS: Final = (BaseError, FileNotFoundError)
#: Keys without an empty segment, a segment `.` or `..`, or a control character.
_PLAIN_KEY: Final = re.compile(
    r"(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+(/(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+)*"
)

#: A function from the time an object is stored to its expiry; None for never.
Expiry = Callable[[datetime], datetime | None]


class TakenError(Exception):
    """The key has an object already."""


class Objects(Protocol):
    """The operations on one object."""

    @property
    def deletion(self) -> str:
        """The S3 operation that `delete` calls."""

    def get(self, key: str, admit: Admit | None) -> StoredObject: ...

    def head(self, key: str) -> StoredObject: ...

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        is_once: bool,
    ) -> StoredObject:
        """Store an object. Raises TakenError if *is_once* and the key has one already."""

    def delete(self, key: str) -> None: ...


def is_plain(key: str) -> bool:
    """Whether obstore can express *key* as a path, unchanged."""
    return bool(_PLAIN_KEY.fullmatch(key))


class PlainObjects:
    """The objects under plain keys, by obstore."""

    #: obstore has no DeleteObject; the permission is s3:DeleteObject for both.
    deletion = "DeleteObjects"

    def __init__(self, settings: Settings, bucket: str, expiry: Expiry) -> None:
        self._settings, self._bucket, self._expiry = settings, bucket, expiry

    def get(self, key: str, admit: Admit | None) -> StoredObject:
        found = obstore.get(self._store, key)
        if admit:
            admit(found.meta["size"])
        return self._stored(key, found, bytes(found.bytes()))

    def head(self, key: str) -> StoredObject:
        return self._stored(key, obstore.get(self._store, key, options={"head": True}))

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        is_once: bool,
    ) -> StoredObject:
        try:
            answer = obstore.put(
                self._store,
                key,
                data,
                attributes={"Content-Type": content_type, **metadata},
                mode="create" if is_once else "overwrite",
                use_multipart=False,
            )
        except AlreadyExistsError as exc:
            raise TakenError(key) from exc
        return StoredObject(key, metadata, len(data), answer["e_tag"] or "", self._expiry(now()))

    def delete(self, key: str) -> None:
        obstore.delete(self._store, key)

    @cached_property
    def _store(self) -> S3Store:
        # Created by the first call: finding credentials can need a request to the metadata service.
        return aws.object_store(self._settings, self._bucket)

    def _stored(self, key: str, found: obstore.GetResult, data: bytes = b"") -> StoredObject:
        metadata = {k: v for k, v in found.attributes.items() if k != "Content-Type"}
        meta = found.meta
        expires_at = self._expiry(meta["last_modified"])
        return StoredObject(key, metadata, meta["size"], meta["e_tag"] or "", expires_at, data)


class OddObjects:
    """The objects under any key, the listing and the bucket itself, by boto3."""

    deletion = "DeleteObject"

    def __init__(self, settings: Settings, bucket: str, expiry: Expiry) -> None:
        self._client: S3Client = aws.s3_client(settings)
        self._bucket, self._expiry = bucket, expiry

    @property
    def region(self) -> str:
        """The region of the client."""
        return self._client.meta.region_name

    def get(self, key: str, admit: Admit | None) -> StoredObject:
        found = self._client.get_object(Bucket=self._bucket, Key=key)
        if admit:
            admit(found["ContentLength"])
        expires_at = self._expiry(found["LastModified"])
        data, etag = found["Body"].read(), found["ETag"]
        return StoredObject(key, found["Metadata"], len(data), etag, expires_at, data)

    def head(self, key: str) -> StoredObject:
        found = self._client.head_object(Bucket=self._bucket, Key=key)
        expires_at = self._expiry(found["LastModified"])
        size_bytes, etag = found["ContentLength"], found["ETag"]
        return StoredObject(key, found["Metadata"], size_bytes, etag, expires_at)

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        is_once: bool,
    ) -> StoredObject:
        once: Any = {"IfNoneMatch": "*"} if is_once else {}
        about: Any = {"ContentType": content_type, "Metadata": metadata, **once}
        try:
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **about)
        except ClientError as exc:
            if exc.response["Error"]["Code"] == "PreconditionFailed":
                raise TakenError(key) from exc
            raise
        return StoredObject(key, metadata, len(data), answer["ETag"], self._expiry(now()))

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def page(self, prefix: str, token: str | None) -> tuple[list[Listed], str | None]:
        """Up to 1,000 objects, and the token of the next page if there is one.

        Uses boto3, because obstore's listing fails at the first odd key and shows `/x` as `x`.
        """
        later: Any = {} if token is None else {"ContinuationToken": token}
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **later)
        objects = found.get("Contents", [])
        listed = [Listed(each["Key"], each["LastModified"].astimezone(UTC)) for each in objects]
        return listed, found.get("NextContinuationToken")

    def find_region(self) -> str | None:
        """The region of the bucket, None if S3 does not send it; raises without access to it."""
        return aws.head_bucket(self._client, self._bucket)

    def place(self, what: str) -> Place:
        """The endpoint of the calls, for an error sentence about *what*."""
        return aws.place(self._client, what)
