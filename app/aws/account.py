"""The questions of `./alvura doctor` to S3 and SQS: credentials, buckets, queues and rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..settings import Settings
from . import clients as aws
from . import rights
from .errors import code_of, fault_of, is_of_aws
from .faults import Cause, Fault

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

_OF_CREDENTIALS = (Cause.NO_CREDENTIALS, Cause.WRONG_CREDENTIALS, Cause.EXPIRED_CREDENTIALS)


@dataclass(frozen=True)
class Credentials:
    """The source of the credentials and the end of their key id, or their fault."""

    origin: str = ""
    key_id_end: str = ""
    fault: Fault | None = None


class Account:
    """S3 and SQS by *settings*. Its methods return faults; making it may raise ValueError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        try:
            self._s3: S3Client = aws.s3_client(settings)
            self._sqs: SQSClient = aws.sqs_client(settings)
        except BotoCoreError as exc:  # an unknown profile or an invalid endpoint
            raise ValueError(fault_of(exc).advice) from exc

    @property
    def endpoints(self) -> list[str]:
        return sorted({self._s3.meta.endpoint_url, self._sqs.meta.endpoint_url})

    @cached_property
    def credentials(self) -> Credentials:
        """The credentials, tried with a call that every role may make."""
        try:
            found = boto3.session.Session().get_credentials()
            if found is None:
                return Credentials(fault=Fault(Cause.NO_CREDENTIALS))
            origin, key_id = found.method, found.get_frozen_credentials().access_key or ""
        except (BotoCoreError, RuntimeError) as exc:
            return Credentials(fault=fault_of(exc))
        fault = self._queue(self._settings.input_queue)
        if isinstance(fault, Fault) and fault.cause in _OF_CREDENTIALS:
            return Credentials(fault=fault)
        return Credentials(origin, key_id[-4:])

    def bucket_fault(self, name: str) -> Fault | None:
        """The reason why the bucket cannot be used; None if it can."""
        try:
            found = aws.head_bucket(self._s3, name)
        except (ClientError, BotoCoreError, RuntimeError, KeyError) as exc:
            if code_of(exc) == "404":
                return Fault(Cause.NO_BUCKET if is_of_aws(exc) else Cause.NOT_AWS)
            return fault_of(exc)
        # Emulators report any region.
        is_elsewhere = found not in (None, aws.region(self._settings))
        if is_elsewhere and self._settings.aws_endpoint_url is None:
            return Fault(Cause.REGION, f"it is {found}")
        return None

    def queue_fault(self, name: str) -> Fault | None:
        """The reason why the queue cannot be used; None if it can."""
        found = self._queue(name)
        return found if isinstance(found, Fault) else None

    def lacking(self, resource: str, actions: list[str]) -> Iterator[tuple[str, Fault]]:
        """The *actions* that fail on the resource that this setting names, each with its cause."""
        name: str = getattr(self._settings, resource)
        if resource.endswith("_bucket"):
            return rights.lacking(self._s3, name, actions)
        url = self._queue(name)
        return iter(()) if isinstance(url, Fault) else rights.lacking(self._sqs, url, actions)

    def _queue(self, name: str) -> str | Fault:
        """The URL of the queue, or the fault of the look-up."""
        try:
            return self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        except (ClientError, BotoCoreError, RuntimeError, KeyError) as exc:
            return fault_of(exc)
