"""The findings of `doctor` in LocalStack when a resource is missing, denied or wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.aws.fault_proxy import FaultProxy, Rule, Status
from testkit.processes.fleet import environment
from testkit.root import ROOT
from tests.conftest import own_settings


@pytest.fixture(scope="module")
def made(endpoint: str) -> Settings:
    """Settings whose buckets and queues exist."""
    settings = own_settings(endpoint)
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings


@pytest.fixture
def proxy(made: Settings) -> Iterator[FaultProxy]:
    with FaultProxy(made.aws_endpoint_url) as proxy:
        yield proxy


def doctor(settings: Settings, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "app", "doctor", *options],
        cwd=ROOT,
        env=os.environ | environment(settings) | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done


def failing(settings: Settings, **variables: str) -> list[str]:
    done = doctor(settings, "--failing", **variables)
    assert done.returncode == 1, done.stdout
    return done.stdout.splitlines()


def changed(settings: Settings, **values: object) -> Settings:
    return settings.model_copy(update=values)


@pytest.mark.parametrize("role", ["all", "web", "worker", "operator"])
def test_a_complete_setup_passes_every_check_and_is_not_changed(made: Settings, role: str) -> None:
    done = doctor(made, "--role", role)

    assert done.returncode == 0, done.stdout
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"ok"}
    sqs, s3 = aws.sqs_client(made), aws.s3_client(made)
    for queue in (made.input_queue, made.processed_queue, made.input_dead_letter_queue):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)
    for bucket in (made.input_bucket, made.processed_bucket):
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_waiting_job_is_not_received(made: Settings) -> None:
    sqs = aws.sqs_client(made)
    url = sqs.get_queue_url(QueueName=made.input_queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")

    assert doctor(made).returncode == 0

    answer = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=0, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )
    (message,) = answer["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert message["Attributes"] == {"ApproximateReceiveCount": "1"}


def test_a_missing_bucket_and_a_missing_queue_are_named(made: Settings) -> None:
    bucket, queue = failing(
        changed(made, input_bucket="not-there", input_dead_letter_queue="no.fifo")
    )

    assert bucket.startswith("doctor: bucket not-there: there is no such bucket. Run ")
    assert queue.startswith("doctor: queue no.fifo: there is no such queue")


@pytest.mark.parametrize(
    ("operation", "action", "count"),
    [
        ("ListObjectsV2", "s3:ListBucket", 2),
        ("GetObject", "s3:GetObject", 2),
        ("PutObject", "s3:PutObject", 2),
        ("DeleteObject", "s3:DeleteObject", 1),
        ("GetQueueAttributes", "sqs:GetQueueAttributes", 3),
        ("SendMessageBatch", "sqs:SendMessage", 2),
        ("ReceiveMessage", "sqs:ReceiveMessage", 1),
        ("DeleteMessageBatch", "sqs:DeleteMessage", 1),
        ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", 1),
    ],
)
def test_a_missing_permission_is_named_for_each_resource(
    made: Settings, proxy: FaultProxy, operation: str, action: str, count: int
) -> None:
    proxy.rules = [Rule(Status(403, "AccessDenied"), frozenset({operation}))]

    lines = failing(changed(made, aws_endpoint_url=proxy.url))

    named = [line for line in lines if line.startswith("doctor: rights on ")]
    assert len(named) == count
    assert all(f"denied: {action}" in line for line in named)


def test_wrong_credentials_are_reported_once_and_end_the_checks(
    made: Settings, proxy: FaultProxy
) -> None:
    proxy.rules = [Rule(Status(403, "InvalidClientTokenId"), frozenset({"GetQueueUrl"}))]

    (line,) = failing(changed(made, aws_endpoint_url=proxy.url))

    assert line.startswith("doctor: credentials: the AWS credentials are wrong")


def test_missing_credentials_are_a_finding(made: Settings) -> None:
    nowhere = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}

    (line,) = failing(made, AWS_EC2_METADATA_DISABLED="true", **nowhere, **none)

    assert line.startswith("doctor: credentials: there are no AWS credentials. Set ")


def test_a_dead_endpoint_is_one_failing_line(made: Settings) -> None:
    (line,) = failing(changed(made, aws_endpoint_url="http://127.0.0.1:9"))

    assert line.startswith("doctor: endpoint http://127.0.0.1:9: nobody listens there: start ")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RATE_LIMIT": "lots"}, "doctor: settings: RATE_LIMIT='lots': use "),
        ({"AWS_PROFILE": "nope"}, "doctor: settings: The config profile (nope)"),
        (
            {"DOTENV_NAMES": "MAX_UPLOAD_BYTE PATH"},
            "doctor: setting MAX_UPLOAD_BYTE: does not exist; .env probably means MAX_UPLOAD_BYTES",
        ),
    ],
)
def test_a_wrong_setting_is_a_finding(made: Settings, variables: dict[str, str], said: str) -> None:
    (line,) = failing(made, **variables)

    assert line.startswith(said)
