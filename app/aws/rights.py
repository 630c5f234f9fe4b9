"""The rights of each role, and for each right a call that tests it and changes nothing.

A call reads, deletes an object that does not exist, or requests something impossible. SQS checks
the right to a batch before it refuses an entry, and S3 checks the right to write before it compares
If-Match. deploy/cloudformation.yaml grants the same rights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from .errors import code_of, fault_of
from .faults import Cause, Fault

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

#: A key that each role may delete, and that no image uses.
_KEY: Final = "failures/doctor"
#: SQS refuses a message with this character, and no other message of the batch.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED_BODY: Final = "\ufffe"
_ENTRY: Final = {"Id": "0", "ReceiptHandle": "doctor"}
#: The errors of S3 and SQS for a call that is allowed but impossible.
_ALLOWED: Final = (
    *("NoSuchKey", "404", "PreconditionFailed", "412"),
    *("InvalidParameterValue", "InvalidParameterValueException", "ReadCountOutOfRange"),
)
_MORE_THAN_SQS_GIVES: Final = 11

_READ: Final = ("s3:ListBucket", "s3:GetObject")
_COUNT: Final = ("sqs:GetQueueAttributes",)
_RECEIVE: Final = "sqs:ReceiveMessage"
_TAKE: Final = (_RECEIVE, "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
_RESULTS: Final = (*_READ, "s3:PutObject", "s3:DeleteObject")
#: By role, and by the setting that names the resource. Every queue also needs sqs:GetQueueUrl.
RIGHTS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "web": {
        "input_bucket": (*_READ, "s3:PutObject"),
        "processed_bucket": _RESULTS,
        "input_queue": (*_COUNT, "sqs:SendMessage"),
        "input_dead_letter_queue": _COUNT,
    },
    "worker": {
        "input_bucket": _READ,
        "processed_bucket": _RESULTS,
        "input_queue": (*_COUNT, *_TAKE),
        "processed_queue": (*_COUNT, "sqs:SendMessage"),
    },
    "operator": {
        "input_bucket": _READ,
        "processed_bucket": _READ,
        "input_queue": (*_COUNT, "sqs:SendMessage"),
        "processed_queue": (*_TAKE, "sqs:SendMessage"),
        "input_dead_letter_queue": (*_COUNT, *_TAKE),
    },
}


def rights_of(role: str) -> dict[str, list[str]]:
    """The rights of *role*, where `all` is web and worker, by the setting of their resource."""
    found: dict[str, list[str]] = {}
    for each in ("web", "worker") if role == "all" else (role,):
        for resource, actions in RIGHTS[each].items():
            known = found.setdefault(resource, [])
            known += [action for action in actions if action not in known]
    return found


def lacking(
    client: S3Client | SQSClient, place: str, actions: list[str]
) -> Iterator[tuple[str, Fault]]:
    """The *actions* that fail on *place*, a bucket's name or a queue's URL, each with its cause."""
    for action in actions:
        try:
            call = _receive if action == _RECEIVE and _COUNT[0] in actions else _CALLS[action]
            call(client, place)
        except ClientError as exc:
            if (code_of(exc) or "").rpartition(".")[2] not in _ALLOWED:
                yield action, fault_of(exc)
        except (BotoCoreError, RuntimeError, KeyError) as exc:
            yield action, fault_of(exc)


def is_denied(fault: Fault) -> bool:
    """Whether *fault* is a missing right, not a service that does not answer."""
    return fault.cause in (Cause.DENIED, Cause.FORBIDDEN)


def _write(s3: Any, bucket: str) -> None:
    # No object has this ETag, so nothing is written.
    s3.put_object(Bucket=bucket, Key=_KEY, Body=b"", IfMatch='"0"')


def _send(sqs: Any, url: str) -> None:
    entry = {"Id": "0", "MessageBody": _REFUSED_BODY}
    entry |= {"MessageGroupId": "doctor", "MessageDeduplicationId": "doctor"}
    sqs.send_message_batch(QueueUrl=url, Entries=[entry])


def _receive(sqs: Any, url: str) -> None:
    """Test the right to receive without a message: each receive counts towards MAX_RECEIVES."""
    waiting = "ApproximateNumberOfMessages"
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[waiting])["Attributes"]
    _receive_from(sqs, url, 1 if said[waiting] == "0" else _MORE_THAN_SQS_GIVES)


def _receive_from(sqs: Any, url: str, most: int = 1) -> None:
    sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=most, WaitTimeSeconds=0, VisibilityTimeout=0
    )


_CALLS: Final[Mapping[str, Callable[[Any, str], object]]] = {
    "s3:ListBucket": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket, MaxKeys=1),
    "s3:GetObject": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=_KEY),
    "s3:PutObject": _write,
    "s3:DeleteObject": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=_KEY),
    "sqs:GetQueueAttributes": lambda sqs, url: sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["QueueArn"]
    ),
    "sqs:SendMessage": _send,
    _RECEIVE: _receive_from,
    "sqs:DeleteMessage": lambda sqs, url: sqs.delete_message_batch(QueueUrl=url, Entries=[_ENTRY]),
    "sqs:ChangeMessageVisibility": lambda sqs, url: sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[_ENTRY | {"VisibilityTimeout": 0}]
    ),
}
