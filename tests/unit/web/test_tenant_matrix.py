"""Nobody can tell another's image from one that never was: every route, method and header."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.access.tokens import hash_token
from app.settings import Settings
from testkit.in_memory.site import Site
from testkit.png.scans import header, page_png, pixels, png

TOKENS = f"ana:{hash_token('one')},bia:{hash_token('two')}"
WHO = {
    "ana": {"Authorization": "Bearer one"},
    "bia": {"Authorization": "Bearer two"},
    "a wrong token": {"Authorization": "Bearer three"},
    "none": {},
}
BROKEN = png(header(40, 30), pixels([b"\0" * 40] * 20))
STATES = ("queued", "live", "failed", "deleted")
PATHS = ("", "/original", "/processed", "/original?download", "/delete", "/nothing", "/")
METHODS = ("GET", "HEAD", "DELETE", "POST", "OPTIONS", "PUT", "PATCH", "TRACE", "QUERY")
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Accept": "application/json"},
    {"Accept": "text/html"},
    {"Accept": "text/html", "Accept-Language": "pt-BR"},
    {"Range": "bytes=0-3"},
    {"Range": "bytes=999999999-"},
    {"If-None-Match": "*"},
    {"If-None-Match": '"etag"', "Range": "bytes=0-3", "If-Range": '"etag"'},
    {"Prefer": "wait=1"},
    {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"},
    {"Origin": "http://localhost"},
)
#: What differs between any two answers.
VARYING = ("X-Request-ID", "Date")


class Town:
    """A site where ana has an image in each state, and a record of the calls that it makes."""

    def __init__(self) -> None:
        self.site = Site(Settings(api_tokens=TOKENS))
        self.ids = {state: self._bring(state) for state in STATES}
        self.ids["unknown"] = str(uuid.uuid4())
        self.etag = next(iter(self.site.outputs.objects.values())).etag
        self.calls: list[str] = []
        for name, bucket in (("in", self.site.inputs), ("out", self.site.outputs)):
            for verb in ("get", "head", "put", "put_once", "delete"):
                setattr(bucket, verb, self._counted(name, verb, getattr(bucket, verb)))

    def _bring(self, state: str) -> str:
        self.site.jobs.messages.clear()
        data = BROKEN if state == "failed" else page_png()
        image_id = str(self.site.upload(data, headers=WHO["ana"]).get_json()["image_id"])
        if state == "queued":
            return image_id
        self.site.work()
        if state == "deleted":
            self.site.client.delete(f"/images/{image_id}", headers=WHO["ana"])
        return image_id

    def _counted(self, name: str, verb: str, call: Any) -> Any:
        def counted(key: str, *args: Any, **more: Any) -> Any:
            # The fake's HEAD is made of its GET, which is no other call.
            self.calls.append(f"{name} {verb}")
            return call(key, *args, **more)

        return counted

    def ask(
        self, who: str, state: str, path: str, method: str, headers: dict[str, str]
    ) -> tuple[Any, list[str]]:
        self.calls.clear()
        image_id = self.ids[state]
        sent = {k: v.replace('"etag"', self.etag) for k, v in headers.items()} | WHO[who]
        answer = self.site.client.open(f"/images/{image_id}{path}", method=method, headers=sent)
        return comparable(answer, image_id), list(self.calls)

    def contents(self) -> list[Any]:
        return [dict(b.objects) for b in (self.site.inputs, self.site.outputs)]


def comparable(answer: TestResponse, image_id: str) -> Any:
    """Status, headers in their order, and body, without what differs between any two."""
    headers = [(n, v.replace(image_id, "ID")) for n, v in answer.headers if n not in VARYING]
    body = answer.get_data().replace(image_id.encode(), b"ID")
    request_id = answer.headers["X-Request-ID"].encode()
    return answer.status_code, headers, re.sub(re.escape(request_id), b"REQUEST", body)


@pytest.fixture
def town() -> Town:
    return Town()


def cases() -> Iterator[tuple[str, str, dict[str, str]]]:
    return product(PATHS, METHODS, HEADERS)


@pytest.mark.parametrize("who", ["bia", "a wrong token", "none"])
def test_to_others_an_image_looks_like_one_that_never_existed(town: Town, who: str) -> None:
    before, differences, count = town.contents(), [], 0
    for path, method, headers in cases():
        unknown, _ = town.ask(who, "unknown", path, method, headers)
        for state in STATES:
            count += 1
            found, _ = town.ask(who, state, path, method, headers)
            if found != unknown:
                differences.append((state, method, path, headers, found, unknown))

    print(f"\n{who}: {count} comparisons, {len(differences)} differences")
    assert differences[:3] == []
    assert count == 4 * len(PATHS) * len(METHODS) * len(HEADERS)
    assert town.contents() == before


def test_to_its_owner_a_deleted_image_looks_like_one_that_never_existed(town: Town) -> None:
    differences, count = [], 0
    for path, method, headers in cases():
        count += 1
        found, _ = town.ask("ana", "deleted", path, method, headers)
        unknown, _ = town.ask("ana", "unknown", path, method, headers)
        if found != unknown:
            differences.append((method, path, headers, found, unknown))

    print(f"\nana: {count} comparisons, {len(differences)} differences")
    assert differences[:3] == []


def test_without_tokens_deleted_and_unknown_images_have_the_same_response() -> None:
    site = Site(Settings())
    deleted = str(site.upload().get_json()["image_id"])
    site.client.delete(f"/images/{deleted}")
    unknown = str(uuid.uuid4())

    for path, method, headers in cases():
        answers = [
            comparable(site.client.open(f"/images/{i}{path}", method=method, headers=headers), i)
            for i in (deleted, unknown)
        ]
        assert answers[0] == answers[1]


def test_a_404_costs_the_same_number_of_s3_requests_in_every_state(town: Town) -> None:
    for path, method in product(("", "/original", "/processed", "/delete"), METHODS):
        headers = {"Sec-Fetch-Site": "same-origin"}
        calls = {s: town.ask("bia", s, path, method, headers)[1] for s in town.ids}
        assert len({tuple(c) for c in calls.values()}) == 1, (method, path, calls)


def test_the_owner_sees_every_state(town: Town) -> None:
    """So that the comparisons compare something."""
    states = {s: town.ask("ana", s, "", "GET", {})[0] for s in town.ids}

    assert [states[s][0] for s in town.ids] == [200, 200, 200, 404, 404]
    assert town.ask("ana", "live", "/original", "GET", {})[0][2] == page_png()


def test_deleting_another_owners_deleted_image_changes_nothing(town: Town) -> None:
    _, calls = town.ask("bia", "deleted", "", "DELETE", {})

    assert {call.split()[1] for call in calls} <= {"get", "head"}


def test_an_interrupted_deletion_is_completed_by_its_owner_only(town: Town) -> None:
    site, image_id = town.site, town.ids["deleted"]
    site.inputs.objects[f"{image_id}.png"] = site.inputs.objects[f"{town.ids['live']}.png"]
    left = dict(site.inputs.objects)

    town.ask("bia", "deleted", "", "DELETE", {})
    assert site.inputs.objects == left
    town.ask("ana", "deleted", "", "DELETE", {})
    assert site.inputs.objects[f"{image_id}.png"].data == b""


def test_an_idempotency_key_of_another_owner_reveals_nothing() -> None:
    site = Site(Settings(api_tokens=TOKENS))
    key = {"Idempotency-Key": "a-key-of-16-characters"}
    first = site.upload(headers=WHO["ana"] | key).get_json()["image_id"]
    fresh = {"Idempotency-Key": "another-key-of-16-characters"}

    for data in (page_png(), page_png(50)):
        site.jobs.messages.clear()
        same, other = (site.upload(data, headers=WHO["bia"] | k) for k in (key, fresh))
        assert same.get_json()["image_id"] != first
        assert (same.status_code, [*same.headers.keys()]) == (
            other.status_code,
            [*other.headers.keys()],
        )
        assert same.get_json().keys() == other.get_json().keys()
        key, fresh = ({"Idempotency-Key": f"{k['Idempotency-Key']}-2"} for k in (key, fresh))


def test_an_original_without_an_owner_is_shown_to_the_owner_of_its_image() -> None:
    site = Site(Settings(api_tokens=TOKENS))
    image_id = uuid.uuid4()
    site.inputs.put("scans/a.png", page_png(), content_type="image/png", metadata={})
    site.send(
        f'{{"image_id": "{image_id}", "bucket": "image-input", "key": "scans/a.png", '
        '"owner": "ana"}',
        image_id,
    )
    site.work()

    statuses = [
        site.client.get(f"/images/{image_id}/original", headers=WHO[who]).status_code
        for who in ("ana", "bia")
    ]

    assert statuses == [200, 404]


def test_an_original_named_by_anothers_message_is_neither_shown_nor_erased(town: Town) -> None:
    """The image that such a message asks for belongs to whom it says, and holds nothing."""
    site, theirs, mine = town.site, town.ids["live"], uuid.uuid4()
    before = site.inputs.objects[f"{theirs}.png"]
    body = {"image_id": str(mine), "bucket": "image-input", "key": f"{theirs}.png", "owner": "bia"}
    site.send(json.dumps(body), mine)
    site.work()

    found = site.client.get(f"/images/{mine}", headers=WHO["bia"]).get_json()
    original = site.client.get(f"/images/{mine}/original", headers=WHO["bia"])
    deleted = site.client.delete(f"/images/{mine}", headers=WHO["bia"])

    assert (found["error"]["code"], found["original"]) == ("foreign-original", None)
    assert (original.status_code, deleted.status_code) == (404, 204)
    assert site.inputs.objects[f"{theirs}.png"] == before
    assert town.ask("ana", "live", "", "GET", {})[0][0] == 200


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", ["own", "scans/a.png"])
def test_an_id_named_by_anothers_message_is_unchanged(town: Town, state: str, key: str) -> None:
    site, image_id = town.site, uuid.UUID(town.ids[state])
    site.jobs.messages.clear()
    site.inputs.put("scans/a.png", page_png(50), content_type="image/png", metadata={})
    before = town.ask("ana", state, "", "GET", {})[0]
    named = f"{image_id}.png" if key == "own" else key
    body = {"image_id": str(image_id), "bucket": "image-input", "key": named, "owner": "bia"}
    site.send(json.dumps(body), uuid.uuid4())
    site.work()

    assert town.ask("ana", state, "", "GET", {})[0] == before
    assert town.ask("bia", state, "", "GET", {})[0] == town.ask("bia", "unknown", "", "GET", {})[0]
