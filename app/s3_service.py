"""Keep objects in S3 buckets, and the images in two of them.

Objects travel through obstore, which costs a sixth of boto3's CPU time per call; the rest is
boto3's (docs/decisions/0010).

IAM: s3:GetObject, s3:PutObject and s3:DeleteObject on the objects, s3:ListBucket on the bucket.
Without s3:ListBucket S3 answers 403 instead of 404 for a missing key, and an image that is merely
unknown would look like an outage.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store
from urllib3.exceptions import HTTPError

from . import aws, tracing
from .aws_errors import fault_of, is_of_aws, quoted_code
from .aws_faults import Cause, Fault
from .errors import NotFoundError, PipelineError, StorageUnavailableError
from .image_store import ImageStore
from .metrics import AwsMetrics
from .ports import Admit, Listed, StoredObject
from .representation import now
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: HEAD has no body, so a missing key is "404" there and "NoSuchKey" on GET.
_MISSING: Final = frozenset(("404", "NoSuchKey"))
#: S3 has keys that obstore has no path for: with empty segments, dots for one, control characters.
_PLAIN_KEY: Final = re.compile(
    r"(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+(/(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+)*"
)
#: For clients, who learn no name and no endpoint.
_UNAVAILABLE: Final = "Storage is unavailable; try again later."


def make_image_store(settings: Settings, metrics: AwsMetrics) -> ImageStore:
    """The image store of the two buckets that *settings* name, whose calls *metrics* counts."""
    return ImageStore(
        originals=S3Bucket(settings, settings.input_bucket, metrics),
        results=S3Bucket(settings, settings.processed_bucket, metrics),
    )


class S3Bucket:
    """A `ports.Bucket` on S3. Thread-safe; connects with the first call."""

    def __init__(self, settings: Settings, name: str, metrics: AwsMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._client: S3Client = aws.s3_client(settings, metrics)
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        with self._translated(key):
            return self._put(key, data, content_type, metadata)

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        with self._translated(key):
            try:
                return self._put(key, data, content_type, metadata, is_once=True)
            except AlreadyExistsError:
                return None

    def get(self, key: str, *, admit: Admit | None = None) -> StoredObject:
        with self._translated(key):
            if not _PLAIN_KEY.fullmatch(key):
                return self._get_by_boto3(key, admit)
            with self._counted("GetObject", key):
                found = obstore.get(self._objects, key)
                if admit:
                    admit(found.meta["size"])
                return self._stored(key, found, bytes(found.bytes()))

    def head(self, key: str) -> StoredObject:
        with self._translated(key):
            if not _PLAIN_KEY.fullmatch(key):
                return self._head_by_boto3(key)
            with self._counted("HeadObject", key):
                return self._stored(key, obstore.get(self._objects, key, options={"head": True}))

    def delete(self, key: str) -> None:
        with self._translated(key):
            self._client.delete_object(Bucket=self._name, Key=key)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        with self._translated(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._name, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield Listed(found["Key"], found["LastModified"].astimezone(UTC))

    def check(self) -> None:
        with self._translated(None):
            found = aws.head_bucket(self._client, self._name)
        # boto3 goes on to the right region by itself, obstore does not. Emulators say anything.
        wanted = self._client.meta.region_name
        if found not in (None, wanted) and self._settings.aws_endpoint_url is None:
            raise self._unavailable(Fault(Cause.REGION, f"it is {found}"), None)

    @cached_property
    def _objects(self) -> S3Store:
        # Not at once: finding credentials can take a request to the machine's metadata service.
        return aws.object_store(self._settings, self._name)

    def _put(
        self,
        key: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        is_once: bool = False,
    ) -> StoredObject:
        if not _PLAIN_KEY.fullmatch(key):
            return self._put_by_boto3(key, data, content_type, metadata, is_once=is_once)
        with self._counted("PutObject", key):
            answer = obstore.put(
                self._objects,
                key,
                data,
                attributes={"Content-Type": content_type, **metadata},
                mode="create" if is_once else "overwrite",
                use_multipart=False,
            )
        etag = answer["e_tag"] or ""
        return StoredObject(key, metadata, len(data), etag, self._expiry(now()))

    def _stored(self, key: str, found: obstore.GetResult, data: bytes = b"") -> StoredObject:
        metadata = {k: v for k, v in found.attributes.items() if k != "Content-Type"}
        meta = found.meta
        expires_at = self._expiry(meta["last_modified"])
        return StoredObject(key, metadata, meta["size"], meta["e_tag"] or "", expires_at, data)

    def _get_by_boto3(self, key: str, admit: Admit | None) -> StoredObject:
        found = self._client.get_object(Bucket=self._name, Key=key)
        if admit:
            admit(found["ContentLength"])
        expires_at = self._expiry(found["LastModified"])
        data, etag = found["Body"].read(), found["ETag"]
        return StoredObject(key, found["Metadata"], len(data), etag, expires_at, data)

    def _head_by_boto3(self, key: str) -> StoredObject:
        found = self._client.head_object(Bucket=self._name, Key=key)
        expires_at = self._expiry(found["LastModified"])
        size_bytes, etag = found["ContentLength"], found["ETag"]
        return StoredObject(key, found["Metadata"], size_bytes, etag, expires_at)

    def _put_by_boto3(
        self,
        key: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        is_once: bool,
    ) -> StoredObject:
        once: Any = {"IfNoneMatch": "*"} if is_once else {}
        try:
            answer = self._client.put_object(
                Bucket=self._name,
                Key=key,
                Body=data,
                ContentType=content_type,
                Metadata=metadata,
                **once,
            )
        except ClientError as exc:
            if exc.response["Error"]["Code"] == "PreconditionFailed":
                raise AlreadyExistsError(key) from exc
            raise
        return StoredObject(key, metadata, len(data), answer["ETag"], self._expiry(now()))

    def _expiry(self, stored_at: datetime) -> datetime | None:
        """When the lifecycle rule removes the object: the next midnight, UTC, after its days.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
        """
        if not self._settings.retention_days:
            return None
        day = stored_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return day + timedelta(days=self._settings.retention_days + 1)

    @contextmanager
    def _counted(self, operation: str, key: str) -> Iterator[None]:
        """Count a call of obstore and give it a span, as `aws` does with those of boto3."""
        place = {"aws.s3.bucket": self._name, "aws.s3.key": key}
        span = tracing.call("s3", operation, place)
        with self._metrics.timed("s3", operation):
            try:
                yield
            except AlreadyExistsError:  # an answer, not an error
                raise
            except (BaseError, FileNotFoundError) as exc:  # the latter for a missing bucket, too
                if (code := quoted_code(exc)) not in _MISSING:
                    self._metrics.failed("s3", operation, code)
                    tracing.fail(code or "no-answer", span)
                raise
            finally:
                span.end()

    @contextmanager
    def _translated(self, key: str | None) -> Iterator[None]:
        """Raise our errors; *key* is None for the bucket itself."""
        if key and not key.strip("/"):
            # An emulator takes it for the bucket itself; a DELETE would be the bucket's.
            raise NotFoundError(f"There is no {self._name}/{key}.")
        try:
            yield
        except ClientError as exc:
            raise self._error(exc, exc.response["Error"]["Code"], key) from exc
        except (BaseError, FileNotFoundError) as exc:
            raise self._error(exc, quoted_code(exc), key) from exc
        except (BotoCoreError, HTTPError, RuntimeError) as exc:  # the last from a stale credential
            raise self._unavailable(fault_of(exc), key) from exc

    def _error(self, exc: Exception, code: str | None, key: str | None) -> PipelineError:
        if code not in _MISSING:
            return self._unavailable(fault_of(exc), key)
        if key is None:
            cause = Cause.NO_BUCKET if is_of_aws(exc) else Cause.NOT_AWS
            return self._unavailable(Fault(cause), key)
        return NotFoundError(f"There is no {self._name}/{key}.")

    def _unavailable(self, fault: Fault, key: str | None) -> StorageUnavailableError:
        what = f"bucket {self._name}" if not key else f"{self._name}/{key}"
        place = aws.place(self._client, what)
        return StorageUnavailableError(_UNAVAILABLE, reason=fault.sentence(place))
