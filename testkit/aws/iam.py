"""The permissions that calls to AWS need, and those that a policy grants.

The names of the permissions are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from testkit.aws.fault_proxy import FaultProxy
from testkit.aws.http_messages import HttpMessage

_OBJECT_ACTIONS: Final = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}
#: By method and subresource; the empty one is the bucket itself.
_BUCKET_ACTIONS: Final = {
    ("PUT", ""): "s3:CreateBucket",
    ("HEAD", ""): "s3:ListBucket",
    ("GET", "list-type"): "s3:ListBucket",
    ("GET", "location"): "s3:GetBucketLocation",
    ("PUT", "publicAccessBlock"): "s3:PutBucketPublicAccessBlock",
    ("GET", "encryption"): "s3:GetEncryptionConfiguration",
    ("PUT", "encryption"): "s3:PutEncryptionConfiguration",
    ("GET", "lifecycle"): "s3:GetLifecycleConfiguration",
    ("PUT", "lifecycle"): "s3:PutLifecycleConfiguration",
    ("DELETE", "lifecycle"): "s3:PutLifecycleConfiguration",
    ("GET", "policy"): "s3:GetBucketPolicy",
    ("PUT", "policy"): "s3:PutBucketPolicy",
}
_SUBRESOURCES: Final = frozenset(subresource for _, subresource in _BUCKET_ACTIONS)
_ACCOUNT: Final = "000000000000"


@dataclass(frozen=True, order=True)
class Permission:
    """An action on a resource; in a grant the resource is a pattern."""

    action: str
    resource: str

    def covers(self, used: Permission) -> bool:
        return self.action == used.action and fnmatchcase(used.resource, self.resource)


def granted(policy: dict[str, Any]) -> set[Permission]:
    """The permissions that *policy* grants."""
    return {
        Permission(action, resource)
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def unused(grants: Iterable[Permission], used: Iterable[Permission]) -> list[Permission]:
    """The granted permissions that were never needed."""
    used = list(used)
    return sorted(grant for grant in grants if not any(map(grant.covers, used)))


def missing(grants: Iterable[Permission], used: Iterable[Permission]) -> list[Permission]:
    """The needed permissions that are not granted."""
    grants = list(grants)
    return sorted(each for each in used if not any(grant.covers(each) for grant in grants))


class TlsEnd(FaultProxy):
    """Acts as the TLS terminator of an emulator, for policies that require TLS."""

    async def _forward(self, request: HttpMessage) -> HttpMessage:
        head = request.head.replace(b"\r\n", b"\r\nX-Forwarded-Proto: https\r\n", 1)
        return await super()._forward(HttpMessage(head, request.body))


class Recorder(TlsEnd):
    """Records which access key makes which call to S3 and SQS.

    SigV4 sends the access key in clear text:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self._used: list[tuple[str, Permission]] = []
        #: Key and path of every request answered with 403.
        self.refused: list[tuple[str, str]] = []

    def used_by(self, access_key: str) -> set[Permission]:
        return {permission for key, permission in self._used if key == access_key}

    async def _forward(self, request: HttpMessage) -> HttpMessage:
        answer = await super()._forward(request)
        found = re.search(rb"Credential=([^/,]+)/", request.head)
        if found is None:  # unsigned, as when `doctor` compares the clocks
            return answer
        key = found[1].decode()
        if answer.status == 403:
            self.refused.append((key, request.path))
        self._used += [(key, each) for each in _permissions(request, answer.status)]
        return answer


def _permissions(request: HttpMessage, status: int) -> list[Permission]:
    return [_sqs_permission(request)] if request.is_sqs else _s3_permissions(request, status)


def _sqs_permission(request: HttpMessage) -> Permission:
    # A batch action needs the permission of the single action.
    action = request.operation.removesuffix("Batch")
    asked = json.loads(request.body)
    name = asked.get("QueueName") or asked["QueueUrl"].rpartition("/")[2]
    return Permission(f"sqs:{action}", f"arn:aws:sqs:us-east-1:{_ACCOUNT}:{name}")


def _s3_permissions(request: HttpMessage, status: int) -> list[Permission]:
    parts = urlsplit(request.path)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    if request.method == "POST":  # DeleteObjects, the only action sent as this POST
        keys = re.findall("<Key>(.*?)</Key>", request.body.decode(), re.DOTALL)
        return [Permission("s3:DeleteObject", f"{arn}/{html.unescape(each)}") for each in keys]
    if not key:
        asked = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        subresource = next(iter(asked & _SUBRESOURCES), "")
        return [Permission(_BUCKET_ACTIONS[request.method, subresource], arn)]
    needed = [Permission(_OBJECT_ACTIONS[request.method], f"{arn}/{key}")]
    if status == 404 and request.method in ("GET", "HEAD"):
        # Without permission to list, AWS answers 403; no emulator does.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        needed.append(Permission("s3:ListBucket", arn))
    return needed
