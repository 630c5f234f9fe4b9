"""Idempotency-Key: one request, however often it is sent."""

from __future__ import annotations

import uuid

import pytest

from app.access.tokens import hash_token
from app.settings import Settings
from testkit.in_memory.fakes import MemoryQueue
from testkit.in_memory.site import Site, problem
from testkit.png.scans import header, pixels, png

KEY = {"Idempotency-Key": "invoice-42-page-1"}
OTHER = png(header(8, 8), pixels([b"\0" * 8] * 8))


@pytest.fixture
def site() -> Site:
    return Site(Settings())


def test_the_same_key_and_bytes_are_the_same_image_sent_once(site: Site) -> None:
    first, second = site.upload(headers=KEY), site.upload(headers=KEY)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.get_json() == second.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (len(site.inputs.objects), len(site.jobs.messages)) == (1, 1)


def test_an_id_made_of_a_key_is_a_uuid_of_version_8(site: Site) -> None:
    image_id = uuid.UUID(site.upload(headers=KEY).get_json()["image_id"])

    assert (image_id.version, image_id.variant) == (8, uuid.RFC_4122)


def test_a_repetition_returns_the_present_state_of_the_image(site: Site) -> None:
    site.upload(headers=KEY)
    site.work()

    again = site.upload(headers=KEY)

    assert (again.status_code, again.get_json()["status"]) == (202, "processed")
    assert site.jobs.messages == []


def test_a_request_that_died_before_its_message_is_completed_by_its_repetition(site: Site) -> None:
    site.jobs.is_down = True
    assert site.upload(headers=KEY).status_code == 503
    site.jobs.is_down = False

    again = site.upload(headers=KEY)

    assert again.status_code == 202
    assert len(site.jobs.messages) == 1


@pytest.mark.parametrize(
    ("data", "fields"),
    [(OTHER, {}), (None, {"method": "otsu"}), (None, {"group": "g"})],
)
def test_the_same_key_for_another_request_is_refused(
    site: Site, data: bytes | None, fields: dict[str, str]
) -> None:
    site.upload(headers=KEY)

    answer = site.upload(data, headers=KEY, **fields)

    assert problem(answer) == (422, "idempotency-key-reused")
    assert len(site.jobs.messages) == 1


def test_a_deleted_image_does_not_come_back_with_its_key(site: Site) -> None:
    place = site.upload(headers=KEY).headers["Location"]
    site.client.delete(place)

    answer = site.upload(headers=KEY)

    assert problem(answer) == (422, "idempotency-key-reused")
    assert "deleted" in answer.get_json()["detail"]
    assert site.client.get(place).status_code == 404


@pytest.mark.parametrize("key", ["x" * 15, "x" * 256, "ü" * 16, "x" * 16 + "\t"])
def test_a_key_of_another_form_is_refused(site: Site, key: str) -> None:
    answer = site.upload(headers={"Idempotency-Key": key})

    assert problem(answer) == (422, "invalid-parameter")
    assert answer.get_json()["parameter"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["x" * 16, "x" * 255, 'with spaces and "quotes"'])
def test_16_to_255_printable_characters_are_a_key(site: Site, key: str) -> None:
    assert site.upload(headers={"Idempotency-Key": key}).status_code == 202


def test_the_same_key_of_two_owners_is_two_requests() -> None:
    site = Site(Settings(api_tokens=f"ana:{hash_token('one')},bia:{hash_token('two')}"))

    ids = {
        site.upload(headers={**KEY, "Authorization": f"Bearer {token}"}).get_json()["image_id"]
        for token in ("one", "two")
    }

    assert len(ids) == 2


def test_ids_depend_on_the_secret_and_are_the_same_in_the_whole_fleet() -> None:
    def image_id(secret: str | None) -> str:
        site = Site(Settings(idempotency_secret=secret))
        return str(site.upload(headers=KEY).get_json()["image_id"])

    one, other = "the first secret of all", "the second secret of all"
    assert image_id(one) == image_id(one)
    assert len({image_id(one), image_id(other), image_id(None)}) == 3


def test_a_store_that_answers_twice_makes_no_replay_of_a_request_without_a_key(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has taken the object, the answer was lost, and the client library asks again."""
    put_once = site.inputs.put_once

    def put_twice(*args: object, **more: object) -> object:
        put_once(*args, **more)
        return put_once(*args, **more)

    monkeypatch.setattr(site.inputs, "put_once", put_twice)

    answer = site.upload()

    assert answer.status_code == 202
    assert "Idempotency-Replayed" not in answer.headers
    assert len(site.jobs.messages) == 1


def test_beyond_the_five_minutes_of_sqs_a_waiting_image_is_at_most_sent_again() -> None:
    now = [0.0]
    site = Site(Settings(), jobs=MemoryQueue(clock=lambda: now[0]))
    site.upload(headers=KEY)
    now[0] = 301

    assert site.upload(headers=KEY).status_code == 202
    site.work()

    assert len(site.outputs.objects) == 1
