"""Whose an object and an image id are, whatever a message claims."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from app.consumer.outcome import Outcome
from app.domain.keys import image_of_key, names_another, spellings
from app.domain.representation import Image, ImageStatus, Original, now
from app.errors import NotFoundError
from app.images.listing import find_orphans
from app.images.metadata import MAX_METADATA_BYTES
from app.images.ownership import as_metadata, key_in
from testkit.in_memory.memory_pipeline import MemoryPipeline

SECRET = "payroll.png"
ID = uuid.UUID("6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de")
OTHER = uuid.UUID("11111111-9d4a-4b57-a7a3-0d3f3ef0a7de")
STATES = ("unknown", "queued", "processed", "failed", "deleted")
KEYS = {
    "own": f"{ID}.png",
    "another's": f"{OTHER}.png",
    "another's, in capitals": f"{OTHER}.png".upper(),
    "another's, encoded": f"{OTHER}%2Epng",
    "another's, by a detour": f"scans/../{OTHER}.png",
    "unowned": "scans/unowned.png",
    "of alpha": "scans/alpha.png",
    "missing": "scans/missing.png",
}
CLAIMS = (None, "alpha", "beta")


@dataclass(frozen=True)
class Case:
    """A message about an image of alpha's in some *state*, or about none that is known."""

    state: str
    key: str
    claim: str | None
    is_repeat: bool

    @property
    def expected(self) -> str:
        """processed, dropped, or the code of the failure."""
        if self.key.startswith("another's"):
            return "foreign-original"
        if self.state != "unknown":
            return self._expected_of_alphas
        if self.key in ("own", "missing"):
            return "original-missing"
        is_refused = self.key == "of alpha" and self.claim == "beta"
        return "foreign-original" if is_refused else "processed"

    @property
    def _expected_of_alphas(self) -> str:
        if self.key != "own":
            return "image-id-taken"
        if self.claim == "beta":
            finished = self.is_repeat and self.state not in ("queued", "unknown")
            return "image-id-taken" if finished else "foreign-original"
        ends = {"failed": "corrupt-png", "deleted": "dropped"}
        return ends.get(self.state, "processed")

    @property
    def owner(self) -> str | None:
        """Whom the announcement belongs to."""
        if self.expected in ("processed", "corrupt-png"):
            is_alphas = self.state != "unknown" or self.key == "of alpha"
            return "alpha" if is_alphas else self.claim
        return self.claim


CASES = [Case(*values) for values in product(STATES, KEYS, CLAIMS, (False, True))]


def store(pipeline: MemoryPipeline, image_id: uuid.UUID, data: bytes) -> None:
    image = Image(
        image_id=image_id,
        status=ImageStatus.QUEUED,
        owner="alpha",
        original=Original(
            href="", filename=SECRET, size_bytes=987_654, sha256="cd" * 32, dpi=61_361
        ),
    )
    pipeline.store.put_original(image, data)


@pytest.fixture
def pipeline() -> MemoryPipeline:
    """Alpha has an image of its own, and two objects of other producers lie in the bucket."""
    pipeline = MemoryPipeline()
    store(pipeline, OTHER, b"page")
    pipeline.send(pipeline.job(OTHER, owner="alpha"), group="other")
    pipeline.handle_next()
    for key, owner in (("scans/unowned.png", {}), ("scans/alpha.png", {"owner": "alpha"})):
        named = {"original-filename": SECRET} | owner
        pipeline.originals.put(key, b"page", content_type="", metadata=named)
    pipeline.announced.messages.clear()
    return pipeline


def bring_into(pipeline: MemoryPipeline, state: str) -> None:
    if state == "unknown":
        return
    store(pipeline, ID, b"bad" if state == "failed" else b"page")
    if state == "queued":
        return
    pipeline.send(pipeline.job(ID, owner="alpha"), group="before")
    pipeline.handle_next()
    if state == "deleted":
        pipeline.store.delete(ID)
    pipeline.announced.messages.clear()
    pipeline.clock.advance(301)


def contents(pipeline: MemoryPipeline) -> dict[tuple[str, str], Any]:
    return {
        (bucket.name, key): (stored.data, stored.metadata)
        for bucket in (pipeline.originals, pipeline.results)
        for key, stored in bucket.objects.items()
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_message_uses_only_its_own_objects_and_changes_no_others(
    pipeline: MemoryPipeline, case: Case
) -> None:
    bring_into(pipeline, case.state)
    before = contents(pipeline)
    fields = {} if case.claim is None else {"owner": case.claim}
    pipeline.send(pipeline.job(ID, key=KEYS[case.key], **fields))
    if case.is_repeat:
        pipeline.receive()
        pipeline.clock.advance(61)

    ending = pipeline.handle_next()

    assert pipeline.jobs.messages == []
    if case.expected == "dropped":
        assert (ending.outcome, pipeline.announcements) == (Outcome.DELETED, [])
        assert contents(pipeline) == before
        return
    (said,) = pipeline.announcements
    assert said["image_id"] == str(ID)
    assert (said["error"] or {}).get("code", "processed") == case.expected
    assert said["owner"] == case.owner
    check_nothing_leaks(said, case)
    check_what_was_stored(pipeline, case, before)


def check_nothing_leaks(said: dict[str, Any], case: Case) -> None:
    if said["owner"] == "alpha" or case.key == "unowned":
        return
    text = json.dumps(said)
    for private in (SECRET, "987654", "cd" * 32, "61361", "alpha"):
        assert private not in text.replace(KEYS["of alpha"], "")
    assert said["original"] is None


def check_what_was_stored(pipeline: MemoryPipeline, case: Case, before: dict[Any, Any]) -> None:
    after = contents(pipeline)
    changed = {k for k in after.keys() | before.keys() if after.get(k) != before.get(k)}
    own = {("image-processed", f"{ID}.png"), ("image-processed", f"failures/{ID}.json")}
    if case.expected == "processed":
        assert changed <= {("image-processed", f"{ID}.png")}
    elif case.state != "unknown" and case.expected != "corrupt-png":
        (aside,) = changed
        assert aside[1].startswith(f"failures/{ID}/")
    else:
        assert changed <= own


def test_the_table_of_cases_is_complete() -> None:
    assert len(CASES) == len(STATES) * len(KEYS) * len(CLAIMS) * 2
    assert {case.expected for case in CASES} >= {"processed", "dropped", "image-id-taken"}


# --- two jobs with one image id ------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"page", b"bad"])
@pytest.mark.parametrize("second", [b"page", b"bad"])
def test_the_second_of_two_jobs_with_the_same_id_is_announced_as_a_conflict(
    pipeline: MemoryPipeline, first: bytes, second: bytes
) -> None:
    for key, data in (("scans/1.png", first), ("scans/2.png", second)):
        pipeline.originals.put(key, data, content_type="", metadata={})
    pipeline.send(pipeline.job(ID, key="scans/1.png"))
    pipeline.handle_next()
    before = contents(pipeline)

    pipeline.send(pipeline.job(ID, key="scans/2.png"))
    pipeline.handle_next()

    assert [a["image_id"] for a in pipeline.announcements] == [str(ID)] * 2
    assert pipeline.announcements[1]["error"]["code"] == "image-id-taken"
    assert {k: v for k, v in contents(pipeline).items() if k in before} == before


def test_a_third_and_a_fourth_job_are_announced_as_conflicts_too(pipeline: MemoryPipeline) -> None:
    for number in range(4):
        pipeline.originals.put(f"scans/{number}.png", b"page", content_type="", metadata={})
        pipeline.send(pipeline.job(ID, key=f"scans/{number}.png", group="g"), group="g")
        pipeline.handle_next()

    assert len(pipeline.announcements) == 4
    assert len([key for key in pipeline.results.objects if key.startswith(f"failures/{ID}/")]) == 3


@pytest.mark.parametrize("data", [b"page", b"bad"])
def test_the_same_job_sent_again_is_announced_once(pipeline: MemoryPipeline, data: bytes) -> None:
    pipeline.originals.put("scans/1.png", data, content_type="", metadata={})
    for _ in range(3):
        pipeline.send(pipeline.job(ID, key="scans/1.png"))
        pipeline.handle_next()

    assert len(pipeline.announcements) == 1


def test_the_same_refused_job_sent_again_is_announced_once(pipeline: MemoryPipeline) -> None:
    for _ in range(3):
        pipeline.send(pipeline.job(ID, key=f"{OTHER}.png", owner="beta"))
        pipeline.handle_next()

    assert pipeline.codes == ["foreign-original"]


def test_the_first_owner_that_claims_an_unowned_object_keeps_it(
    pipeline: MemoryPipeline,
) -> None:
    for owner in ("alpha", "beta"):
        pipeline.send(pipeline.job(ID, key="scans/unowned.png", owner=owner))
        pipeline.handle_next()

    first, second = pipeline.announcements
    assert (first["owner"], first["status"]) == ("alpha", "processed")
    assert (second["owner"], second["error"]["code"]) == ("beta", "image-id-taken")
    assert pipeline.store.find(ID).owner == "alpha"


def test_the_first_owner_keeps_the_object_even_if_the_image_failed(
    pipeline: MemoryPipeline,
) -> None:
    for owner, data in (("alpha", b"bad"), ("beta", b"page")):
        pipeline.originals.put(f"{ID}.png", data, content_type="", metadata={})
        pipeline.send(pipeline.job(ID, owner=owner))
        pipeline.handle_next()

    assert pipeline.codes == ["corrupt-png", "image-id-taken"]
    assert pipeline.store.find(ID).owner == "alpha"


@pytest.mark.parametrize("state", ["queued", "processed", "failed"])
def test_an_unreadable_message_changes_no_image_of_an_owner(
    pipeline: MemoryPipeline, state: str
) -> None:
    bring_into(pipeline, state)
    before = contents(pipeline)
    pipeline.send(json.dumps({"version": 0, "image_id": str(ID)}))

    pipeline.handle_next()

    assert pipeline.codes == ["invalid-message"]
    assert pipeline.announcements[0]["original"] is None
    assert {k: v for k, v in contents(pipeline).items() if k in before} == before
    assert pipeline.store.find(ID).owner == "alpha"


def test_an_image_whose_own_message_cannot_be_read_fails(pipeline: MemoryPipeline) -> None:
    """As that of an API which is newer than its workers: else it would wait for ever."""
    bring_into(pipeline, "queued")
    pipeline.send(pipeline.job(ID, version=0, owner="alpha"))

    pipeline.handle_next()

    found = pipeline.store.find(ID)
    assert (found.status, found.owner) == (ImageStatus.FAILED, "alpha")


def test_a_job_of_another_whose_original_was_erased_is_no_deleted_image(
    pipeline: MemoryPipeline,
) -> None:
    pipeline.send(pipeline.job(ID, key="scans/unowned.png"))
    pipeline.handle_next()
    pipeline.store.delete(ID)
    third = uuid.uuid4()

    pipeline.send(pipeline.job(third, key="scans/unowned.png"))
    pipeline.handle_next()

    assert pipeline.announcements[-1]["image_id"] == str(third)
    assert pipeline.announcements[-1]["error"]["code"] == "original-missing"


def test_a_failure_recorded_by_another_in_the_meantime_stays(
    pipeline: MemoryPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.originals.put("scans/1.png", b"bad", content_type="", metadata={})
    pipeline.originals.put("scans/2.png", b"bad", content_type="", metadata={})
    put_once = pipeline.results.put_once

    def put_once_too_late(key: str, data: bytes, **more: Any) -> Any:
        monkeypatch.undo()
        pipeline.send(pipeline.job(ID, key="scans/2.png"), group="2")
        pipeline.handle_next()
        return put_once(key, data, **more)

    monkeypatch.setattr(pipeline.results, "put_once", put_once_too_late)
    pipeline.send(pipeline.job(ID, key="scans/1.png"), group="1")
    pipeline.handle_next()

    first, second = pipeline.announcements
    assert first["original"]["key"] == "scans/2.png"
    assert second["original"] is None
    assert json.loads(pipeline.results.objects[f"failures/{ID}.json"].data) == first


def test_an_image_is_an_orphan_though_another_message_has_named_it(
    pipeline: MemoryPipeline,
) -> None:
    bring_into(pipeline, "queued")
    pipeline.send(pipeline.job(ID, key="scans/unowned.png"))
    pipeline.handle_next()

    found = find_orphans(pipeline.originals, pipeline.results, before=now() + timedelta(hours=1))
    assert list(found) == [ID]


# --- deleting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [f"{OTHER}.png", "scans/alpha.png", f"/{OTHER}.png"])
def test_deleting_an_image_leaves_an_original_that_is_anothers(
    pipeline: MemoryPipeline, key: str
) -> None:
    """Such images were made by versions that believed every message."""
    made = as_metadata(key=key, owner="beta")
    pipeline.results.put(f"{ID}.png", b"PAGE", content_type="", metadata=made)
    before = dict(pipeline.originals.objects)

    pipeline.store.delete(ID)

    assert pipeline.originals.objects == before
    assert pipeline.results.objects[f"{ID}.png"].data == b""


def test_deleting_an_image_leaves_the_original_of_another_that_nobody_owns(
    pipeline: MemoryPipeline,
) -> None:
    another = pipeline.upload()
    made = as_metadata(key=f"{another}.png", owner=None)
    pipeline.results.put(f"{ID}.png", b"PAGE", content_type="", metadata=made)

    pipeline.store.delete(ID)

    assert pipeline.originals.objects[f"{another}.png"].data == b"page"


def test_an_image_shows_no_original_that_is_anothers(pipeline: MemoryPipeline) -> None:
    made = as_metadata(key=f"{OTHER}.png", owner=None)
    pipeline.results.put(f"{ID}.png", b"PAGE", content_type="", metadata=made)

    with pytest.raises(NotFoundError):
        pipeline.store.open_original(ID)


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "belongs"),
    [
        (f"{ID}.png", True),
        (f"{ID}.PNG".upper(), True),
        (f"/{ID}.png", True),
        (f"a/../{ID}.png", True),
        (f"{ID}.png/", True),
        (f"scans/{ID}.png", False),
        (f"{ID}", False),
        (f"{ID}.png.png", False),
    ],
)
def test_a_key_belongs_to_the_image_that_it_is_named_after(key: str, belongs: bool) -> None:
    assert (image_of_key(key) == ID) is belongs
    assert names_another(key, OTHER) is belongs
    assert not names_another(key, ID)


@pytest.mark.parametrize(
    "key", ["a b.png", "é.png", "%", "%zz", "%ff", "%00", "a%2Fb", "+", "\x00"]
)
def test_every_key_is_a_spelling_of_itself_first(key: str) -> None:
    assert spellings(key, ID)[0] == key


@pytest.mark.parametrize(
    "key", ["a.png", "scans/é+%.png", "日本語" * 100, "\x01" * 1024, "a" * 1024, "é" * 512]
)
def test_a_key_is_unchanged_after_the_metadata(key: str) -> None:
    metadata = as_metadata(key=key)

    assert key_in(metadata) == key
    assert all(v.isascii() and v.isprintable() for v in metadata.values())
    assert sum(len(k) + len(v) for k, v in metadata.items()) < 1500


@pytest.mark.parametrize("key", ["\u0390" * 512, "\u1f82" * 341, "日" * 1024])
def test_a_message_with_a_key_that_no_object_can_have_fails_at_once(
    pipeline: MemoryPipeline, key: str
) -> None:
    pipeline.send(json.dumps({"image_id": str(ID), "bucket": "image-input", "key": key}))

    assert pipeline.handle_next().outcome is Outcome.FAILED
    assert pipeline.codes[0] in ("original-missing", "invalid-message")


@pytest.mark.parametrize("key", ["a.png", "é" * 512, "\x01" * 1024])
def test_the_metadata_of_an_image_fits_with_the_longest_key(
    pipeline: MemoryPipeline, key: str
) -> None:
    most = {
        "original-filename": quote("é" * 127, safe=""),
        "original-dpi": "2147483647",
        "parameters": '{"window":99,"k":-0.123456789}',
        "processed-at": "2026-11-28T00:00:00.000Z",
    }
    pipeline.originals.put(key, b"page", content_type="", metadata=most)
    fields = {"owner": "o" * 64, "group": "g" * 128, "uploaded_at": "2026-11-28T00:00:00Z"}
    pipeline.send(pipeline.job(ID, key=key, **fields))

    assert pipeline.handle_next().outcome is Outcome.PROCESSED
    metadata = pipeline.results.objects[f"{ID}.png"].metadata
    assert sum(len(name) + len(value) for name, value in metadata.items()) <= MAX_METADATA_BYTES
    found = pipeline.store.records.find(ID)
    assert found.original is not None
    assert (found.original.key, found.owner, found.group) == (key, "o" * 64, "g" * 128)
