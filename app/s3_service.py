"""Keep objects in S3 buckets, and the images in two of them.

IAM: s3:GetObject and s3:PutObject on the objects, s3:ListBucket on the bucket. Without
s3:ListBucket S3 answers 403 instead of 404 for a missing key, and an image that is merely
unknown would look like an outage.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from . import aws
from .domain import StoredObject
from .errors import NotFoundError, StorageUnavailableError
from .image_store import ImageStore
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: HEAD has no body, so a missing key is "404" there and "NoSuchKey" on GET.
_MISSING: Final = frozenset(("404", "NoSuchKey"))
#: 412: the key is taken. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_TAKEN: Final = "PreconditionFailed"


def make_image_store(settings: Settings) -> ImageStore:
    """The image store of the two buckets that *settings* name."""
    client = aws.s3_client(settings)
    return ImageStore(
        originals=S3Bucket(client, settings.input_bucket),
        results=S3Bucket(client, settings.processed_bucket),
    )


class S3Bucket:
    """A `domain.Bucket` on S3. Thread-safe; connects with the first call."""

    def __init__(self, client: S3Client, name: str) -> None:
        self._client = client
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        return self._put(key, data, content_type, metadata)

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        try:
            return self._put(key, data, content_type, metadata, IfNoneMatch="*")
        except _KeyTakenError:
            return None

    def get(self, key: str) -> StoredObject:
        with self._translated(key):
            answer = self._client.get_object(Bucket=self._name, Key=key)
            return _stored(key, answer, answer["Body"].read())

    def head(self, key: str) -> StoredObject:
        with self._translated(key):
            return _stored(key, self._client.head_object(Bucket=self._name, Key=key))

    def check(self) -> None:
        try:
            with self._translated(""):
                self._client.head_bucket(Bucket=self._name)
        except NotFoundError:
            raise StorageUnavailableError(f"There is no bucket {self._name}.") from None

    def _put(
        self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str], **extra: Any
    ) -> StoredObject:
        with self._translated(key):
            answer = self._client.put_object(
                Bucket=self._name,
                Key=key,
                Body=data,
                ContentType=content_type,
                Metadata=dict(metadata),
                **extra,
            )
        return StoredObject(key, metadata, len(data), _expires_at(answer))

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            code = exc.response["Error"]["Code"]
            if code in _MISSING:
                raise NotFoundError(f"There is no {self._name}/{key}.") from None
            if code == _TAKEN:
                raise _KeyTakenError from None
            raise StorageUnavailableError(f"S3 answered {code} for {self._name}/{key}.") from exc
        except (BotoCoreError, HTTPError) as exc:
            raise StorageUnavailableError(f"S3 did not answer for {self._name}/{key}.") from exc


class _KeyTakenError(Exception):
    """The key of a conditional write is taken."""


def _stored(key: str, answer: Mapping[str, Any], data: bytes = b"") -> StoredObject:
    return StoredObject(key, answer["Metadata"], answer["ContentLength"], _expires_at(answer), data)


def _expires_at(answer: Mapping[str, Any]) -> datetime | None:
    """Read x-amz-expiration, by which S3 says when a lifecycle rule will remove the object."""
    found = re.search(r'expiry-date="([^"]+)"', answer.get("Expiration", ""))
    return parsedate_to_datetime(found[1]).astimezone(UTC) if found else None
