"""Make the AWS clients: the only place that does.

Clients are made in the main thread and shared: they are thread-safe, sessions are not.
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
from ..settings import Settings
from .faults import Place

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

#: botocore's own 60 s would hang a thread for minutes over its retries.
_CONNECT_TIMEOUT_S: Final = 3
#: On top of the long poll, which is silent for as long as it waits.
_ANSWER_TIMEOUT_S: Final = 5
_SPARE_CONNECTIONS: Final = 8
_MAX_ATTEMPTS: Final = 3
#: botocore renews credentials at least ten minutes before they expire.
_CREDENTIALS_TTL: Final = timedelta(minutes=10)
#: An upload of MAX_UPLOAD_BYTES over a slow line; silence ends a request long before.
_WHOLE_REQUEST_TIMEOUT: Final = timedelta(minutes=2)
_BEGAN_AT: Final = "image_pipeline_began_at"
_SPAN: Final = "image_pipeline_span"
_PLACE: Final = "image_pipeline_place"


def s3_client(settings: Settings) -> S3Client:
    """A client for S3; `s3_service` counts its calls. Makes no request."""
    style = {"addressing_style": "path" if settings.aws_endpoint_url else "auto"}
    client: S3Client = _session().client("s3", **_options(settings, s3=style))
    return client


def object_store(settings: Settings, bucket: str) -> S3Store:
    """A store for the objects of one bucket: a sixth of boto3's CPU time per call.

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
    """A client for SQS, whose calls *metrics* counts. Makes no request."""
    client: SQSClient = _session().client("sqs", **_options(settings))
    _count_calls(client, metrics)
    return client


def region(settings: Settings) -> str:
    """The region of *settings*, else of the AWS profile, else us-east-1."""
    return settings.aws_region or boto3.session.Session().region_name or "us-east-1"


def place(client: Any, what: str) -> Place:
    """Where *client* asks about *what*, for those who have to say that it failed."""
    meta = client.meta
    return Place(meta.service_model.service_name.upper(), meta.endpoint_url, meta.region_name, what)


def head_bucket(client: S3Client, name: str) -> str | None:
    """The region of the bucket, if S3 says it.

    A refusal of HEAD has no words, so that wrong credentials look like somebody else's bucket;
    the listing of one key, for which S3 asks for the same permission, says which it is.
    """
    try:
        return client.head_bucket(Bucket=name).get("BucketRegion")
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "404":
            client.list_objects_v2(Bucket=name, MaxKeys=1)
        raise


def _session() -> boto3.session.Session:
    """A session of its own, so that changed credentials are seen; only the models are shared."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _service_models())
    return boto3.session.Session(botocore_session=core)


@cache
def _service_models() -> Loader:
    # Each session parses the models of S3 and SQS again and keeps them: 9 MB and 0.1 s a client.
    return create_loader()


def _options(settings: Settings, **extra: Any) -> dict[str, Any]:
    threads = settings.web_threads + settings.worker_threads
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=settings.poll_wait_s + _ANSWER_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _MAX_ATTEMPTS},
        max_pool_connections=threads + _SPARE_CONNECTIONS,
        tcp_keepalive=True,
        **extra,
    )
    return {
        "region_name": region(settings),
        "endpoint_url": settings.aws_endpoint_url,
        "config": config,
    }


def _count_calls(client: Any, metrics: AwsMetrics | None) -> None:
    """Have botocore tell *metrics*, and the trace if there is one, of each call of *client*.

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
    """The codes of the errors in what botocore has read; None stands for no answer."""
    if answer is None:
        return [None]
    entries = [entry["Code"] for entry in answer.get("Failed", [])]
    code = answer.get("Error", {}).get("Code")
    return entries if code is None else [*entries, code]
