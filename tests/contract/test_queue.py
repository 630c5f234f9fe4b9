"""What we need of a FIFO queue."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from app.aws import clients as aws
from app.domain.ports import MAX_BATCH, Delivery, Depth, Message, Queue
from app.errors import LeaseLostError, QueueUnavailableError
from app.settings import Settings
from app.sqs_service import SqsQueue
from testkit.in_memory.fakes import MemoryQueue
from testkit.timing.waiting import assert_within, wait_until
from tests.contract.conftest import VISIBILITY_TIMEOUT_S


def message(body: str, group: str = "g") -> Message:
    return Message(body, group, str(uuid.uuid4()))


def receive(
    queue: Queue, most: int = MAX_BATCH, *, visibility_timeout_s: int = VISIBILITY_TIMEOUT_S
) -> list[Delivery]:
    return queue.receive(
        max_messages=most, wait_time_s=0, visibility_timeout_s=visibility_timeout_s
    )


def bodies(deliveries: list[Delivery]) -> list[str]:
    return [delivery.body for delivery in deliveries]


def test_an_empty_queue_gives_nothing(queue: Queue) -> None:
    assert receive(queue) == []


def test_a_message_comes_with_its_group_and_count(queue: Queue) -> None:
    queue.send(message("one"))

    (delivery,) = receive(queue)

    assert (delivery.body, delivery.group, delivery.receive_count) == ("one", "g", 1)
    assert uuid.UUID(delivery.message_id)


def test_a_message_comes_with_the_time_at_which_it_was_sent(queue: Queue) -> None:
    began_at = datetime.now(UTC) - timedelta(milliseconds=1)  # SQS counts whole milliseconds
    queue.send(message("one"))

    (delivery,) = receive(queue)

    assert delivery.sent_at
    assert began_at <= delivery.sent_at <= datetime.now(UTC)


def test_the_attributes_of_a_message_arrive_with_it(queue: Queue) -> None:
    said = {"traceparent": "00-1-2-01", "tracestate": "a=1", "request_id": "ask-4711"}
    queue.send(replace(message("one", "a"), attributes=said))
    queue.send_batch([replace(message("two", "b"), attributes=said), message("three", "c")])

    found = {delivery.body: delivery.attributes for delivery in receive(queue)}

    assert found == {"one": said, "two": said, "three": {}}


def test_attributes_of_other_producers_are_no_hindrance(sqs_queue: SqsQueue) -> None:
    others = {
        "traceparent": {"DataType": "Binary", "BinaryValue": b"x"},
        "request_id": {"DataType": "Number", "StringValue": "7"},
        "colour": {"DataType": "String", "StringValue": "red"},
    }
    sqs_queue._client.send_message(
        QueueUrl=sqs_queue._url(),
        MessageBody="one",
        MessageGroupId="g",
        MessageDeduplicationId="d",
        MessageAttributes=others,
    )

    (delivery,) = receive(sqs_queue)

    assert delivery.attributes == {"request_id": "7"}


def test_a_long_poll_returns_as_soon_as_there_is_a_message(queue: Queue) -> None:
    queue.send(message("one"))
    started_at = time.monotonic()

    found = queue.receive(max_messages=1, wait_time_s=10, visibility_timeout_s=60)

    assert bodies(found) == ["one"]
    assert_within(time.monotonic() - started_at, 5)


def test_a_batch_is_accepted_in_order_and_each_message_has_its_result(queue: Queue) -> None:
    results = queue.send_batch([message(f"{n}") for n in range(MAX_BATCH)])

    assert results == [None] * MAX_BATCH
    assert bodies(receive(queue)) == [f"{n}" for n in range(MAX_BATCH)]


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_of_none_or_more_than_ten_is_refused_whole(queue: Queue, count: int) -> None:
    with pytest.raises(QueueUnavailableError):
        queue.send_batch([message(f"{n}") for n in range(count)])

    assert receive(queue) == []


def test_large_messages_are_split_over_several_requests(queue: Queue) -> None:
    large = [message(f"{n}" + "x" * 200_000) for n in range(MAX_BATCH)]

    assert queue.send_batch(large) == [None] * MAX_BATCH
    assert [body[0] for body in bodies(receive(queue))] == [str(n) for n in range(MAX_BATCH)]


def test_a_receive_returns_at_most_the_requested_number(queue: Queue) -> None:
    queue.send_batch([message(f"{n}") for n in range(5)])

    assert bodies(receive(queue, 3)) == ["0", "1", "2"]


def test_a_received_message_holds_back_its_group_and_no_other(queue: Queue) -> None:
    queue.send_batch([message("a1", "a"), message("a2", "a"), message("b1", "b")])

    assert bodies(receive(queue, 1, visibility_timeout_s=60)) == ["a1"]
    assert bodies(receive(queue, 1, visibility_timeout_s=60)) == ["b1"]
    assert receive(queue) == []


def test_deleted_messages_let_the_next_of_their_group_through(queue: Queue) -> None:
    queue.send_batch([message("a1"), message("a2"), message("a3")])
    first_two = receive(queue, 2)

    assert queue.delete_batch(first_two) == [None, None]

    assert bodies(receive(queue)) == ["a3"]


def test_deleting_twice_is_no_error(queue: Queue) -> None:
    queue.send(message("one"))
    deliveries = receive(queue)
    queue.delete_batch(deliveries)

    assert queue.delete_batch(deliveries) == [None]


def test_an_undeleted_message_is_delivered_again_after_its_timeout_and_counted(
    queue: Queue,
) -> None:
    queue.send(message("one"))
    asked_at = time.monotonic()
    receive(queue)

    (again,) = wait_until(lambda: receive(queue), within_s=VISIBILITY_TIMEOUT_S + 5)

    assert (again.body, again.receive_count) == ("one", 2)
    assert time.monotonic() - asked_at > VISIBILITY_TIMEOUT_S - 0.1


def test_returned_messages_are_delivered_again_at_once_in_order(queue: Queue) -> None:
    queue.send_batch([message("1"), message("2"), message("3")])
    deliveries = receive(queue)

    assert queue.change_visibility_batch(deliveries, timeout_s=0) == [None] * 3

    again = wait_until(lambda: receive(queue), within_s=1.5)
    assert [(d.body, d.receive_count) for d in again] == [("1", 2), ("2", 2), ("3", 2)]


def test_a_renewed_message_stays_hidden_and_the_first_handle_deletes_it(queue: Queue) -> None:
    queue.send(message("one"))
    deliveries = receive(queue)
    queue.change_visibility_batch(deliveries, timeout_s=60)

    hidden_until = time.monotonic() + VISIBILITY_TIMEOUT_S + 0.5
    seen = wait_until(lambda: receive(queue) or time.monotonic() > hidden_until, every_s=0.3)

    assert seen is True
    assert queue.delete_batch(deliveries) == [None]


def test_the_same_deduplication_id_is_sent_once_even_after_the_delete(queue: Queue) -> None:
    same = Message("one", "g", "x")
    queue.send(same)
    queue.delete_batch(receive(queue))

    queue.send(same)
    assert queue.send_batch([same]) == [None]

    assert receive(queue) == []


def test_the_depth_says_how_many_wait_and_how_many_are_held(queue: Queue) -> None:
    assert queue.depth() == Depth(waiting=0, held=0)
    queue.send_batch([message("a", "a"), message("b", "b"), message("c", "c")])
    receive(queue, 1, visibility_timeout_s=60)

    wait_until(lambda: queue.depth() == Depth(waiting=2, held=1), within_s=60)


def test_an_existing_queue_passes_the_check(queue: Queue) -> None:
    queue.check()


# --- a lease that has ended: AWS refuses the handle on FIFO queues, LocalStack 4.12 takes it ----


def expired(queue: Queue) -> list[Delivery]:
    """A delivery whose time is over and whose message somebody else has by now."""
    queue.send(message("one"))
    stale = receive(queue, visibility_timeout_s=1)
    wait_until(lambda: receive(queue, visibility_timeout_s=60), within_s=60)
    return stale


def test_the_fake_refuses_an_expired_handle_as_aws_does() -> None:
    queue = MemoryQueue()
    stale = expired(queue)

    (deleted,) = queue.delete_batch(stale)
    (changed,) = queue.change_visibility_batch(stale, timeout_s=60)

    assert isinstance(deleted, LeaseLostError)
    assert isinstance(changed, LeaseLostError)
    assert queue.bodies == ["one"]


def test_localstack_takes_an_expired_handle_so_it_cannot_show_a_lost_lease(
    sqs_queue: SqsQueue,
) -> None:
    """Should this fail one day, LocalStack has learnt it, and the test above can have both."""
    stale = expired(sqs_queue)

    assert sqs_queue.change_visibility_batch(stale, timeout_s=60) == [None]
    assert sqs_queue.delete_batch(stale) == [None]


# --- what SQS may answer and LocalStack does not ------------------------------------------------

DELIVERIES = [Delivery("{}", f"m{n}", "g", 1, f"handle-{n}") for n in range(4)]
MESSAGES = [message(f"{n}") for n in range(4)]
URL = "http://127.0.0.1:9/q.fifo"


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("sqs", region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
    with Stubber(client) as stub:
        stub.add_response("get_queue_url", {"QueueUrl": URL})
        yield stub
        stub.assert_no_pending_responses()


def failed(place: int, code: str) -> dict[str, Any]:
    return {"Id": str(place), "Code": code, "SenderFault": True, "Message": "m"}


def call(stub: Stubber, verb: str) -> list[Any]:
    queue = SqsQueue(stub.client, "q.fifo")
    if verb == "send_message_batch":
        return queue.send_batch(MESSAGES)
    if verb == "delete_message_batch":
        return queue.delete_batch(DELIVERIES)
    return queue.change_visibility_batch(DELIVERIES, timeout_s=7)


def done(verb: str, place: int) -> dict[str, Any]:
    sent = {"MessageId": "m", "MD5OfMessageBody": "0" * 32, "SequenceNumber": "1"}
    return {"Id": str(place)} | (sent if verb == "send_message_batch" else {})


VERBS = ["send_message_batch", "delete_message_batch", "change_message_visibility_batch"]


@pytest.mark.parametrize("prefix", ["", "AWS.SimpleQueueService."])
@pytest.mark.parametrize(
    "code", ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"]
)
@pytest.mark.parametrize("verb", VERBS[1:])
def test_a_handle_that_sqs_refuses_is_a_lost_lease(
    stub: Stubber, verb: str, code: str, prefix: str
) -> None:
    answer = {
        "Successful": [done(verb, n) for n in (0, 2, 3)],
        "Failed": [failed(1, prefix + code)],
    }
    stub.add_response(verb, answer)

    results = call(stub, verb)

    assert isinstance(results[1], LeaseLostError)
    assert [results[n] for n in (0, 2, 3)] == [None] * 3


@pytest.mark.parametrize("verb", VERBS)
def test_results_are_in_the_order_of_the_entries_whatever_the_order_of_the_answer(
    stub: Stubber, verb: str
) -> None:
    answer = {
        "Successful": [done(verb, 3), done(verb, 0)],
        "Failed": [failed(2, "InternalError"), failed(1, "RequestThrottled")],
    }
    stub.add_response(verb, answer)

    results = call(stub, verb)

    assert (results[0], results[3]) == (None, None)
    assert isinstance(results[1], QueueUnavailableError)
    assert "RequestThrottled" in str(results[1])
    assert "InternalError" in str(results[2])


@pytest.mark.parametrize("verb", VERBS)
def test_an_entry_that_the_answer_does_not_mention_counts_as_failed(
    stub: Stubber, verb: str
) -> None:
    stub.add_response(verb, {"Successful": [done(verb, n) for n in (0, 1, 2)], "Failed": []})

    results = call(stub, verb)

    assert results[:3] == [None] * 3
    assert isinstance(results[3], QueueUnavailableError)
    assert "did not say" in str(results[3])


@pytest.mark.parametrize("text", ["x" * 200_000, "é" * 100_000])
def test_after_a_refused_request_no_later_large_message_overtakes_its_messages(
    stub: Stubber, text: str
) -> None:
    verb = "send_message_batch"
    stub.add_response(verb, {"Successful": [done(verb, 0)], "Failed": []})
    stub.add_client_error(verb, "ServiceUnavailable", http_status_code=503)

    results = SqsQueue(stub.client, "q.fifo").send_batch([message(text) for _ in range(3)])

    assert results[0] is None
    assert all(isinstance(result, QueueUnavailableError) for result in results[1:])


@pytest.mark.parametrize("verb", VERBS)
def test_a_request_that_is_refused_whole_raises(stub: Stubber, verb: str) -> None:
    stub.add_client_error(verb, "ServiceUnavailable", http_status_code=503)

    with pytest.raises(QueueUnavailableError, match="ServiceUnavailable"):
        call(stub, verb)


def test_a_receive_passes_its_arguments_to_sqs(stub: Stubber) -> None:
    asked = {
        "QueueUrl": URL,
        "MaxNumberOfMessages": MAX_BATCH,
        "WaitTimeSeconds": 3,
        "VisibilityTimeout": 7,
        "ReceiveRequestAttemptId": "again",
        "MessageSystemAttributeNames": ANY,
        "MessageAttributeNames": ANY,
    }
    stub.add_response("receive_message", {}, asked)

    found = SqsQueue(stub.client, "q.fifo").receive(
        max_messages=25, wait_time_s=3, visibility_timeout_s=7, attempt_id="again"
    )

    assert found == []


# --- outages ------------------------------------------------------------------------------------


def test_a_missing_queue_and_a_dead_endpoint_are_queue_unavailable(
    aws_settings: Settings,
) -> None:
    missing = SqsQueue(aws.sqs_client(aws_settings), "no-such-queue.fifo")
    nowhere = aws_settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    dead = SqsQueue(aws.sqs_client(nowhere), "any.fifo")

    with pytest.raises(QueueUnavailableError, match=r"NonExistentQueue|QueueDoesNotExist"):
        missing.check()
    with pytest.raises(QueueUnavailableError, match="the connection was refused"):
        dead.send_batch([message("x")])
    with pytest.raises(QueueUnavailableError, match="the connection was refused"):
        dead.depth()


def test_a_recreated_queue_is_found_without_a_restart(aws_settings: Settings) -> None:
    client = aws.sqs_client(aws_settings)
    name, attributes = aws_settings.input_queue, {"FifoQueue": "true"}
    queue = SqsQueue(client, name)
    url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
    queue.check()
    client.delete_queue(QueueUrl=url)
    with pytest.raises(QueueUnavailableError):
        queue.check()

    client.create_queue(QueueName=name, Attributes=attributes)  # type: ignore[arg-type]

    queue.check()
