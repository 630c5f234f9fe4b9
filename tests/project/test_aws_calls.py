"""The record of the AWS calls that the whole test run is judged by."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.stub import Stubber

from app.aws import clients as aws
from app.domain.ports import Message
from app.observability.metrics import AwsMetrics
from app.settings import Settings
from app.sqs_service import SqsQueue
from testkit.aws import aws_calls
from testkit.aws.recording import sitecustomize
from testkit.root import ROOT

URL = {"QueueUrl": "http://sqs.example/q.fifo"}


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    calls: set[str] = set()
    monkeypatch.setattr(aws_calls, "performed", calls)
    return calls


def test_a_call_of_the_application_is_recorded(performed: set[str]) -> None:
    sqs = aws.sqs_client(Settings())
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_url", URL)
        stub.add_response("send_message", {"MessageId": "1", "MD5OfMessageBody": "x"})
        SqsQueue(sqs, "q.fifo").send(Message("{}", "g", "d"))

    assert performed == {"sqs:GetQueueUrl", "sqs:SendMessage"}


def test_a_call_of_a_test_is_not_recorded(performed: set[str]) -> None:
    sqs = aws.sqs_client(Settings())
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_url", URL)
        sqs.get_queue_url(QueueName="q.fifo")

    assert performed == set()


def test_calls_through_obstore_are_recorded(performed: set[str]) -> None:
    with AwsMetrics().timed("s3", "PutObject"):
        pass

    assert performed == {"s3:PutObject"}


def test_batches_and_heads_need_the_permission_of_the_single_call() -> None:
    calls = ("sqs:SendMessageBatch", "s3:HeadObject", "s3:HeadBucket", "s3:PutPublicAccessBlock")

    assert aws_calls.not_granted(calls) == []


def test_a_call_that_no_policy_grants_is_reported() -> None:
    assert aws_calls.not_granted({"s3:GetObject", "s3:DeleteBucket", "sqs:PurgeQueue"}) == [
        "s3:DeleteBucket",
        "sqs:PurgeQueue",
    ]


def test_calls_of_a_process_that_a_test_starts_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sitecustomize.VARIABLE, str(tmp_path / "aws-calls"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody is there

    done = subprocess.run([sys.executable, "-m", "app.setup_aws_resources"], cwd=ROOT, timeout=60)

    assert done.returncode == 1
    assert aws_calls.all_performed() >= {"s3:HeadBucket"}
    assert (tmp_path / "aws-calls").read_text() == "s3:HeadBucket\n"


def test_the_calls_of_all_processes_of_a_run_are_compared_with_the_policies(tmp_path: Path) -> None:
    (tmp_path / "test_of_ours.py").write_text(
        "from app.observability.metrics import AwsMetrics\n"
        "def test_it() -> None:\n"
        "    with AwsMetrics().timed('s3', 'DeleteBucket'):\n"
        "        pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n1", "-p", "tests.conftest", str(tmp_path)]
    environment = {k: v for k, v in os.environ.items() if k != sitecustomize.VARIABLE}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )

    assert "1 passed" in done.stdout
    assert "s3:DeleteBucket" in done.stdout
    assert done.returncode == 1
