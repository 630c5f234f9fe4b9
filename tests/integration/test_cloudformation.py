"""The deployed template creates the same resources as setup_aws_resources."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.aws.stacks import Account, Stack
from testkit.deploy.templates import template

#: Attributes that change while a queue is in use.
_PASSING: Final = frozenset(
    (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
    )
)
#: The outputs of the stack with the names of buckets and queues, by setting.
_BUCKETS: Final = {"input_bucket": "InputBucketName", "processed_bucket": "ProcessedBucketName"}
_QUEUES: Final = {
    "input_queue": "InputQueueName",
    "processed_queue": "ProcessedQueueName",
    "input_dead_letter_queue": "InputDeadLetterQueueName",
}


@pytest.fixture(scope="module")
def stack(account: Account) -> Stack:
    return account.deploy("data", DeployCompute="false")


def settings_of(stack: Stack) -> Settings:
    names = (_BUCKETS | _QUEUES).items()
    return Settings(**{setting: stack.outputs[output] for setting, output in names})  # type: ignore[arg-type]


def make(account: Account, settings: Settings) -> None:
    """Create the resources as on AWS, with settings that name no endpoint."""
    ensure_resources(settings, s3=account.client("s3"), sqs=account.client("sqs"))


def facts(account: Account, settings: Settings, *, passing: bool = False) -> dict[str, Any]:
    """Every attribute of every bucket and queue; their names are replaced by their settings."""
    names = {getattr(settings, setting): setting for setting in (*_BUCKETS, *_QUEUES)}
    found = {setting: bucket_facts(account, getattr(settings, setting)) for setting in _BUCKETS}
    found |= {
        setting: queue_facts(account, getattr(settings, setting), passing=passing)
        for setting in _QUEUES
    }
    text = json.dumps(found, sort_keys=True)
    # Longest names first: one name can be the prefix of another.
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    result: dict[str, Any] = json.loads(text)
    return result


def bucket_facts(account: Account, name: str) -> dict[str, Any]:
    s3 = account.client("s3")
    return {
        "public access": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
        "policy": json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]),
        "tags": _own(_tags(s3, name)),
        "versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
    }


def queue_facts(account: Account, name: str, *, passing: bool) -> dict[str, Any]:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    attributes = {k: _parsed(v) for k, v in found.items() if passing or k not in _PASSING}
    return attributes | {"tags": _own(sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))}


def _own(tags: dict[str, str]) -> dict[str, str]:
    """The tags without those that CloudFormation adds to every resource."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _parsed(value: str) -> Any:
    if not value.startswith("{"):
        return value
    # CloudFormation may write a number as text.
    return {k: str(v) if isinstance(v, int) else v for k, v in json.loads(value).items()}


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        found = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "NoSuchTagSet":
            raise
        return {}
    return {tag["Key"]: tag["Value"] for tag in found}


def test_the_stack_has_every_attribute_that_setup_gives(account: Account, stack: Stack) -> None:
    by_hand = Settings(
        input_bucket="hand-input",
        processed_bucket="hand-processed",
        input_queue="hand-input.fifo",
        processed_queue="hand-processed.fifo",
        input_dead_letter_queue="hand-input-dlq.fifo",
    )
    make(account, by_hand)

    made, deployed = facts(account, by_hand), facts(account, settings_of(stack))

    assert deployed == made
    # Equality alone would accept an attribute that both lack.
    assert deployed["input_queue"]["SqsManagedSseEnabled"] == "true"
    assert deployed["input_queue"]["RedrivePolicy"]["maxReceiveCount"] == "5"
    assert "aws:SecureTransport" in str(deployed["processed_queue"]["Policy"])
    assert all(deployed["input_bucket"]["public access"].values())


def test_setup_over_a_stack_changes_nothing(account: Account, stack: Stack) -> None:
    settings = settings_of(stack)
    before = facts(account, settings, passing=True)

    make(account, settings)

    assert facts(account, settings, passing=True) == before  # LastModifiedTimestamp included


def test_encryption_and_expiry_are_those_of_setup(account: Account, stack: Stack) -> None:
    """MiniStack's CloudFormation ignores these two, so the test compares the template itself."""
    settings = settings_of(stack)
    make(account, settings)
    s3 = account.client("s3")

    for logical, setting in (
        ("InputBucket", "input_bucket"),
        ("ProcessedBucket", "processed_bucket"),
    ):
        properties = template()["Resources"][logical]["Properties"]
        name = getattr(settings, setting)
        encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
        lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        assert _algorithms(properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]) == [
            rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
            for rule in encryption["Rules"]
        ]
        assert _as_s3_says(properties["LifecycleConfiguration"]) == lifecycle


def _algorithms(rules: list[dict[str, Any]]) -> list[str]:
    """The algorithms for a stack without a KMS key."""
    without = [rule["Fn::If"][2] for rule in rules]
    return [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in without]


def _as_s3_says(lifecycle: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules of CloudFormation in the form of S3's API.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
    """
    condition, kept, otherwise = lifecycle["Fn::If"]
    assert (condition, otherwise) == ("HasRetention", {"Ref": "AWS::NoValue"})
    days = {"Ref": "RetentionDays"}
    assert all(rule["ExpirationInDays"] == days for rule in kept["Rules"])
    return [
        {
            "ID": rule["Id"],
            "Status": rule["Status"],
            "Filter": {"Prefix": rule["Prefix"]},
            "Expiration": {"Days": int(template()["Parameters"]["RetentionDays"]["Default"])},
            "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
        }
        for rule in kept["Rules"]
    ]


def test_parameters_reach_the_queue(account: Account) -> None:
    stack = account.deploy(
        "changed", DeployCompute="false", VisibilityTimeoutS="90", MaxReceives="3"
    )

    jobs = facts(account, settings_of(stack))["input_queue"]

    assert (jobs["VisibilityTimeout"], jobs["RedrivePolicy"]["maxReceiveCount"]) == ("90", "3")


def test_plain_http_is_refused_by_the_queues_and_by_the_buckets(
    account: Account, stack: Stack
) -> None:
    everything = {"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}
    user = account.admit("careless", {"Version": "2012-10-17", "Statement": [everything]})
    bucket, queue = stack.outputs["InputBucketName"], stack.outputs["InputQueueName"]

    with pytest.raises(ClientError, match=r"403"):
        account.client("s3", account.url, user).head_bucket(Bucket=bucket)
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client("sqs", account.url, user).get_queue_url(QueueName=queue)
    account.client("s3", user=user).head_bucket(Bucket=bucket)
    account.client("sqs", user=user).get_queue_url(QueueName=queue)


def test_compute_without_its_parameters_is_refused_before_any_resource_is_created(
    account: Account,
) -> None:
    with pytest.raises(ClientError, match="ImageUri names the image to run"):
        account.deploy("bare", DeployCompute="true")
