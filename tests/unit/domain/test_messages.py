"""What travels on the queues, and what an image is to its clients."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from app.domain.messages import Job, message_group
from app.domain.representation import GROUP_PATTERN, Image, ImageStatus, now, rfc3339
from app.errors import InvalidMessageError, UnsupportedJobError

IMAGE_ID = "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"
LEAST = {"image_id": IMAGE_ID, "bucket": "image-input", "key": "a.png"}


def test_the_same_group_of_two_owners_is_two_groups() -> None:
    image_id = uuid.uuid4()
    long = "g" * 128
    groups = [
        message_group(image_id, group, owner)
        for group in (None, "g", "b:g", long, str(image_id))
        for owner in (None, "a", "b", "o" * 64)
    ]

    assert groups[:8] == [str(image_id)] * 4 + ["g", "a:g", "b:g", "o" * 64 + ":g"]
    owned = [group for at, group in enumerate(groups) if at % 4 and at > 3]
    assert len(set(owned)) == len(owned)
    assert not {str(image_id), "g", long} & set(owned)
    assert all(re.fullmatch(GROUP_PATTERN, group) for group in groups)


def test_three_fields_make_a_job() -> None:
    job = Job.parse(json.dumps(LEAST))

    assert (job.version, job.method, job.parameters, job.group) == (1, None, {}, None)


def test_a_job_is_unchanged_after_the_queue() -> None:
    job = Job(
        image_id=uuid.UUID(IMAGE_ID),
        bucket="b",
        key="k",
        method="simple",
        parameters={"threshold": 90},
        group="g",
        uploaded_at=now(),
    )

    assert Job.parse(job.to_json()) == job


def test_fields_of_the_future_are_ignored() -> None:
    assert Job.parse(json.dumps({**LEAST, "colour": "blue"})).key == "a.png"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        (json.dumps({"image_id": IMAGE_ID}), "bucket"),
        (json.dumps({**LEAST, "image_id": "1"}), "image_id"),
        (json.dumps({**LEAST, "version": 0}), "version"),
        (json.dumps({**LEAST, "version": 1.5}), "version"),
        (json.dumps({**LEAST, "version": "latest"}), "version"),
        (json.dumps({**LEAST, "group": "a b"}), "group"),
        (json.dumps({**LEAST, "parameters": {"threshold": "high"}}), "parameters"),
        (json.dumps(LEAST)[:-1] + ', "parameters": {"threshold": 1e400}}', "finite"),
        (json.dumps({**LEAST, "parameters": {"x" * n: 1 for n in range(40)}}), "at most"),
        (json.dumps({**LEAST, "key": ""}), "1 to 1024 bytes"),
        (json.dumps({**LEAST, "key": "k" * 1025}), "1 to 1024 bytes"),
        (json.dumps({**LEAST, "method": "m" * 65}), "method"),
    ],
)
def test_a_message_that_is_not_ours_is_refused_with_the_field(body: str, complaint: str) -> None:
    with pytest.raises(InvalidMessageError, match=complaint):
        Job.parse(body)


@pytest.mark.parametrize("version", [2, "2", 17])
def test_a_message_of_a_later_version_is_told_apart_from_a_wrong_one(version: object) -> None:
    with pytest.raises(UnsupportedJobError, match=f"version {version}; this release reads"):
        Job.parse(json.dumps({**LEAST, "version": version, "key": ["a", "b"]}))


def test_the_detail_about_a_bad_message_fits_into_an_announcement() -> None:
    body = json.dumps({"image_id": 1, "bucket": 2, "key": 3, "parameters": ["x" * 100_000]})

    with pytest.raises(InvalidMessageError) as caught:
        Job.parse(body)

    assert len(caught.value.detail) <= 1000


def test_the_representation_is_json_with_every_field_and_the_published_names() -> None:
    image = Image(image_id=uuid.UUID(IMAGE_ID), status=ImageStatus.QUEUED)

    assert list(json.loads(image.to_json())) == [
        "image_id",
        "status",
        "method",
        "parameters",
        "group",
        "uploaded_at",
        "processed_at",
        "expires_at",
        "original",
        "processed",
        "error",
        "ignored",
        "page",
    ]


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(now()).endswith("Z")
    assert len(rfc3339(now())) == len("2026-11-24T03:05:38.913Z")
