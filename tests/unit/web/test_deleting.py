"""DELETE: the image is gone for everybody, also for a worker that has it in hand."""

from __future__ import annotations

import json
import uuid

import pytest

from app.domain.keys import failure_key, processed_key
from app.domain.messages import Job
from app.domain.representation import Failure, ImageStatus, now
from app.errors import ImageDeletedError
from app.images.listing import find_orphans
from app.settings import Settings
from testkit.in_memory.site import Site, problem
from testkit.png.scans import header, page_png, pixels, png

BROKEN = png(header(40, 30), pixels([b"\0" * 40] * 20))


@pytest.fixture
def site() -> Site:
    return Site(Settings())


def contents(site: Site) -> list[bytes]:
    return [o.data for bucket in (site.inputs, site.outputs) for o in bucket.objects.values()]


@pytest.mark.parametrize("data", [page_png(), BROKEN])
@pytest.mark.parametrize("is_finished", [False, True])
def test_a_deleted_image_leaves_no_byte_and_looks_unknown(
    site: Site, data: bytes, is_finished: bool
) -> None:
    place = site.upload(data).headers["Location"]
    if is_finished:
        site.work()

    answer = site.client.delete(place)

    assert (answer.status_code, answer.data) == (204, b"")
    assert set(contents(site)) == {b""}
    for path in (place, f"{place}/original", f"{place}/processed"):
        assert problem(site.client.get(path)) == (404, "not-found")


def test_deleting_again_and_deleting_the_unknown_is_404(site: Site) -> None:
    place = site.upload().headers["Location"]
    site.client.delete(place)

    assert problem(site.client.delete(place)) == (404, "not-found")
    assert problem(site.client.delete(f"/images/{uuid.uuid4()}")) == (404, "not-found")


def test_a_deleted_image_looks_like_one_that_never_existed(site: Site) -> None:
    place = site.upload().headers["Location"]
    site.client.delete(place)

    deleted = site.client.get(place).get_json()
    unknown = site.client.get(f"/images/{uuid.uuid4()}").get_json()

    assert deleted.keys() == unknown.keys()
    assert (deleted["title"], deleted["code"]) == (unknown["title"], unknown["code"])


def test_a_waiting_image_that_is_deleted_is_dropped_without_an_announcement(site: Site) -> None:
    place = site.upload().headers["Location"]
    site.client.delete(place)

    site.work()

    assert (site.jobs.messages, site.announced.messages) == ([], [])
    assert site.client.get(place).status_code == 404


def test_an_image_deleted_while_it_is_in_work_gets_no_result(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site.upload().headers["Location"]
    get = site.inputs.get

    def get_and_delete(key: str) -> object:
        monkeypatch.setattr(site.inputs, "get", get)
        stored = get(key)
        site.client.delete(place)
        return stored

    monkeypatch.setattr(site.inputs, "get", get_and_delete)
    site.work()

    assert (site.jobs.messages, site.announced.messages) == ([], [])
    assert set(contents(site)) == {b""}


def test_a_failure_recorded_while_the_image_is_deleted_is_taken_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site.upload(BROKEN).headers["Location"]
    image_id = uuid.UUID(place.rpartition("/")[2])
    image = site.store.find(image_id).model_copy(
        update={"status": ImageStatus.FAILED, "error": Failure(code="x", detail="y")}
    )
    put = site.outputs.put

    def put_and_delete(key: str, data: bytes, **more: object) -> object:
        stored = put(key, data, **more)
        if key == failure_key(image_id):
            put(processed_key(image_id), b"", content_type="", metadata={"deleted": "true"})
        return stored

    monkeypatch.setattr(site.outputs, "put", put_and_delete)

    with pytest.raises(ImageDeletedError):
        site.store.records.put_failure(image, Job.parse(site.jobs.bodies[0]))

    assert failure_key(image_id) not in site.outputs.objects


def test_an_interrupted_deletion_is_completed_by_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site.upload().headers["Location"]
    site.work()

    delete_twice_cut_between(site, place, monkeypatch)

    assert set(contents(site)) == {b""}


def delete_twice_cut_between(site: Site, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first DELETE ends after the mark of the result, as S3 does not answer any more."""
    put = site.inputs.put
    monkeypatch.setattr(site.inputs, "put", lambda *_, **__: site.inputs.check())
    site.inputs.is_down = True
    assert site.client.delete(place).status_code == 503
    site.inputs.is_down = False
    monkeypatch.setattr(site.inputs, "put", put)

    assert site.client.get(place).status_code == 404
    assert site.client.delete(place).status_code == 404


def another_producers_image(site: Site) -> str:
    image_id = uuid.uuid4()
    site.inputs.put("scans/a.png", page_png(), content_type="image/png", metadata={})
    body = {"image_id": str(image_id), "bucket": "image-input", "key": "scans/a.png"}
    site.send(json.dumps(body), image_id)
    site.work()
    return f"/images/{image_id}"


def test_the_original_of_another_producer_is_erased_under_its_own_key(site: Site) -> None:
    place = another_producers_image(site)

    assert site.client.delete(place).status_code == 204

    assert set(contents(site)) == {b""}


def test_an_interrupted_deletion_still_erases_the_original_of_another_producer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = another_producers_image(site)

    delete_twice_cut_between(site, place, monkeypatch)

    assert site.inputs.objects.keys() == {"scans/a.png"}
    assert set(contents(site)) == {b""}


def test_the_original_of_another_producer_can_be_fetched(site: Site) -> None:
    place = another_producers_image(site)
    href = site.client.get(place).get_json()["original"]["href"]

    assert site.client.get(href).data == page_png()
    assert site.client.head(href).headers["Content-Length"] == str(len(page_png()))


def test_a_mark_of_deletion_shows_in_no_listing_of_orphans(site: Site) -> None:
    place = site.upload().headers["Location"]
    site.client.delete(place)

    assert list(find_orphans(site.inputs, site.outputs, before=now())) == []
