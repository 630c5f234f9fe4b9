"""Create or update a bucket; rules and policies that its owner has added stay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ..errors import ResourceError
from ..settings import Settings
from . import clients as aws
from .errors import code_of, fault_of
from .faults import Cause
from .policies import denying_old_tls, with_statements

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

logger = logging.getLogger(__name__)

#: The error codes of S3 for a bucket without lifecycle, encryption or policy.
_NOT_CONFIGURED: Final = frozenset(
    (
        "NoSuchLifecycleConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchBucketPolicy",
    )
)
_EXPIRY_RULE: Final = "expire"


def ensure_bucket(s3: S3Client, settings: Settings, name: str, *, demands_tls: bool) -> None:
    """Create the bucket *name*, or update the existing one to match *settings*."""
    made = _create_bucket(s3, settings, name)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    _encrypt(s3, name)
    _set_expiry(s3, name, settings.retention_days)
    if demands_tls:
        _demand_tls(s3, name)
    logger.info("bucket %s %s", name, "made" if made else "is there")


def _create_bucket(s3: S3Client, settings: Settings, name: str) -> bool:
    """True when the bucket is new; False when this account has it already."""
    # us-east-1 is the only region that S3 rejects as a LocationConstraint.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    region = aws.region(settings)
    place: Any = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    if _bucket_is_ours(s3, name):
        _check_region(s3, name, region)
        return False
    try:
        s3.create_bucket(Bucket=name, **place)
    except ClientError as exc:
        if code_of(exc) == "BucketAlreadyOwnedByYou":  # created by a concurrent run
            return False
        if code_of(exc) == "BucketAlreadyExists":
            raise _taken(name) from None
        raise
    return True


def _bucket_is_ours(s3: S3Client, name: str) -> bool:
    try:
        aws.head_bucket(s3, name)
    except ClientError as exc:
        if exc.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        fault = fault_of(exc)
        if fault.cause is Cause.DENIED:
            raise _taken(name) from None
        if fault.cause is Cause.REGION:
            raise _other_region_error(name, fault.said) from None
        raise
    return True


def _check_region(s3: S3Client, name: str, region: str) -> None:
    # us-east-1 has no constraint; old buckets may have EU for eu-west-1.
    found = s3.get_bucket_location(Bucket=name).get("LocationConstraint") or "us-east-1"
    if {"EU": "eu-west-1"}.get(found, found) != region:
        raise _other_region_error(name, f"it is {found}")


# The following functions keep the rules, policy statements and keys that the owner has added.


def _encrypt(s3: S3Client, name: str) -> None:
    found = _found(
        lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    )
    if found:  # may use the owner's key; AWS itself encrypts every bucket since 2023
        return
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _set_expiry(s3: S3Client, name: str, days: int) -> None:
    found = _found(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"])
    rules: list[Any] = [rule for rule in found if rule.get("ID") != _EXPIRY_RULE]
    if days:
        rules.append(
            {
                "ID": _EXPIRY_RULE,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Expiration": {"Days": days},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }
        )
    if rules:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    elif found:
        s3.delete_bucket_lifecycle(Bucket=name)


def _demand_tls(s3: S3Client, name: str) -> None:
    """Deny plain HTTP and TLS before 1.2.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """
    found = _found(lambda: [s3.get_bucket_policy(Bucket=name)["Policy"]])
    policy = with_statements(found[0] if found else None, denying_old_tls(name))
    s3.put_bucket_policy(Bucket=name, Policy=policy)


def _found(get: Callable[[], list[Any]]) -> list[Any]:
    """The configuration that *get* returns; empty where the bucket has none."""
    try:
        return [*get()]
    except ClientError as exc:
        if code_of(exc) in _NOT_CONFIGURED:
            return []
        raise


def _taken(name: str) -> ResourceError:
    return ResourceError(
        f"Bucket {name} belongs to another AWS account, or yours may not read it; bucket names "
        "are global. Choose another with INPUT_BUCKET or PROCESSED_BUCKET."
    )


def _other_region_error(name: str, said: str) -> ResourceError:
    return ResourceError(
        f"Bucket {name} is in another region, which cannot be changed ({said}). Set AWS_REGION to "
        "its region, or choose another name with INPUT_BUCKET or PROCESSED_BUCKET."
    )
