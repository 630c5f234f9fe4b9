"""Record the AWS calls of a test run, in every process, and compare them with the policies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from testkit.aws.iam import listed
from testkit.aws.recording import sitecustomize
from testkit.deploy.templates import template
from testkit.root import ROOT

_POLICIES: Final = ("WebPolicy", "WorkerPolicy", "OperatorPolicy")
#: Operations whose permission has another name.
_PERMISSIONS: Final = {
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}

#: As `service:Operation`.
performed: set[str] = set()


def watch(directory: Path) -> None:
    """Record the calls of this process and of its children; those of children in *directory*.

    A process started by pytest-xdist writes to the directory that the first process reads.
    """
    path = os.environ.setdefault(sitecustomize.VARIABLE, str(directory / "aws-calls"))
    sitecustomize.watch(lambda call: sitecustomize.note(call, performed, path))
    paths = [str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def all_performed() -> set[str]:
    """The calls of this process and of its children."""
    path = Path(os.environ[sitecustomize.VARIABLE])
    return performed | set(path.read_text().split() if path.exists() else [])


def not_granted(calls: Iterable[str]) -> list[str]:
    """The permissions of *calls* that no policy of deploy/ grants."""
    needed = {_PERMISSIONS.get(call, call) for call in calls}
    return sorted(needed - _granted()) if needed else []


def _granted() -> set[str]:
    resources = template()["Resources"]
    documents = [resources[name]["Properties"]["PolicyDocument"] for name in _POLICIES]
    documents.append(json.loads((ROOT / "deploy" / "setup-policy.json").read_text()))
    return {
        action
        for document in documents
        for statement in document["Statement"]
        for action in listed(statement["Action"])
    }
