"""The policies of buckets and queues, which deny requests without TLS."""

from __future__ import annotations

import json
from typing import Any


def denying_old_tls(bucket: str) -> list[dict[str, Any]]:
    """Statements for *bucket* that deny plain HTTP and TLS before 1.2."""
    conditions: dict[str, Any] = {
        "DenyPlainHttp": {"Bool": {"aws:SecureTransport": "false"}},
        "DenyOldTls": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    }
    return [
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": condition,
        }
        for sid, condition in conditions.items()
    ]


def denying_plain_http(queue_arn: str) -> list[dict[str, Any]]:
    """A statement that denies plain HTTP; SQS has no condition key for the TLS version.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html
    """
    statement = {
        "Sid": "DenyPlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return [statement]


def with_statements(policy: str | None, ours: list[dict[str, Any]]) -> str:
    """*policy* with the statements *ours*; statements of its owner stay."""
    theirs = json.loads(policy) if policy else {}
    statements = theirs.get("Statement", [])
    # A single statement may stand without a list:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html
    statements = [statements] if isinstance(statements, dict) else statements
    sids = {each["Sid"] for each in ours}
    kept = [each for each in statements if each.get("Sid") not in sids]
    # Keep the owner's id and policy version: the meaning of statements depends on the version.
    return json.dumps({"Version": "2012-10-17", **theirs, "Statement": kept + ours})
