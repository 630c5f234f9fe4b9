"""What two buckets say about an image, and what survives the trip through S3's metadata."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest

from app.domain.messages import Job
from app.domain.representation import (
    MAX_IGNORED,
    MAX_IGNORED_CHARS,
    Failure,
    Image,
    ImageStatus,
    Original,
    Processed,
    TakenFor,
    now,
)
from app.errors import NotFoundError, NotReadyError, ProcessingFailedError
from app.images.metadata import MAX_METADATA_BYTES, filename_of
from app.images.store import ImageStore
from testkit.in_memory.fakes import MemoryBucket

EXPIRES = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.fixture
def store() -> ImageStore:
    return ImageStore(
        MemoryBucket("input", expires_at=EXPIRES), MemoryBucket("output", expires_at=EXPIRES)
    )


def queued(filename: str | None = "scan.png") -> Image:
    image_id = uuid.uuid4()
    return Image(
        image_id=image_id,
        status=ImageStatus.QUEUED,
        method="simple",
        parameters={"threshold": 90},
        group="invoice-42",
        uploaded_at=now(),
        original=Original(
            href=f"/images/{image_id}/original",
            filename=filename,
            size_bytes=3,
            width=40,
            height=30,
            dpi=300,
            sha256="ab" * 32,
        ),
    )


def processed(image: Image) -> Image:
    result = Processed(
        href=f"/images/{image.image_id}/processed",
        size_bytes=9,
        width=40,
        height=30,
        dpi=300,
        sha256="cd" * 32,
        threshold=90,
        black_ratio=0.125,
        processing_ms=7,
    )
    return image.model_copy(
        update={"status": ImageStatus.PROCESSED, "processed_at": now(), "processed": result}
    )


def failed(image: Image) -> Image:
    error = Failure(code="corrupt-png", detail="It breaks off.")
    return image.model_copy(
        update={"status": ImageStatus.FAILED, "processed_at": now(), "error": error}
    )


def job_of(image: Image, key: str | None = None) -> Job:
    return Job(image_id=image.image_id, bucket="input", key=key or f"{image.image_id}.png")


def test_an_upload_is_found_as_it_was_described(store: ImageStore) -> None:
    image = store.put_original(queued(), b"png")
    assert image is not None

    assert store.find(image.image_id) == image
    assert image.expires_at == EXPIRES


def test_a_result_is_found_with_all_that_is_known_of_its_original(store: ImageStore) -> None:
    image = queued()
    store.put_original(image, b"png")
    store.records.put_processed(processed(image), b"result...", job_of(image))

    found = store.find(image.image_id)

    assert found.model_copy(update={"processed_at": None}) == processed(image).model_copy(
        update={"processed_at": None, "expires_at": EXPIRES}
    )


def test_a_result_beats_a_failure_and_a_failure_beats_the_original(store: ImageStore) -> None:
    image = queued()
    store.put_original(image, b"png")
    states = [store.find(image.image_id).status]

    store.records.put_failure(failed(image), job_of(image))
    states.append(store.find(image.image_id).status)
    store.records.put_processed(processed(image), b"result...", job_of(image))
    states.append(store.find(image.image_id).status)

    assert states == [ImageStatus.QUEUED, ImageStatus.FAILED, ImageStatus.PROCESSED]


def test_no_failure_is_recorded_over_a_result(store: ImageStore) -> None:
    image = queued()
    store.records.put_processed(processed(image), b"result...", job_of(image))

    announcement = store.records.put_failure(failed(image), job_of(image))

    assert announcement.status is ImageStatus.PROCESSED
    assert list(store.results.objects) == [f"{image.image_id}.png"]  # type: ignore[attr-defined]


def test_a_second_result_changes_nothing_and_the_first_is_announced(store: ImageStore) -> None:
    image = queued()
    first = store.records.put_processed(processed(image), b"result...", job_of(image))

    later = processed(image).model_copy(update={"method": "otsu"})
    again = store.records.put_processed(later, b"another", job_of(image))

    assert again == first
    assert store.open_processed(image.image_id).data == b"result..."


def test_an_announcement_says_where_both_objects_are(store: ImageStore) -> None:
    image = queued()

    announcement = store.records.put_processed(processed(image), b"r", job_of(image, "in/a b.png"))

    assert announcement.original is not None
    assert announcement.processed is not None
    assert (announcement.original.bucket, announcement.original.key) == ("input", "in/a b.png")
    assert announcement.processed.key == f"{image.image_id}.png"
    assert store.records.find(image.image_id) == announcement


def test_unknown_waiting_and_failed_images_have_no_result_with_different_errors(
    store: ImageStore,
) -> None:
    waiting, bad = queued(), queued()
    store.put_original(waiting, b"png")
    store.records.put_failure(failed(bad), job_of(bad))

    with pytest.raises(NotReadyError):
        store.open_processed(waiting.image_id)
    with pytest.raises(ProcessingFailedError, match="It breaks off"):
        store.open_processed(bad.image_id)
    with pytest.raises(NotFoundError):
        store.open_processed(uuid.uuid4())
    with pytest.raises(NotFoundError):
        store.open_original(uuid.uuid4())


@pytest.mark.parametrize(
    "name",
    [
        "declaração.png",
        "a b.png",
        'a"b;c.png',
        "a%0d%0ab.png",
        "📄.png",
    ],
)
def test_any_file_name_is_unchanged_after_the_metadata(store: ImageStore, name: str) -> None:
    image = store.put_original(queued(name), b"png")
    assert image is not None

    stored = store.open_original(image.image_id)

    assert filename_of(stored) == name
    assert all(value.isascii() and value.isprintable() for value in stored.metadata.values())


def test_metadata_fits_into_what_s3_takes_even_with_the_longest_name(store: ImageStore) -> None:
    image = queued("📄" * 300 + ".png")
    image = image.model_copy(update={"group": "g" * 128})
    store.records.put_processed(processed(image), b"r", job_of(image))

    metadata = store.open_processed(image.image_id).metadata

    assert sum(len(k) + len(v) for k, v in metadata.items()) <= 2048


#: As long as the engine makes them, and as many.
IGNORED = [f"line {number}".ljust(MAX_IGNORED_CHARS, ".") for number in range(MAX_IGNORED)]


def test_ignored_faults_are_kept_in_the_metadata_of_original_and_result(store: ImageStore) -> None:
    image = queued("scan.png").model_copy(update={"ignored": IGNORED})

    assert store.put_original(image, b"png") is not None
    assert store.find(image.image_id).ignored == IGNORED
    store.records.put_processed(processed(image), b"r", job_of(image))
    assert store.find(image.image_id).ignored == IGNORED


def test_metadata_of_an_upload_fits_with_the_longest_of_everything(store: ImageStore) -> None:
    longest = {"group": "g" * 128, "owner": "o" * 64, "ignored": IGNORED, "method": "m" * 17}
    numbers = {"window": 181, "percent": 100 / 3}
    page = TakenFor(kind="photograph", inverted=False, turned=270)
    longest_of_all = longest | {"parameters": numbers, "page": page}
    image = queued("📄" * 300 + ".png").model_copy(update=longest_of_all)
    store.put_original(image, b"png")
    store.records.put_processed(processed(image), b"r", job_of(image))

    for stored in (store.open_original(image.image_id), store.open_processed(image.image_id)):
        assert sum(len(k) + len(v) for k, v in stored.metadata.items()) <= MAX_METADATA_BYTES
        assert json.loads(stored.metadata["ignored"]) == IGNORED


def test_with_a_long_key_fewer_lines_about_ignored_faults_are_kept(store: ImageStore) -> None:
    image = queued("n" * 255).model_copy(update={"ignored": IGNORED})
    for key_bytes in range(900, 1024, 9):
        key = "k" * key_bytes
        job = job_of(image).model_copy(update={"key": key})
        store.results.delete(f"{image.image_id}.png")
        store.records.put_processed(processed(image), b"r", job)

        metadata = store.open_processed(image.image_id).metadata

        assert sum(len(k) + len(v) for k, v in metadata.items()) <= MAX_METADATA_BYTES
        kept = store.find(image.image_id).ignored
        assert kept == IGNORED or kept[-1] == "and more"


def test_an_object_of_another_producer_needs_no_metadata(store: ImageStore) -> None:
    image_id = uuid.uuid4()
    store.originals.put(f"{image_id}.png", b"12345", content_type="", metadata={})

    image = store.find(image_id)

    assert image.status is ImageStatus.QUEUED
    assert image.original is not None
    assert image.original.size_bytes == 5


def test_a_result_of_another_program_is_a_result(store: ImageStore) -> None:
    image_id = uuid.uuid4()
    store.results.put(f"{image_id}.png", b"12345", content_type="", metadata={})

    image = store.find(image_id)

    assert image.status is ImageStatus.PROCESSED
    assert image.processed is not None
    assert (image.processed.size_bytes, image.processed.width) == (5, None)


def test_metadata_that_means_something_else_is_ignored(store: ImageStore) -> None:
    image_id = uuid.uuid4()
    strange = {"uploaded-at": "yesterday", "parameters": "{", "original-width": "wide"}
    store.originals.put(f"{image_id}.png", b"12345", content_type="", metadata=strange)

    assert store.find(image_id).uploaded_at is None


@pytest.mark.parametrize("width", ["-1", "9" * 400, "1e3"])
def test_an_impossible_size_is_not_shown(store: ImageStore, width: str) -> None:
    image_id = uuid.uuid4()
    store.results.put(
        f"{image_id}.png", b"12345", content_type="", metadata={"processed-width": width}
    )

    image = store.find(image_id)

    assert image.processed is not None
    assert (image.processed.size_bytes, image.processed.width) == (5, None)


_RECORD = {"status": "failed", "error": {"code": "corrupt-png", "detail": "Cut off."}}


@pytest.mark.parametrize(
    "change",
    [
        None,
        {"version": 2},
        {"image_id": "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"},
        {"owner": "a b"},
        {"status": "processed"},
        {"error": None},
        {"original": {"href": "/x", "bucket": "b", "key": "k", "bytes": 10**30}},
    ],
)
def test_an_invalid_failure_record_is_overwritten(
    store: ImageStore, change: dict[str, object] | None
) -> None:
    image = queued()
    store.put_original(image, b"o")
    key = f"failures/{image.image_id}.json"
    sound = {"image_id": str(image.image_id)} | _RECORD
    data = b"" if change is None else json.dumps(sound | change).encode()
    store.results.put(key, data, content_type="", metadata={})

    assert store.find(image.image_id).status is ImageStatus.QUEUED
    store.records.put_failure(failed(image), job_of(image))

    assert store.find(image.image_id).status is ImageStatus.FAILED
    store.delete(image.image_id)
    with pytest.raises(NotFoundError):
        store.results.get(key)
