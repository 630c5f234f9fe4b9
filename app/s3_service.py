"""Object storage on S3: a bucket behind the port `Bucket`, and the image store on two buckets.

`aws.s3_objects` chooses the client of each call (docs/decisions/0010). This module counts the calls
of both clients and translates their errors.

IAM: s3:GetObject, s3:PutObject and s3:DeleteObject on the objects, s3:ListBucket on the bucket.
Without s3:ListBucket S3 answers 403 instead of 404 for a missing key, so that an unknown image
would look like an outage.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from .aws.errors import code_of, fault_of, is_of_aws
from .aws.faults import Cause, Fault
from .aws.s3_objects import OBSTORE_ERRORS, Objects, OddObjects, PlainObjects, TakenError, is_plain
from .domain.ports import Admit, Listed, StoredObject
from .errors import NotFoundError, PipelineError, StorageUnavailableError
from .images.store import ImageStore
from .observability import tracing
from .observability.metrics import AwsMetrics
from .settings import Settings

#: The code of a missing key is "NoSuchKey" for GET, and "404" for HEAD, whose response has no body.
_MISSING: Final = frozenset(("404", "NoSuchKey"))
#: Exceptions for an error response of S3.
_REFUSALS: Final = (ClientError, *OBSTORE_ERRORS)
#: Exceptions without a response of S3; obstore raises RuntimeError for a stale credential.
_SILENCES: Final = (BotoCoreError, HTTPError, RuntimeError)
#: Shown to clients, so it names no bucket and no endpoint.
_UNAVAILABLE: Final = "Storage is unavailable; try again later."


def make_image_store(settings: Settings, metrics: AwsMetrics) -> ImageStore:
    """The image store of the two buckets in *settings*; *metrics* counts its calls."""
    return ImageStore(
        originals=S3Bucket(settings, settings.input_bucket, metrics),
        results=S3Bucket(settings, settings.processed_bucket, metrics),
    )


class S3Bucket:
    """A `ports.Bucket` on S3. Thread-safe; connects with the first call."""

    def __init__(self, settings: Settings, name: str, metrics: AwsMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._name = name
        self._plain = PlainObjects(settings, name, self._expiry)
        self._odd = OddObjects(settings, name, self._expiry)

    @property
    def name(self) -> str:
        return self._name

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        with self._call("PutObject", key):
            return self._client_of(key).put(key, data, content_type, metadata, is_once=False)

    def put_once(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str]
    ) -> StoredObject | None:
        try:
            with self._call("PutObject", key):
                return self._client_of(key).put(key, data, content_type, metadata, is_once=True)
        except TakenError:
            return None

    def get(self, key: str, *, admit: Admit | None = None) -> StoredObject:
        with self._call("GetObject", key):
            return self._client_of(key).get(key, admit)

    def head(self, key: str) -> StoredObject:
        with self._call("HeadObject", key):
            return self._client_of(key).head(key)

    def delete(self, key: str) -> None:
        with self._call(self._client_of(key).deletion, key):
            self._client_of(key).delete(key)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        token = None
        while True:
            with self._call("ListObjectsV2", prefix):
                listed, token = self._odd.page(prefix, token)
            yield from listed
            if token is None:
                return

    def check(self) -> None:
        with self._call("HeadBucket", None):
            found = self._odd.find_region()
        # boto3 follows a redirect to another region, obstore does not. Emulators report any region.
        if found not in (None, self._odd.region) and self._settings.aws_endpoint_url is None:
            raise self._unavailable(Fault(Cause.REGION, f"it is {found}"), None)

    def _client_of(self, key: str) -> Objects:
        return self._plain if is_plain(key) else self._odd

    def _expiry(self, stored_at: datetime) -> datetime | None:
        """When the lifecycle rule expires the object: at midnight UTC after the retention days.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
        """
        if not self._settings.retention_days:
            return None
        day = stored_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return day + timedelta(days=self._settings.retention_days + 1)

    @contextmanager
    def _call(self, operation: str, key: str | None) -> Iterator[None]:
        """A block that is one call to S3: counted, traced, and with its errors translated.

        *key* is None for calls about the bucket.
        """
        if key and not key.strip("/"):
            # An emulator treats an empty key as the bucket; a DELETE would delete the bucket.
            raise NotFoundError(f"There is no {self._name}/{key}.")
        try:
            with self._counted(operation, key):
                yield
        except _REFUSALS as exc:
            raise self._error(exc, key) from exc
        except _SILENCES as exc:
            raise self._unavailable(fault_of(exc), key) from exc

    @contextmanager
    def _counted(self, operation: str, key: str | None) -> Iterator[None]:
        """A block that is one call of either client, recorded in metrics and trace."""
        place = {"aws.s3.bucket": self._name, **({"aws.s3.key": key} if key else {})}
        span = tracing.call("s3", operation, place)
        with self._metrics.timed("s3", operation):
            try:
                yield
            except (*_REFUSALS, *_SILENCES) as exc:
                code = code_of(exc)
                # A missing key is a normal answer, a missing bucket is an error.
                if key is None or code not in _MISSING:
                    self._metrics.failed("s3", operation, code)
                    tracing.fail(code or "no-answer", span)
                raise
            finally:
                span.end()

    def _error(self, exc: Exception, key: str | None) -> PipelineError:
        if code_of(exc) not in _MISSING:
            return self._unavailable(fault_of(exc), key)
        if key is None:
            cause = Cause.NO_BUCKET if is_of_aws(exc) else Cause.NOT_AWS
            return self._unavailable(Fault(cause), key)
        return NotFoundError(f"There is no {self._name}/{key}.")

    def _unavailable(self, fault: Fault, key: str | None) -> StorageUnavailableError:
        what = f"bucket {self._name}" if not key else f"{self._name}/{key}"
        place = self._odd.place(what)
        return StorageUnavailableError(
            _UNAVAILABLE, reason=fault.sentence(place), endpoint=place.endpoint
        )
