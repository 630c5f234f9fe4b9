"""Pass messages through one SQS FIFO queue.

IAM: sqs:GetQueueUrl and, by role, sqs:SendMessage or sqs:ReceiveMessage, sqs:DeleteMessage,
sqs:ChangeMessageVisibility; sqs:GetQueueAttributes for the readiness check.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from . import aws
from .domain import Delivery
from .errors import QueueUnavailableError
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
MAX_BATCH: Final = 10


def make_queue(settings: Settings, name: str) -> SqsQueue:
    """The queue called *name*."""
    return SqsQueue(aws.sqs_client(settings), name)


class SqsQueue:
    """A `domain.Queue` on SQS FIFO. Thread-safe; connects with the first call."""

    def __init__(self, client: SQSClient, name: str) -> None:
        self._client = client
        self._name = name
        self._known_url: str | None = None

    @property
    def name(self) -> str:
        return self._name

    def send(self, body: str, *, group: str, deduplication_id: str) -> None:
        with self._translated("send"):
            self._client.send_message(
                QueueUrl=self._url(),
                MessageBody=body,
                MessageGroupId=group,
                MessageDeduplicationId=deduplication_id,
            )

    def receive(self, *, max_messages: int, wait_time_s: int) -> list[Delivery]:
        with self._translated("receive"):
            answer = self._client.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=min(max_messages, MAX_BATCH),
                WaitTimeSeconds=wait_time_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
            )
        # The member is absent, not empty, when there is no message.
        return [_delivery(message) for message in answer.get("Messages", [])]

    def delete(self, delivery: Delivery) -> None:
        with self._translated("delete"):
            self._client.delete_message(QueueUrl=self._url(), ReceiptHandle=delivery.receipt_handle)

    def release(self, delivery: Delivery, *, delay_s: int) -> None:
        with self._translated("release"):
            self._client.change_message_visibility(
                QueueUrl=self._url(),
                ReceiptHandle=delivery.receipt_handle,
                VisibilityTimeout=delay_s,
            )

    def check(self) -> None:
        with self._translated("check"):
            self._client.get_queue_attributes(QueueUrl=self._url(), AttributeNames=["QueueArn"])

    def _url(self) -> str:
        if self._known_url is None:
            self._known_url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._known_url

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            self._known_url = None  # the queue may have been made anew, elsewhere
            code = exc.response["Error"]["Code"]
            raise QueueUnavailableError(f"SQS answered {code} to {verb} on {self._name}.") from exc
        except BotoCoreError as exc:
            raise QueueUnavailableError(f"SQS did not answer to {verb} on {self._name}.") from exc


def _delivery(message: MessageTypeDef) -> Delivery:
    attributes = message["Attributes"]
    return Delivery(
        body=message["Body"],
        message_id=message["MessageId"],
        group=attributes["MessageGroupId"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        receipt_handle=message["ReceiptHandle"],
    )
