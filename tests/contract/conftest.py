"""Each test here runs twice: on the fake and on LocalStack."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from app import aws
from app.domain import Bucket, Queue
from app.s3_service import S3Bucket
from app.settings import Settings
from app.sqs_service import SqsQueue
from tests.support.fakes import MemoryBucket, MemoryQueue

#: Long enough for two calls in a row, short enough to wait for.
VISIBILITY_TIMEOUT_S = 2


@pytest.fixture(params=["memory", "aws"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    if request.param == "memory":
        return MemoryBucket()
    settings: Settings = request.getfixturevalue("aws_settings")
    client = aws.s3_client(settings)
    client.create_bucket(Bucket=settings.input_bucket)
    return S3Bucket(client, settings.input_bucket)


@pytest.fixture(params=["memory", "aws"])
def queue(request: pytest.FixtureRequest) -> Iterator[Queue]:
    if request.param == "memory":
        yield MemoryQueue(visibility_timeout_s=VISIBILITY_TIMEOUT_S)
        return
    settings: Settings = request.getfixturevalue("aws_settings")
    client = aws.sqs_client(settings)
    name = f"contract-{uuid.uuid4().hex[:12]}.fifo"
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
    }
    url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
    yield SqsQueue(client, name)
    client.delete_queue(QueueUrl=url)
