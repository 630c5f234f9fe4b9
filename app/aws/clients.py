"""The AWS clients; no other module creates any.

Create clients in the main thread and share them: clients are thread-safe, sessions are not.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from ..observability import tracing
from ..observability.metrics import AwsMetrics
from ..observability.version import NAME, VERSION
from ..settings import Settings
from .faults import Place

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

#: With botocore's default of 60 s, the retries would block a thread for minutes.
_CONNECT_TIMEOUT_S: Final = 3
#: Read timeout added to the long-poll wait, during which SQS sends nothing.
_ANSWER_TIMEOUT_S: Final = 5
_SPARE_CONNECTIONS: Final = 8
_MAX_ATTEMPTS: Final = 3
#: botocore renews credentials at least ten minutes before they expire.
_CREDENTIALS_TTL: Final = timedelta(minutes=10)
#: Enough for MAX_UPLOAD_BYTES over a slow line; the read timeout ends a silent request earlier.
_WHOLE_REQUEST_TIMEOUT: Final = timedelta(minutes=2)
_USER_AGENT: Final = f"{NAME}/{VERSION}"
_BEGAN_AT: Final = "image_pipeline_began_at"
_SPAN: Final = "image_pipeline_span"
_PLACE: Final = "image_pipeline_place"


def s3_client(settings: Settings) -> S3Client:
    """An S3 client; `s3_service` counts its calls. Makes no request."""
    style = {"addressing_style": "path" if settings.aws_endpoint_url else "auto"}
    client: S3Client = _session().client("s3", **_options(settings, s3=style))
    return client


def object_store(settings: Settings, bucket: str) -> S3Store:
    """An obstore client for the objects of one bucket: a sixth of boto3's CPU time per call.

    Raises NoCredentialsError; makes no request, unless the credentials themselves need one.
    """
    session = boto3.session.Session()
    if session.get_credentials() is None:
        raise NoCredentialsError
    url = settings.aws_endpoint_url
    # An emulator has one host name, so the bucket goes into the path.
    place: Any = {"endpoint": url} if url else {}
    return S3Store(
        bucket,
        **place,
        virtual_hosted_style_request=url is None,
        region=region(settings),
        credential_provider=Boto3CredentialProvider(session, ttl=_CREDENTIALS_TTL),
        client_options={
            "allow_http": url is not None and url.startswith("http:"),
            "connect_timeout": timedelta(seconds=_CONNECT_TIMEOUT_S),
            "read_timeout": timedelta(seconds=_ANSWER_TIMEOUT_S),
            "timeout": _WHOLE_REQUEST_TIMEOUT,
        },
        retry_config={
            "max_retries": _MAX_ATTEMPTS - 1,
            "retry_timeout": _WHOLE_REQUEST_TIMEOUT,
            "backoff": {
                "init_backoff": timedelta(seconds=0.1),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    )


def sqs_client(settings: Settings, metrics: AwsMetrics | None = None) -> SQSClient:
    """An SQS client whose calls *metrics* counts. Makes no request."""
    client: SQSClient = _session().client("sqs", **_options(settings))
    _count_calls(client, metrics)
    return client


def region(settings: Settings) -> str:
    """The region of *settings*, else of the AWS profile, else us-east-1."""
    return settings.aws_region or boto3.session.Session().region_name or "us-east-1"


def place(client: Any, what: str) -> Place:
    """The service, endpoint and region of *client*, for an error sentence about *what*."""
    meta = client.meta
    return Place(meta.service_model.service_name.upper(), meta.endpoint_url, meta.region_name, what)


def head_bucket(client: S3Client, name: str) -> str | None:
    """The region of the bucket; None where the server does not send it.

    An error response to HEAD has no body, so wrong credentials look like another account's bucket.
    Listing one key needs the same permission, and its error names the cause.
    """
    try:
        return client.head_bucket(Bucket=name).get("BucketRegion")
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "404":
            client.list_objects_v2(Bucket=name, MaxKeys=1)
        raise


def _session() -> boto3.session.Session:
    """A new session, so that changed credentials take effect; it shares only the models."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _service_models())
    return boto3.session.Session(botocore_session=core)


@cache
def _service_models() -> Loader:
    # Otherwise each session parses and keeps the models of S3 and SQS: 9 MB and 0.1 s per client.
    return create_loader()


def _options(settings: Settings, **extra: Any) -> dict[str, Any]:
    threads = settings.web_threads + settings.worker_threads
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=settings.poll_wait_s + _ANSWER_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _MAX_ATTEMPTS},
        max_pool_connections=threads + _SPARE_CONNECTIONS,
        tcp_keepalive=True,
        # A constant one: botocore assembles its own twice per call, a seventh of the call's CPU.
        user_agent=_USER_AGENT,
        **extra,
    )
    return {
        "region_name": region(settings),
        "endpoint_url": settings.aws_endpoint_url,
        "config": config,
    }


def _count_calls(client: Any, metrics: AwsMetrics | None) -> None:
    """Report each call of *client* to *metrics*, and to the current trace if there is one.

    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
    """
    if metrics is None:
        return

    def prepare(params: Any, context: dict[str, Any], **_: Any) -> None:
        if tracing.is_recording() and "QueueUrl" in params:
            context[_PLACE] = {"aws.sqs.queue.url": params["QueueUrl"]}

    def begin(event_name: str, context: dict[str, Any], **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        context[_SPAN] = tracing.call("sqs", operation, context.get(_PLACE, {}))
        context[_BEGAN_AT] = time.perf_counter()

    def end(event_name: str, context: dict[str, Any], parsed: Any = None, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        metrics.answered("sqs", operation, time.perf_counter() - context[_BEGAN_AT])
        span = context[_SPAN]
        if request_id := (parsed or {}).get("ResponseMetadata", {}).get("RequestId"):
            span.set_attribute("aws.request_id", request_id)
        for code in _errors_in(parsed):
            metrics.failed("sqs", operation, code)
            tracing.fail(code or "no-answer", span)
        span.end()

    client.meta.events.register("before-parameter-build.sqs", prepare)
    client.meta.events.register("before-call.sqs", begin)
    client.meta.events.register("after-call.sqs", end)
    client.meta.events.register("after-call-error.sqs", end)


def _errors_in(answer: Any) -> list[str | None]:
    """The error codes in a parsed response; a None stands for a missing response."""
    if answer is None:
        return [None]
    entries = [entry["Code"] for entry in answer.get("Failed", [])]
    code = answer.get("Error", {}).get("Code")
    return entries if code is None else [*entries, code]
