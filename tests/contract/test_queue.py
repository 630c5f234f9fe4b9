"""What we need of a FIFO queue."""

from __future__ import annotations

import uuid

import pytest

from app import aws
from app.domain import Delivery, Queue
from app.errors import QueueUnavailableError
from app.settings import Settings
from app.sqs_service import SqsQueue
from tests.contract.conftest import VISIBILITY_TIMEOUT_S
from tests.support.waiting import wait_until


def send(queue: Queue, body: str, group: str) -> None:
    queue.send(body, group=group, deduplication_id=str(uuid.uuid4()))


def receive(queue: Queue, most: int = 10) -> list[Delivery]:
    return queue.receive(max_messages=most, wait_time_s=0)


def test_an_empty_queue_gives_nothing(queue: Queue) -> None:
    assert receive(queue) == []


def test_a_message_comes_with_its_group_and_count(queue: Queue) -> None:
    send(queue, "one", "g")

    (delivery,) = receive(queue)

    assert (delivery.body, delivery.group, delivery.receive_count) == ("one", "g", 1)
    assert uuid.UUID(delivery.message_id)


def test_a_received_message_holds_back_its_group_and_no_other(queue: Queue) -> None:
    send(queue, "a1", "a")
    send(queue, "a2", "a")
    send(queue, "b1", "b")

    assert [d.body for d in receive(queue, 1)] == ["a1"]
    assert [d.body for d in receive(queue, 1)] == ["b1"]
    assert receive(queue) == []


def test_a_deleted_message_lets_the_next_of_its_group_through(queue: Queue) -> None:
    send(queue, "a1", "a")
    send(queue, "a2", "a")
    (first,) = receive(queue, 1)

    queue.delete(first)

    assert [d.body for d in receive(queue)] == ["a2"]


def test_a_message_nobody_deletes_comes_again_and_is_counted(queue: Queue) -> None:
    send(queue, "one", "g")
    receive(queue)

    (again,) = wait_until(lambda: receive(queue), within_s=VISIBILITY_TIMEOUT_S + 5)

    assert (again.body, again.receive_count) == ("one", 2)


def test_a_released_message_comes_again_at_once(queue: Queue) -> None:
    send(queue, "one", "g")
    (delivery,) = receive(queue)

    queue.release(delivery, delay_s=0)

    (again,) = wait_until(lambda: receive(queue), within_s=1.5)
    assert again.receive_count == 2


def test_the_same_deduplication_id_is_sent_once_even_after_the_delete(queue: Queue) -> None:
    queue.send("one", group="g", deduplication_id="x")
    queue.delete(receive(queue)[0])

    queue.send("one", group="g", deduplication_id="x")

    assert receive(queue) == []


def test_a_queue_that_is_there_passes_the_check(queue: Queue) -> None:
    queue.check()


def test_a_missing_queue_and_a_dead_endpoint_are_queue_unavailable(
    aws_settings: Settings,
) -> None:
    missing = SqsQueue(aws.sqs_client(aws_settings), "no-such-queue.fifo")
    nowhere = aws_settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    dead = SqsQueue(aws.sqs_client(nowhere), "any.fifo")

    with pytest.raises(QueueUnavailableError, match=r"NonExistentQueue|QueueDoesNotExist"):
        missing.check()
    with pytest.raises(QueueUnavailableError, match="did not answer"):
        send(dead, "x", "g")


def test_a_queue_made_anew_is_found_without_a_restart(aws_settings: Settings) -> None:
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
