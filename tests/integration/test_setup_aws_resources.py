"""Setup creates the documented buckets and queues, repeatedly and over existing resources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.stub import Stubber

from app.aws import clients as aws
from app.errors import ResourceError
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.root import ROOT

HIGH_THROUGHPUT = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
    "SqsManagedSseEnabled": "true",
}


def ensure(settings: Settings) -> None:
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))


def attributes(settings: Settings, name: str) -> dict[str, str]:
    sqs = aws.sqs_client(settings)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {str(k): v for k, v in answer["Attributes"].items()}


def bucket_facts(settings: Settings, name: str) -> dict[str, Any]:
    s3 = aws.s3_client(settings)
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    return {
        "encryption": rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "expiry_days": lifecycle[0]["Expiration"]["Days"],
        "public_access_blocks": sorted(k for k, v in block.items() if v),
    }


def test_all_resources_are_created_as_documented(aws_settings: Settings) -> None:
    ensure(aws_settings)

    jobs = attributes(aws_settings, aws_settings.input_queue)
    dead = attributes(aws_settings, aws_settings.input_dead_letter_queue)
    announced = attributes(aws_settings, aws_settings.processed_queue)
    assert jobs.items() >= HIGH_THROUGHPUT.items()
    assert announced.items() >= HIGH_THROUGHPUT.items()
    assert (jobs["VisibilityTimeout"], jobs["ReceiveMessageWaitTimeSeconds"]) == ("60", "10")
    assert json.loads(jobs["RedrivePolicy"]) == {
        "deadLetterTargetArn": dead["QueueArn"],
        "maxReceiveCount": 5,
    }
    assert (dead["FifoQueue"], dead["MessageRetentionPeriod"]) == ("true", "1209600")
    for bucket in (aws_settings.input_bucket, aws_settings.processed_bucket):
        assert bucket_facts(aws_settings, bucket) == {
            "encryption": "AES256",
            "expiry_days": 7,
            "public_access_blocks": [
                "BlockPublicAcls",
                "BlockPublicPolicy",
                "IgnorePublicAcls",
                "RestrictPublicBuckets",
            ],
        }


def test_a_second_run_changes_nothing(aws_settings: Settings) -> None:
    ensure(aws_settings)
    before = attributes(aws_settings, aws_settings.input_queue)

    ensure(aws_settings)

    after = attributes(aws_settings, aws_settings.input_queue)
    assert after == before  # LastModifiedTimestamp included


def test_concurrent_runs_succeed(aws_settings: Settings) -> None:
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(ensure, aws_settings) for _ in range(6)]

    assert [run.exception() for run in runs] == [None] * 6


def test_resources_with_other_attributes_are_updated(aws_settings: Settings) -> None:
    aws.s3_client(aws_settings).create_bucket(Bucket=aws_settings.input_bucket)
    aws.sqs_client(aws_settings).create_queue(
        QueueName=aws_settings.input_queue,
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "30", "DelaySeconds": "0"},
    )

    ensure(aws_settings)

    jobs = attributes(aws_settings, aws_settings.input_queue)
    assert jobs.items() >= HIGH_THROUGHPUT.items()
    assert jobs["VisibilityTimeout"] == "60"
    assert "RedrivePolicy" in jobs
    assert bucket_facts(aws_settings, aws_settings.input_bucket)["expiry_days"] == 7


def test_settings_determine_the_times_and_counts_of_the_resources(aws_settings: Settings) -> None:
    ensure(aws_settings)
    changed = {"visibility_timeout_s": 90, "max_receives": 3, "retention_days": 30}

    ensure(aws_settings.model_copy(update=changed))

    jobs = attributes(aws_settings, aws_settings.input_queue)
    assert jobs["VisibilityTimeout"] == "90"
    assert json.loads(jobs["RedrivePolicy"])["maxReceiveCount"] == 3
    assert bucket_facts(aws_settings, aws_settings.input_bucket)["expiry_days"] == 30


def test_other_settings_of_the_owner_of_a_bucket_are_kept(aws_settings: Settings) -> None:
    ensure(aws_settings)
    real = aws_settings.model_copy(update={"aws_endpoint_url": None})
    s3, name = aws.s3_client(aws_settings), aws_settings.input_bucket
    own_rule: Any = {
        "ID": "mine",
        "Status": "Enabled",
        "Filter": {"Prefix": "mine/"},
        "Expiration": {"Days": 3},
    }
    own_statement = {
        "Sid": "Mine",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteBucket",
        "Resource": f"arn:aws:s3:::{name}",
    }
    kms: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [own_rule]})
    policy = {"Version": "2012-10-17", "Statement": [own_statement]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [kms]})

    for _ in range(2):
        ensure_resources(real, s3=s3, sqs=aws.sqs_client(aws_settings))

    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    statements = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    assert [rule["ID"] for rule in rules] == ["mine", "expire"]
    assert [each["Sid"] for each in statements] == ["Mine", "DenyPlainHttp", "DenyOldTls"]
    assert "aws:kms" in str(encryption["Rules"])


def test_retention_of_zero_days_keeps_everything(aws_settings: Settings) -> None:
    ensure(aws_settings)

    ensure(aws_settings.model_copy(update={"retention_days": 0}))

    s3 = aws.s3_client(aws_settings)
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=aws_settings.input_bucket)


def test_a_region_other_than_us_east_1_is_sent_to_s3(aws_settings: Settings) -> None:
    settings = aws_settings.model_copy(update={"aws_region": "sa-east-1"})

    ensure(settings)

    place = aws.s3_client(settings).get_bucket_location(Bucket=settings.input_bucket)
    assert place["LocationConstraint"] == "sa-east-1"


def test_a_bucket_in_another_region_is_a_clear_error(aws_settings: Settings) -> None:
    ensure(aws_settings.model_copy(update={"aws_region": "sa-east-1"}))

    with pytest.raises(ResourceError, match=r"is in another region.*AWS_REGION"):
        ensure(aws_settings)


@pytest.mark.parametrize(
    ("head_status", "verb", "code", "complaint"),
    [
        (403, "list_objects_v2", "AccessDenied", "belongs to another AWS account.*INPUT_BUCKET"),
        (404, "create_bucket", "BucketAlreadyExists", "belongs to another AWS account"),
        (301, "list_objects_v2", "PermanentRedirect", "is in another region.*AWS_REGION"),
        (400, "list_objects_v2", "ExpiredToken", "credentials have expired.*AWS_SESSION_TOKEN"),
        (403, "list_objects_v2", "InvalidAccessKeyId", "credentials are wrong.*AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_bucket_that_only_aws_would_refuse_is_a_clear_error(
    aws_settings: Settings, head_status: int, verb: str, code: str, complaint: str
) -> None:
    """With stubbed responses of AWS: LocalStack lets every account see every bucket."""
    s3 = aws.s3_client(aws_settings)
    with Stubber(s3) as stub:
        stub.add_client_error("head_bucket", str(head_status), http_status_code=head_status)
        status = 409 if verb == "create_bucket" else head_status
        stub.add_client_error(verb, code, http_status_code=status)

        with pytest.raises(ResourceError, match=complaint):
            ensure_resources(aws_settings, s3=s3, sqs=aws.sqs_client(aws_settings))


def test_on_aws_plain_http_and_old_tls_are_denied(aws_settings: Settings) -> None:
    """A client for LocalStack, with settings that name no endpoint, stands in for AWS."""
    real = aws_settings.model_copy(update={"aws_endpoint_url": None})

    ensure_resources(real, s3=aws.s3_client(aws_settings), sqs=aws.sqs_client(aws_settings))

    for bucket in (real.input_bucket, real.processed_bucket):
        policy = json.loads(aws.s3_client(aws_settings).get_bucket_policy(Bucket=bucket)["Policy"])
        assert [s["Effect"] for s in policy["Statement"]] == ["Deny", "Deny"]
        assert [s["Condition"] for s in policy["Statement"]] == [
            {"Bool": {"aws:SecureTransport": "false"}},
            {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        ]


def test_on_aws_the_queues_refuse_plain_http_and_keep_the_statements_of_their_owner(
    aws_settings: Settings,
) -> None:
    real = aws_settings.model_copy(update={"aws_endpoint_url": None})
    s3, sqs = aws.s3_client(aws_settings), aws.sqs_client(aws_settings)
    ensure_resources(real, s3=s3, sqs=sqs)
    url = sqs.get_queue_url(QueueName=real.processed_queue)["QueueUrl"]
    arn = attributes(aws_settings, real.processed_queue)["QueueArn"]
    mine = {"Sid": "Mine", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:*"}
    # A single statement may stand without a list, and AddPermission writes the older version.
    policy = {"Version": "2008-10-17", "Id": "theirs", "Statement": mine | {"Resource": arn}}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})

    ensure_resources(real, s3=s3, sqs=sqs)
    before = attributes(aws_settings, real.processed_queue)
    ensure_resources(real, s3=s3, sqs=sqs)

    for queue in (real.input_queue, real.processed_queue, real.input_dead_letter_queue):
        statements = json.loads(attributes(aws_settings, queue)["Policy"])["Statement"]
        assert statements[-1]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    found = json.loads(before["Policy"])
    assert (found["Version"], found["Id"]) == ("2008-10-17", "theirs")
    assert [each["Sid"] for each in found["Statement"]] == ["Mine", "DenyPlainHttp"]
    assert attributes(aws_settings, real.processed_queue) == before


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the connection was refused"),
        ({"INPUT_BUCKET": "No Good"}, "INPUT_BUCKET"),
    ],
)
def test_setup_reports_a_fault_in_one_line(variables: dict[str, str], complaint: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "app.setup_aws_resources"],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert complaint in answer.stderr
