"""What we need of a bucket."""

from __future__ import annotations

import pytest

from app import aws
from app.domain import Bucket, StoredObject
from app.errors import NotFoundError, StorageUnavailableError
from app.s3_service import S3Bucket
from app.settings import Settings

METADATA = {"original-filename": "declara%C3%A7%C3%A3o.png", "parameters": '{"threshold":90}'}


def put(bucket: Bucket, key: str, data: bytes) -> StoredObject:
    return bucket.put(key, data, content_type="image/png", metadata=METADATA)


def test_what_is_put_comes_back_with_its_metadata(bucket: Bucket) -> None:
    put(bucket, "a/b c.png", b"\x89PNG")

    stored = bucket.get("a/b c.png")

    assert (stored.data, stored.size_bytes, dict(stored.metadata)) == (b"\x89PNG", 4, METADATA)


def test_the_head_is_the_object_without_its_data(bucket: Bucket) -> None:
    put(bucket, "a.png", b"1234")

    head = bucket.head("a.png")

    assert (head.data, head.size_bytes, dict(head.metadata)) == (b"", 4, METADATA)


def test_a_second_put_replaces_the_first(bucket: Bucket) -> None:
    put(bucket, "a.png", b"1")
    put(bucket, "a.png", b"2")

    assert bucket.get("a.png").data == b"2"


def test_putting_once_leaves_what_is_there(bucket: Bucket) -> None:
    first = bucket.put_once("a.png", b"1", content_type="image/png", metadata={})
    second = bucket.put_once("a.png", b"2", content_type="image/png", metadata={})

    assert first is not None
    assert second is None
    assert bucket.get("a.png").data == b"1"


def test_a_missing_key_is_not_found_by_get_and_by_head(bucket: Bucket) -> None:
    with pytest.raises(NotFoundError):
        bucket.get("missing.png")
    with pytest.raises(NotFoundError):
        bucket.head("missing.png")


def test_a_bucket_that_is_there_passes_the_check(bucket: Bucket) -> None:
    bucket.check()


def test_a_missing_bucket_and_a_dead_endpoint_are_storage_unavailable(
    aws_settings: Settings,
) -> None:
    missing = S3Bucket(aws.s3_client(aws_settings), "no-such-bucket-here")
    nowhere = aws_settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    dead = S3Bucket(aws.s3_client(nowhere), "any")

    with pytest.raises(StorageUnavailableError, match="no bucket"):
        missing.check()
    with pytest.raises(StorageUnavailableError):
        missing.get("a.png")
    with pytest.raises(StorageUnavailableError, match="did not answer"):
        dead.put("a.png", b"1", content_type="image/png", metadata={})
