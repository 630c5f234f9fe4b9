"""Make the buckets and queues exist as they must be: `python -m app.setup_aws_resources`.

Safe to repeat, to run several times at once, and over resources that are there with other
attributes: what can be brought in line is, what cannot is said clearly.

IAM: s3:CreateBucket, s3:ListBucket, s3:PutBucketPublicAccessBlock, s3:PutEncryptionConfiguration,
s3:PutLifecycleConfiguration, s3:PutBucketPolicy, s3:GetEncryptionConfiguration,
s3:GetLifecycleConfiguration, s3:GetBucketPolicy, s3:GetBucketLocation; sqs:CreateQueue,
sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:SetQueueAttributes.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from . import aws
from .aws_errors import fault_of
from .aws_faults import Cause
from .errors import PipelineError, ResourceError
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

_SECONDS_PER_DAY: Final = 86_400
_DEAD_LETTER_RETENTION_S: Final = 14 * _SECONDS_PER_DAY
_LONG_POLL_S: Final = 10
#: High throughput for FIFO: limits count by message group.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
_HIGH_THROUGHPUT: Final = {
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}
_FIFO: Final = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "SqsManagedSseEnabled": "true",
}
#: Somebody else is at the same thing, or a name is not free again yet: SQS asks for 60 s.
_PASSING: Final = frozenset(
    ("OperationAborted", "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently")
)
#: How S3 says that a bucket has no lifecycle, encryption or policy.
_NOT_CONFIGURED: Final = frozenset(
    (
        "NoSuchLifecycleConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchBucketPolicy",
    )
)
_EXPIRY_RULE: Final = "expire"
_PATIENCE_S: Final = 70.0
_PAUSE_S: Final = 2.0


def ensure_resources(settings: Settings, *, s3: S3Client, sqs: SQSClient) -> None:
    """Make all buckets and queues exist with the attributes of docs/architecture.md.

    Raises:
        ResourceError: a name belongs to somebody else, something cannot be brought in line, or AWS
            cannot be asked; it says what to set.
    """
    for bucket in (settings.input_bucket, settings.processed_bucket):
        with _explained(s3, f"bucket {bucket}"):
            _patiently(_ensure_bucket, s3, settings, bucket)
    queues = _Queues(sqs, demands_tls=_demands_tls(settings))
    dead_letters = queues.ensure(settings.input_dead_letter_queue, _dead_letter_attributes())
    queues.ensure(settings.input_queue, _job_attributes(settings, dead_letter_arn=dead_letters))
    queues.ensure(settings.processed_queue, _FIFO | _HIGH_THROUGHPUT)


def _demands_tls(settings: Settings) -> bool:
    return settings.aws_endpoint_url is None  # an emulator on loopback speaks plain HTTP


# --- buckets -----------------------------------------------------------------------------------


def _ensure_bucket(s3: S3Client, settings: Settings, name: str) -> None:
    made = _create_bucket(s3, settings, name)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    _encrypt(s3, name)
    _set_expiry(s3, name, settings.retention_days)
    if _demands_tls(settings):
        _demand_tls(s3, name)
    logger.info("bucket %s %s", name, "made" if made else "is there")


def _create_bucket(s3: S3Client, settings: Settings, name: str) -> bool:
    """True when the bucket is new; False when it was ours already."""
    # us-east-1 is the one region that must not be named.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    region = aws.region(settings)
    place: Any = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    if _bucket_is_ours(s3, name):
        _check_region(s3, name, region)
        return False
    try:
        s3.create_bucket(Bucket=name, **place)
    except ClientError as exc:
        if _code(exc) == "BucketAlreadyOwnedByYou":  # made by a run beside this one
            return False
        if _code(exc) == "BucketAlreadyExists":
            raise _taken(name) from None
        raise
    return True


def _bucket_is_ours(s3: S3Client, name: str) -> bool:
    try:
        aws.head_bucket(s3, name)
    except ClientError as exc:
        if exc.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        fault = fault_of(exc)
        if fault.cause is Cause.DENIED:
            raise _taken(name) from None
        if fault.cause is Cause.REGION:
            raise _elsewhere(name, fault.said) from None
        raise
    return True


def _check_region(s3: S3Client, name: str, region: str) -> None:
    # us-east-1 has no constraint; buckets of the first years may say EU for eu-west-1.
    found = s3.get_bucket_location(Bucket=name).get("LocationConstraint") or "us-east-1"
    if {"EU": "eu-west-1"}.get(found, found) != region:
        raise _elsewhere(name, f"it is {found}")


# What else stands on a bucket, rules, statements and keys of its owner, is left as it is.


def _encrypt(s3: S3Client, name: str) -> None:
    found = _found(
        lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    )
    if found:  # with a key of the owner's, perhaps; AWS itself encrypts every bucket since 2023
        return
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _set_expiry(s3: S3Client, name: str, days: int) -> None:
    found = _found(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"])
    rules: list[Any] = [rule for rule in found if rule.get("ID") != _EXPIRY_RULE]
    if days:
        rules.append(
            {
                "ID": _EXPIRY_RULE,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Expiration": {"Days": days},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }
        )
    if rules:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    elif found:
        s3.delete_bucket_lifecycle(Bucket=name)


def _demand_tls(s3: S3Client, name: str) -> None:
    """Deny plain HTTP and TLS before 1.2.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """
    found = _found(lambda: [s3.get_bucket_policy(Bucket=name)["Policy"]])
    policy = _with_statements(found[0] if found else None, _tls_statements(name))
    s3.put_bucket_policy(Bucket=name, Policy=policy)


def _tls_statements(bucket: str) -> list[dict[str, Any]]:
    conditions: dict[str, Any] = {
        "DenyPlainHttp": {"Bool": {"aws:SecureTransport": "false"}},
        "DenyOldTls": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    }
    return [
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": condition,
        }
        for sid, condition in conditions.items()
    ]


def _found(get: Callable[[], list[Any]]) -> list[Any]:
    """What *get* gets from a bucket; nothing where it has none."""
    try:
        return [*get()]
    except ClientError as exc:
        if _code(exc) in _NOT_CONFIGURED:
            return []
        raise


def _taken(name: str) -> ResourceError:
    return ResourceError(
        f"Bucket {name} belongs to another AWS account, or yours may not read it; bucket names "
        "are global. Choose another with INPUT_BUCKET or PROCESSED_BUCKET."
    )


def _elsewhere(name: str, said: str) -> ResourceError:
    return ResourceError(
        f"Bucket {name} is in another region, which cannot be changed ({said}). Set AWS_REGION to "
        "its region, or choose another name with INPUT_BUCKET or PROCESSED_BUCKET."
    )


# --- queues ------------------------------------------------------------------------------------


def _dead_letter_attributes() -> dict[str, str]:
    return _FIFO | {"MessageRetentionPeriod": str(_DEAD_LETTER_RETENTION_S)}


def _job_attributes(settings: Settings, *, dead_letter_arn: str) -> dict[str, str]:
    redrive = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": settings.max_receives}
    return (
        _FIFO
        | _HIGH_THROUGHPUT
        | {
            "VisibilityTimeout": str(settings.visibility_timeout_s),
            "ReceiveMessageWaitTimeSeconds": str(_LONG_POLL_S),
            "RedrivePolicy": json.dumps(redrive),
        }
    )


class _Queues:
    def __init__(self, sqs: SQSClient, *, demands_tls: bool) -> None:
        self._sqs = sqs
        self._demands_tls = demands_tls

    def ensure(self, name: str, wanted: Mapping[str, str]) -> str:
        """Make or mend the queue; returns its ARN."""
        with _explained(self._sqs, f"queue {name}"):
            return _patiently(self._ensure, name, wanted)

    def _ensure(self, name: str, wanted: Mapping[str, str]) -> str:
        url, is_new = _create_queue(self._sqs, name, wanted)
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        found = {str(k): v for k, v in answer["Attributes"].items()}
        if self._demands_tls:
            wanted = {**wanted, "Policy": _queue_policy(found)}
        wrong = {k: v for k, v in wanted.items() if not _same(found.get(k), v)}
        if wrong:
            _set_attributes(self._sqs, name, url, wrong)
        done = "made" if is_new else f"changed: {', '.join(sorted(wrong))}" if wrong else "is there"
        logger.info("queue %s %s", name, done)
        return found["QueueArn"]


def _queue_policy(found: Mapping[str, str]) -> str:
    """The queue's policy, which denies plain HTTP; SQS knows no condition on the version of TLS.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html
    """
    statement = {
        "Sid": "DenyPlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": found["QueueArn"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return _with_statements(found.get("Policy"), [statement])


def _set_attributes(sqs: SQSClient, name: str, url: str, wanted: Mapping[str, str]) -> None:
    try:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=wanted)  # type: ignore[arg-type]
    except ClientError as exc:
        raise ResourceError(
            f"Queue {name} is there and cannot be given {dict(wanted)}: {exc}. Delete it, or "
            "choose another name."
        ) from exc


def _create_queue(sqs: SQSClient, name: str, wanted: Mapping[str, str]) -> tuple[str, bool]:
    missing = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"], False
    except ClientError as exc:
        if _code(exc) not in missing:
            raise
    try:
        made = sqs.create_queue(QueueName=name, Attributes=wanted)  # type: ignore[arg-type]
    except ClientError as exc:
        # Made in between, with other attributes, by a run beside this one.
        if _code(exc) not in ("QueueAlreadyExists", "QueueNameExists"):
            raise
        return sqs.get_queue_url(QueueName=name)["QueueUrl"], False
    return made["QueueUrl"], True


def _same(found: str | None, wanted: str) -> bool:
    if found is None or not wanted.startswith("{"):
        return found == wanted
    # A policy is JSON: key order and numbers as strings make no difference.
    return _numbers_as_text(json.loads(found)) == _numbers_as_text(json.loads(wanted))


def _numbers_as_text(policy: dict[str, Any]) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, int) else v for k, v in policy.items()}


# --- around both -------------------------------------------------------------------------------


def _with_statements(policy: str | None, ours: list[dict[str, Any]]) -> str:
    """*policy* with our statements; what its owner has put into it stays."""
    theirs = json.loads(policy) if policy else {}
    statements = theirs.get("Statement", [])
    # One alone need be in no list:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html
    statements = [statements] if isinstance(statements, dict) else statements
    sids = {each["Sid"] for each in ours}
    kept = [each for each in statements if each.get("Sid") not in sids]
    # Theirs is in force with its id, and with the version of the language that it is written in.
    return json.dumps({"Version": "2012-10-17", **theirs, "Statement": kept + ours})


@contextmanager
def _explained(client: S3Client | SQSClient, what: str) -> Iterator[None]:
    """Say what AWS or its library says in the words of `aws_faults`, about *what*."""
    try:
        yield
    except (ClientError, BotoCoreError, RuntimeError) as exc:
        raise ResourceError(fault_of(exc).sentence(aws.place(client, what))) from exc


def _code(exc: ClientError) -> str:
    return str(exc.response["Error"]["Code"])


def _patiently(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat *act* while AWS asks to wait; at most _PATIENCE_S."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return act(*args, **kwargs)
        except ClientError as exc:
            if _code(exc) not in _PASSING or time.monotonic() > deadline:
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
    except (BotoCoreError, ValueError) as exc:  # a profile or an endpoint that cannot be
        logger.error("setup_aws_resources: %s", fault_of(exc).advice)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
