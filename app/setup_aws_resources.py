"""Create or update the buckets and queues: `python -m app.setup_aws_resources`.

Safe to repeat and to run several times at once. Existing resources with other attributes are
updated; an error names each attribute that cannot be changed.

IAM: s3:CreateBucket, s3:ListBucket, s3:PutBucketPublicAccessBlock, s3:PutEncryptionConfiguration,
s3:PutLifecycleConfiguration, s3:PutBucketPolicy, s3:GetEncryptionConfiguration,
s3:GetLifecycleConfiguration, s3:GetBucketPolicy, s3:GetBucketLocation; sqs:CreateQueue,
sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:SetQueueAttributes.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from . import installed

# Before the imports that would otherwise fail with a traceback.
if (fault := installed.fault("app.setup_aws_resources", "setup")) is not None:
    sys.exit(fault)

from botocore.exceptions import BotoCoreError, ClientError

from .aws import clients as aws
from .aws.bucket_setup import ensure_bucket
from .aws.errors import code_of, fault_of
from .aws.queue_setup import dead_letter_attributes, ensure_queue, job_attributes, result_attributes
from .errors import PipelineError, ResourceError
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

#: Errors that pass: a concurrent run, or a name in use until 60 s after the queue was deleted.
_PASSING: Final = frozenset(
    ("OperationAborted", "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently")
)
_PATIENCE_S: Final = 70.0
_PAUSE_S: Final = 2.0


def ensure_resources(settings: Settings, *, s3: S3Client, sqs: SQSClient) -> None:
    """Create or update all buckets and queues to have the attributes of docs/architecture.md.

    Raises:
        ResourceError: a name belongs to another account, an attribute cannot be changed, or AWS
            does not respond; the error names the setting to change.
    """
    demands_tls = settings.aws_endpoint_url is None  # an emulator on loopback speaks plain HTTP
    for bucket in (settings.input_bucket, settings.processed_bucket):
        with _explained(s3, f"bucket {bucket}"):
            _with_retries(ensure_bucket, s3, settings, bucket, demands_tls=demands_tls)

    def ensure(name: str, wanted: Mapping[str, str]) -> str:
        with _explained(sqs, f"queue {name}"):
            return _with_retries(ensure_queue, sqs, name, wanted, demands_tls=demands_tls)

    dead_letters = ensure(settings.input_dead_letter_queue, dead_letter_attributes())
    ensure(settings.input_queue, job_attributes(settings, dead_letter_arn=dead_letters))
    ensure(settings.processed_queue, result_attributes())


@contextmanager
def _explained(client: S3Client | SQSClient, what: str) -> Iterator[None]:
    """A block in which errors of AWS and boto3 become sentences of `aws.faults` about *what*."""
    try:
        yield
    except (ClientError, BotoCoreError, RuntimeError) as exc:
        raise ResourceError(fault_of(exc).sentence(aws.place(client, what))) from exc


def _with_retries(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of *act*, repeated for at most _PATIENCE_S while AWS asks to wait."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return act(*args, **kwargs)
        except ClientError as exc:
            if code_of(exc) not in _PASSING or time.monotonic() > deadline:
                raise
            logger.info("waiting: %s", exc)
            time.sleep(_PAUSE_S)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("botocore", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        settings = Settings.from_env()
        ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    except PipelineError as exc:
        logger.error("setup_aws_resources: %s", exc)
        return 1
    except (BotoCoreError, ValueError) as exc:  # an unknown profile or an invalid endpoint
        logger.error("setup_aws_resources: %s", fault_of(exc).advice)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
