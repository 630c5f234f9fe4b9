"""An SQS FIFO queue behind the port `Queue`.

IAM: sqs:GetQueueUrl and, by role, sqs:SendMessage or sqs:ReceiveMessage, sqs:DeleteMessage,
sqs:ChangeMessageVisibility; sqs:GetQueueAttributes for the readiness check and the depth. The
batch operations need the permission of the single operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from .aws import clients as aws
from .aws.errors import fault_of
from .domain.ports import MAX_BATCH, Delivery, Depth, Message, Results
from .errors import LeaseLostError, PipelineError, QueueUnavailableError
from .observability.metrics import AwsMetrics
from .observability.tracing import TRAVELS
from .settings import Settings

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.literals import MessageSystemAttributeNameType
    from types_boto3_sqs.type_defs import MessageTypeDef

#: The error codes for an expired receipt handle, or a message that is not in flight.
_LEASE_LOST: Final = frozenset(
    ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")
)
#: The most bytes of all messages of one request: SQS's limit is 1 MiB, of some emulators 256 KiB.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_MAX_REQUEST_BYTES: Final = 256 * 1024
_SYSTEM_ATTRIBUTES: Final[list[MessageSystemAttributeNameType]] = [
    "ApproximateReceiveCount",
    "MessageGroupId",
    "SentTimestamp",
]
#: Shown to clients, so it names no queue and no endpoint.
_UNAVAILABLE: Final = "The queue is unavailable; try again later."


def make_queue(settings: Settings, name: str, metrics: AwsMetrics | None = None) -> SqsQueue:
    """The queue called *name*; *metrics* counts its calls."""
    return SqsQueue(aws.sqs_client(settings, metrics), name)


class SqsQueue:
    """A `ports.Queue` on SQS FIFO. Thread-safe; connects with the first call."""

    def __init__(self, client: SQSClient, name: str) -> None:
        self._client = client
        self._name = name
        self._known_url: str | None = None

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message) -> None:
        with self._translated("send"):
            self._client.send_message(QueueUrl=self._url(), **_entry_of(message))

    def send_batch(self, messages: Sequence[Message]) -> Results:
        results: Results = []
        for part in _parts(messages):
            try:
                results += self._send_part(part)
            except QueueUnavailableError as exc:
                if not results:
                    raise
                # The messages before are accepted; those after must not overtake these.
                return results + [exc] * (len(messages) - len(results))
        return results

    def _send_part(self, messages: Sequence[Message]) -> Results:
        entries: Any = [{"Id": str(n), **_entry_of(message)} for n, message in enumerate(messages)]
        with self._translated("send"):
            answer = self._client.send_message_batch(QueueUrl=self._url(), Entries=entries)
        return self._results("send", answer, len(messages))

    def receive(
        self,
        *,
        max_messages: int,
        wait_time_s: int,
        visibility_timeout_s: int,
        attempt_id: str | None = None,
    ) -> list[Delivery]:
        again: Any = {"ReceiveRequestAttemptId": attempt_id} if attempt_id else {}
        with self._translated("receive"):
            answer = self._client.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=min(max_messages, MAX_BATCH),
                WaitTimeSeconds=wait_time_s,
                VisibilityTimeout=visibility_timeout_s,
                MessageSystemAttributeNames=_SYSTEM_ATTRIBUTES,
                MessageAttributeNames=TRAVELS,
                **again,
            )
        # SQS omits the member when there is no message.
        return [_delivery(message) for message in answer.get("Messages", [])]

    def delete_batch(self, deliveries: Sequence[Delivery]) -> Results:
        entries: Any = _entries(deliveries)
        with self._translated("delete"):
            answer = self._client.delete_message_batch(QueueUrl=self._url(), Entries=entries)
        return self._results("delete", answer, len(deliveries))

    def change_visibility_batch(self, deliveries: Sequence[Delivery], *, timeout_s: int) -> Results:
        entries: Any = [e | {"VisibilityTimeout": timeout_s} for e in _entries(deliveries)]
        with self._translated("change visibility"):
            answer = self._client.change_message_visibility_batch(
                QueueUrl=self._url(), Entries=entries
            )
        return self._results("change visibility", answer, len(deliveries))

    def depth(self) -> Depth:
        waiting, held = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        with self._translated("count"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url(),
                AttributeNames=[waiting, held],  # type: ignore[list-item]
            )["Attributes"]
            return Depth(waiting=int(answer[waiting]), held=int(answer[held]))  # type: ignore[index]

    def check(self) -> None:
        with self._translated("check"):
            self._client.get_queue_attributes(QueueUrl=self._url(), AttributeNames=["QueueArn"])

    def _url(self) -> str:
        if self._known_url is None:
            self._known_url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._known_url

    def _results(self, verb: str, answer: Any, count: int) -> Results:
        # Matched by id, since SQS may return results in any order. An entry without a result
        # counts as failed.
        unsaid = f"SQS did not say whether it did the {verb} on {self._name}."
        results: Results = [QueueUnavailableError(_UNAVAILABLE, reason=unsaid)] * count
        for done in answer.get("Successful", []):
            results[int(done["Id"])] = None
        for failed in answer.get("Failed", []):
            results[int(failed["Id"])] = self._error(verb, failed["Code"])
        return results

    def _error(self, verb: str, code: str) -> PipelineError:
        # Depending on the protocol, codes have the prefix AWS.SimpleQueueService. or the suffix
        # Exception. A code in response to a send never concerns a lease.
        if verb != "send" and code.rpartition(".")[2].removesuffix("Exception") in _LEASE_LOST:
            return LeaseLostError(f"SQS answered {code} to {verb} on {self._name}.")
        return QueueUnavailableError(
            _UNAVAILABLE, reason=f"SQS answered {code} to {verb} on {self._name}."
        )

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            yield
        # RuntimeError: a stale credential. KeyError: a response that is not from SQS.
        except (ClientError, BotoCoreError, RuntimeError, KeyError) as exc:
            self._known_url = None  # the queue may have been recreated under another URL
            place = aws.place(self._client, f"{verb} on queue {self._name}")
            reason = fault_of(exc).sentence(place)
            raise QueueUnavailableError(
                _UNAVAILABLE, reason=reason, endpoint=place.endpoint
            ) from exc


def _parts(messages: Sequence[Message]) -> list[list[Message]]:
    """The *messages* in their order, in lists that each fit into one request."""
    parts: list[list[Message]] = [[]]
    left = _MAX_REQUEST_BYTES
    for message in messages:
        size = _size_bytes(message)
        if size > left and parts[-1]:
            parts.append([])
            left = _MAX_REQUEST_BYTES
        parts[-1].append(message)
        left -= size
    return parts


def _size_bytes(message: Message) -> int:
    attributes = message.attributes.items()
    texts = (message.body, *(f"{name}String{value}" for name, value in attributes))
    return sum(len(text.encode(errors="replace")) for text in texts)


def _entry_of(message: Message) -> Any:
    sent: dict[str, Any] = {
        "MessageBody": message.body,
        "MessageGroupId": message.group,
        "MessageDeduplicationId": message.deduplication_id,
    }
    if message.attributes:
        sent["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in message.attributes.items()
        }
    return sent


def _entries(deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    return [{"Id": str(n), "ReceiptHandle": d.receipt_handle} for n, d in enumerate(deliveries)]


def _delivery(message: MessageTypeDef) -> Delivery:
    attributes = message["Attributes"]
    # Other producers can send binary attributes under these names, without a StringValue.
    said = message.get("MessageAttributes", {})
    sent_ms = attributes.get("SentTimestamp")
    return Delivery(
        body=message["Body"],
        message_id=message["MessageId"],
        group=attributes["MessageGroupId"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        receipt_handle=message["ReceiptHandle"],
        attributes={n: v["StringValue"] for n, v in said.items() if "StringValue" in v},
        sent_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC) if sent_ms else None,
    )
