"""Create or update a queue: FIFO, encrypted, with the wanted attributes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ..errors import ResourceError
from ..settings import Settings
from .errors import code_of
from .policies import denying_plain_http, with_statements

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

logger = logging.getLogger(__name__)

_SECONDS_PER_DAY: Final = 86_400
#: SQS's maximum; longer costs nothing.
_RETENTION_S: Final = 14 * _SECONDS_PER_DAY
_LONG_POLL_S: Final = 10
#: High throughput for FIFO: SQS applies its limits per message group.
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


def result_attributes() -> dict[str, str]:
    """The attributes of the queue of announcements."""
    return _FIFO | _HIGH_THROUGHPUT | {"MessageRetentionPeriod": str(_RETENTION_S)}


def dead_letter_attributes() -> dict[str, str]:
    """The attributes of the dead-letter queue."""
    return _FIFO | {"MessageRetentionPeriod": str(_RETENTION_S)}


def job_attributes(settings: Settings, *, dead_letter_arn: str) -> dict[str, str]:
    """The attributes of the queue of jobs."""
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


def ensure_queue(sqs: SQSClient, name: str, wanted: Mapping[str, str], *, demands_tls: bool) -> str:
    """Create the queue *name*, or set the *wanted* attributes on it; returns its ARN."""
    url, is_new = _create_queue(sqs, name, wanted)
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    found = {str(k): v for k, v in answer["Attributes"].items()}
    if demands_tls:
        wanted = {**wanted, "Policy": _queue_policy(found)}
    wrong = {k: v for k, v in wanted.items() if not _is_same_value(found.get(k), v)}
    if wrong:
        _set_attributes(sqs, name, url, wrong)
    done = "made" if is_new else f"changed: {', '.join(sorted(wrong))}" if wrong else "is there"
    logger.info("queue %s %s", name, done)
    return found["QueueArn"]


def _queue_policy(found: Mapping[str, str]) -> str:
    return with_statements(found.get("Policy"), denying_plain_http(found["QueueArn"]))


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
        if code_of(exc) not in missing:
            raise
    try:
        made = sqs.create_queue(QueueName=name, Attributes=wanted)  # type: ignore[arg-type]
    except ClientError as exc:
        # A concurrent run has created the queue with other attributes.
        if code_of(exc) not in ("QueueAlreadyExists", "QueueNameExists"):
            raise
        return sqs.get_queue_url(QueueName=name)["QueueUrl"], False
    return made["QueueUrl"], True


def _is_same_value(found: str | None, wanted: str) -> bool:
    if found is None or not wanted.startswith("{"):
        return found == wanted
    # A policy is JSON: key order and numbers as strings make no difference.
    return _numbers_as_text(json.loads(found)) == _numbers_as_text(json.loads(wanted))


def _numbers_as_text(policy: dict[str, Any]) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, int) else v for k, v in policy.items()}
