"""How used rights are told from granted ones, and what deploy/setup-policy.json says."""

from __future__ import annotations

import json
import re

import pytest

from app import setup_aws_resources
from app.settings import Settings
from testkit.aws.http_messages import HttpMessage
from testkit.aws.iam import Permission, _permissions, granted, missing, unused
from testkit.root import ROOT

BUCKET = "arn:aws:s3:::b"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q.fifo"
POLICY = {
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{BUCKET}/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": [BUCKET]},
        {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": f"{BUCKET}/*"},
    ]
}


def setup_policy() -> set[Permission]:
    return granted(json.loads((ROOT / "deploy" / "setup-policy.json").read_text()))


def test_what_a_policy_grants_is_each_action_on_each_resource_that_it_allows() -> None:
    assert granted(POLICY) == {
        Permission("s3:GetObject", f"{BUCKET}/*"),
        Permission("s3:PutObject", f"{BUCKET}/*"),
        Permission("s3:ListBucket", BUCKET),
    }


def test_a_right_on_objects_is_none_on_the_bucket_nor_on_another() -> None:
    used = {
        Permission("s3:GetObject", f"{BUCKET}/k.png"),
        Permission("s3:GetObject", f"{BUCKET}etter/k.png"),
        Permission("s3:ListBucket", f"{BUCKET}/k.png"),
    }

    assert missing(granted(POLICY), used) == [
        Permission("s3:GetObject", f"{BUCKET}etter/k.png"),
        Permission("s3:ListBucket", f"{BUCKET}/k.png"),
    ]


def test_a_right_that_nothing_needed_is_named() -> None:
    used = {Permission("s3:GetObject", f"{BUCKET}/k.png"), Permission("s3:ListBucket", BUCKET)}

    assert unused(granted(POLICY), used) == [Permission("s3:PutObject", f"{BUCKET}/*")]


@pytest.mark.parametrize(
    ("line", "status", "needed"),
    [
        ("GET /b/k.png", 200, [("s3:GetObject", f"{BUCKET}/k.png")]),
        ("HEAD /b/a/k.png", 200, [("s3:GetObject", f"{BUCKET}/a/k.png")]),
        (
            "HEAD /b/k.png",
            404,
            [("s3:GetObject", f"{BUCKET}/k.png"), ("s3:ListBucket", BUCKET)],
        ),
        ("DELETE /b/k.png", 204, [("s3:DeleteObject", f"{BUCKET}/k.png")]),
        ("HEAD /b", 200, [("s3:ListBucket", BUCKET)]),
        ("GET /b?list-type=2&prefix=", 200, [("s3:ListBucket", BUCKET)]),
        ("PUT /b?publicAccessBlock", 200, [("s3:PutBucketPublicAccessBlock", BUCKET)]),
    ],
)
def test_a_request_to_s3_needs(line: str, status: int, needed: list[tuple[str, str]]) -> None:
    request = HttpMessage(f"{line} HTTP/1.1\r\n\r\n".encode(), b"")

    assert _permissions(request, status) == [Permission(*each) for each in needed]


def test_deleting_several_objects_needs_the_right_of_each() -> None:
    body = b"<Delete><Object><Key>a&amp;b.png</Key></Object><Object><Key>c</Key></Object></Delete>"
    request = HttpMessage(b"POST /b?delete HTTP/1.1\r\n\r\n", body)

    assert _permissions(request, 200) == [
        Permission("s3:DeleteObject", f"{BUCKET}/{key}") for key in ("a&b.png", "c")
    ]


@pytest.mark.parametrize("operation", ["SendMessage", "SendMessageBatch"])
def test_a_batch_for_sqs_needs_the_right_of_the_single_one(operation: str) -> None:
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{operation}\r\n\r\n".encode()
    body = b'{"QueueUrl": "http://127.0.0.1/000000000000/q.fifo"}'

    assert _permissions(HttpMessage(head, body), 200) == [Permission("sqs:SendMessage", QUEUE)]


def test_setup_says_which_rights_it_needs() -> None:
    said = re.findall(r"\b(?:s3|sqs):\w+", setup_aws_resources.__doc__ or "")

    assert {each.action for each in setup_policy()} == set(said)


def test_the_rights_of_setup_are_on_the_resources_of_the_default_settings() -> None:
    settings = Settings()
    names = {each.resource.rpartition(":")[2] for each in setup_policy()}

    assert names == {
        settings.input_bucket,
        settings.processed_bucket,
        settings.input_queue,
        settings.processed_queue,
        settings.input_dead_letter_queue,
    }
