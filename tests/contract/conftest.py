"""Each test on `bucket` and `queue` runs twice: on the fake and on LocalStack."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from app.aws import clients as aws
from app.domain.ports import Bucket, Queue
from app.observability.metrics import AwsMetrics
from app.s3_service import S3Bucket
from app.settings import Settings
from app.sqs_service import SqsQueue
from testkit.in_memory.fakes import MemoryBucket, MemoryQueue

#: Long enough for two calls in a row, short enough to wait for.
VISIBILITY_TIMEOUT_S = 2


@pytest.fixture(params=["memory", "aws"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    if request.param == "memory":
        return MemoryBucket()
    return request.getfixturevalue("s3_bucket")


@pytest.fixture
def s3_bucket(aws_settings: Settings) -> S3Bucket:
    aws.s3_client(aws_settings).create_bucket(Bucket=aws_settings.input_bucket)
    return S3Bucket(aws_settings, aws_settings.input_bucket, AwsMetrics())


@pytest.fixture(params=["memory", "aws"])
def queue(request: pytest.FixtureRequest) -> Queue:
    if request.param == "memory":
        return MemoryQueue()
    return request.getfixturevalue("sqs_queue")


@pytest.fixture
def sqs_queue(aws_settings: Settings) -> Iterator[SqsQueue]:
    client = aws.sqs_client(aws_settings)
    name = f"contract-{uuid.uuid4().hex[:12]}.fifo"
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        # Not what is asked for on receipt, so that a test sees which of the two counts.
        "VisibilityTimeout": "300",
    }
    url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
    yield SqsQueue(client, name)
    client.delete_queue(QueueUrl=url)
