"""Make the AWS clients: the only place that does.

Clients are made in the main thread and shared: they are thread-safe, sessions are not.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

#: botocore's own 60 s would hang a thread for minutes over its retries.
_CONNECT_TIMEOUT_S: Final = 3
#: On top of the long poll, which is silent for as long as it waits.
_ANSWER_TIMEOUT_S: Final = 5
_SPARE_CONNECTIONS: Final = 8


def s3_client(settings: Settings) -> S3Client:
    """A client for S3. Makes no request."""
    # An emulator has one host name, so the bucket goes into the path.
    style = {"addressing_style": "path" if settings.aws_endpoint_url else "auto"}
    client: S3Client = boto3.session.Session().client("s3", **_options(settings, s3=style))
    return client


def sqs_client(settings: Settings) -> SQSClient:
    """A client for SQS. Makes no request."""
    client: SQSClient = boto3.session.Session().client("sqs", **_options(settings))
    return client


def region(settings: Settings) -> str:
    """The region of *settings*, else of the AWS profile, else us-east-1."""
    return settings.aws_region or boto3.session.Session().region_name or "us-east-1"


def _options(settings: Settings, **extra: Any) -> dict[str, Any]:
    threads = settings.web_threads + settings.worker_concurrency
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=settings.poll_wait_s + _ANSWER_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=threads + _SPARE_CONNECTIONS,
        tcp_keepalive=True,
        **extra,
    )
    return {
        "region_name": region(settings),
        "endpoint_url": settings.aws_endpoint_url,
        "config": config,
    }
