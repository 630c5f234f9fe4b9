"""How things are said over HTTP: parts of files, pages for people, and headers on everything."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from app.access.tokens import hash_token
from app.domain.ports import Message
from app.observability import logs
from app.settings import Settings
from testkit.in_memory.site import Site, problem
from testkit.observability.logged import events
from testkit.png.scans import header, page_png, pixels, png
from testkit.timing.waiting import wait_until

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TOKENS = f"ana:{hash_token('one')},bia:{hash_token('two')}"
ANA, BIA = {"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}
BROKEN = png(header(40, 30), pixels([b"\0" * 40] * 20))
PAGE = page_png()


@pytest.fixture
def site() -> Site:
    return Site(Settings())


@pytest.fixture
def place(site: Site) -> str:
    return site.upload().headers["Location"] + "/original"


# --- parts of a file (RFC 9110, sections 13 and 14) ----------------------------------------------


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-7", PAGE[:8], f"bytes 0-7/{len(PAGE)}"),
        ("bytes=8-", PAGE[8:], f"bytes 8-{len(PAGE) - 1}/{len(PAGE)}"),
        ("bytes=-4", PAGE[-4:], f"bytes {len(PAGE) - 4}-{len(PAGE) - 1}/{len(PAGE)}"),
        ("bytes=0-999999", PAGE, f"bytes 0-{len(PAGE) - 1}/{len(PAGE)}"),
        ("bytes=-999999", PAGE, f"bytes 0-{len(PAGE) - 1}/{len(PAGE)}"),
    ],
)
def test_one_range_is_answered_with_that_part(
    site: Site, place: str, asked: str, part: bytes, content_range: str
) -> None:
    answer = site.client.get(place, headers={"Range": asked})

    assert (answer.status_code, answer.data) == (206, part)
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(part))


@pytest.mark.parametrize(
    "asked", ["lines=0-7", "bytes=0-1,4-5", "bytes=7-0", "bytes=-", "bytes=a-b", "bytes", ""]
)
def test_ranges_that_we_do_not_serve_are_answered_with_the_whole(
    site: Site, place: str, asked: str
) -> None:
    answer = site.client.get(place, headers={"Range": asked})

    assert (answer.status_code, answer.data) == (200, PAGE)


@pytest.mark.parametrize("asked", [f"bytes={len(PAGE)}-", "bytes=999999-", "bytes=-0"])
def test_a_range_outside_the_file_says_how_long_it_is(site: Site, place: str, asked: str) -> None:
    answer = site.client.get(place, headers={"Range": asked})

    assert problem(answer) == (416, "range-not-satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(PAGE)}"


def test_a_range_outside_a_file_of_the_page_is_416_too(site: Site) -> None:
    answer = site.client.get("/static/shared/style.css", headers={"Range": "bytes=9999999-"})

    assert problem(answer) == (416, "range-not-satisfiable")
    assert answer.headers["Content-Range"].startswith("bytes */")


def test_a_range_of_a_file_that_has_changed_is_answered_with_the_whole(
    site: Site, place: str
) -> None:
    etag = site.client.get(place).headers["ETag"]

    same = site.client.get(place, headers={"Range": "bytes=0-7", "If-Range": etag})
    changed = site.client.get(place, headers={"Range": "bytes=0-7", "If-Range": '"other"'})

    assert (same.status_code, changed.status_code) == (206, 200)


def test_head_is_get_without_the_file_whatever_the_range(site: Site, place: str) -> None:
    answer = site.client.head(place, headers={"Range": "bytes=0-7"})

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(PAGE))
    assert answer.headers["ETag"] == site.client.get(place).headers["ETag"]


@pytest.mark.parametrize("form", ["{etag}", "W/{etag}", '"other", {etag}', "*"])
def test_a_file_that_the_client_has_is_not_fetched_from_storage_again(
    site: Site, place: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = site.client.get(place).headers["ETag"]
    monkeypatch.setattr(site.inputs, "get", lambda _: pytest.fail("the file was fetched"))
    monkeypatch.setattr(site.inputs, "head", type(site.inputs).head.__get__(Whole(site)))

    answer = site.client.get(place, headers={"If-None-Match": form.format(etag=etag)})

    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == etag


class Whole:
    """A bucket whose `get` still works, for the `head` of the fake that is made of it."""

    def __init__(self, site: Site) -> None:
        objects = dict(site.inputs.objects)
        self.get: Callable[[str], object] = objects.__getitem__


def test_a_file_can_be_asked_for_as_a_download(site: Site, place: str) -> None:
    shown = site.client.get(place).headers["Content-Disposition"]
    saved = site.client.get(f"{place}?download=1").headers["Content-Disposition"]

    assert shown == "inline; filename*=UTF-8''scan.png"
    assert saved == "attachment; filename*=UTF-8''scan.png"


def send_named(site: Site, name: str) -> TestResponse:
    """Upload under any name; in `filename` alone some cannot be written (RFC 5987)."""
    head = (
        "--x\r\nContent-Disposition: form-data; name=image; "
        f"filename*=UTF-8''{quote(name, safe='')}\r\n\r\n"
    )
    body = head.encode() + PAGE + b"\r\n--x--\r\n"
    return site.client.post("/upload", data=body, content_type="multipart/form-data; boundary=x")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("a\r\nSet-Cookie: x=1.png", "a__Set-Cookie%3A%20x%3D1.png"),
        ("\u202egnp.exe", "_gnp.png"),
        ('"; filename="x.html', "%22%3B%20filename%3D%22x.png"),
        ("😀.png", "%F0%9F%98%80.png"),
        ("CON", "CON.png"),
        ("<script>.png", "%3Cscript%3E.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
    ],
)
def test_a_name_of_any_kind_comes_back_encoded_as_a_png_and_nowhere_else(
    site: Site, name: str, kept: str
) -> None:
    image = send_named(site, name).get_json()

    answer = site.client.get(f"/images/{image['image_id']}/original")

    assert answer.headers["Content-Disposition"] == f"inline; filename*=UTF-8''{kept}"
    assert list(site.inputs.objects) == [f"{image['image_id']}.png"]
    assert name[:5] not in "".join(v for k, v in answer.headers if k != "Content-Disposition")


# --- the representation --------------------------------------------------------------------------


def test_a_representation_that_the_client_has_is_304_until_it_changes(site: Site) -> None:
    place = site.upload().headers["Location"]
    etag = site.client.get(place).headers["ETag"]

    same = site.client.get(place, headers={"If-None-Match": etag})
    site.work()
    changed = site.client.get(place, headers={"If-None-Match": etag})

    assert (same.status_code, same.data) == (304, b"")
    assert (changed.status_code, changed.get_json()["status"]) == (200, "processed")


def test_a_finished_image_costs_one_call_to_storage(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site.upload().headers["Location"]
    site.work()
    calls: list[str] = []
    for bucket in (site.inputs, site.outputs):
        for verb in ("get", "head"):
            count(monkeypatch, bucket, verb, calls)

    assert site.client.get(place).get_json()["status"] == "processed"

    # The fake's head is made of its get.
    assert calls in (["head"], ["head", "get"])


def count(monkeypatch: pytest.MonkeyPatch, bucket: object, verb: str, calls: list[str]) -> None:
    real = getattr(bucket, verb)

    def counted(key: str) -> object:
        calls.append(verb)
        return real(key)

    monkeypatch.setattr(bucket, verb, counted)


# --- waiting -------------------------------------------------------------------------------------


@pytest.fixture
def worked(site: Site) -> Iterator[Site]:
    """A site with a worker that works for as long as the test runs."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.01):
            site.work()

    thread = threading.Thread(target=work)
    thread.start()
    yield site
    stopping.set()
    thread.join()


@pytest.mark.parametrize("data", [None, BROKEN])
def test_a_client_that_waits_gets_the_finished_image(worked: Site, data: bytes | None) -> None:
    answer = worked.upload(data, headers={"Prefer": "wait=20"})

    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert answer.get_json()["status"] in ("processed", "failed")


def test_a_wait_that_was_too_short_is_still_202(site: Site) -> None:
    answer = site.upload(headers={"Prefer": "wait=0"})

    assert (answer.status_code, answer.get_json()["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == "wait=0"


def test_the_state_of_an_image_can_be_waited_for_too(worked: Site) -> None:
    place = worked.upload().headers["Location"]

    answer = worked.client.get(place, headers={"Prefer": "respond-async, wait=20"})

    assert (answer.status_code, answer.get_json()["status"]) == (200, "processed")


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=99999", "wait=30"),
        ('wait="5"', "wait=5"),
        ("WAIT=5", "wait=5"),
        ("foo, wait=1", "wait=1"),
        ("wait=" + "0" * 5000 + "7", "wait=7"),
        ("wait=" + "9" * 5000, "wait=30"),
        ("wait", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("await=5", None),
        ("foo; wait=1", None),
        ('foo="a, wait=1"', None),
    ],
)
def test_a_preference_is_capped_or_ignored_and_never_an_error(
    site: Site, prefer: str, applied: str | None
) -> None:
    site.waits.stop()

    answer = site.upload(headers={"Prefer": prefer})

    assert answer.status_code == 202
    assert answer.headers.get("Preference-Applied") == applied


def test_an_image_that_was_accepted_is_never_refused_because_of_the_wait(site: Site) -> None:
    find = site.store.results.head

    def go_down(key: str) -> object:
        site.outputs.is_down = True
        return find(key)

    site.outputs.head = go_down  # type: ignore[method-assign]

    answer = site.upload(headers={"Prefer": "wait=5"})

    assert (answer.status_code, answer.get_json()["status"]) == (202, "queued")
    assert "Preference-Applied" not in answer.headers


# --- tokens --------------------------------------------------------------------------------------


@pytest.fixture
def guarded() -> Site:
    return Site(Settings(api_tokens=TOKENS))


def test_an_image_belongs_to_the_token_that_sent_it(guarded: Site) -> None:
    place = guarded.upload(headers=ANA).headers["Location"]
    guarded.work()

    for path in (place, f"{place}/original", f"{place}/processed"):
        assert guarded.client.get(path, headers=ANA).status_code == 200
        assert problem(guarded.client.get(path, headers=BIA)) == (404, "not-found")
        assert problem(guarded.client.get(path)) == (401, "unauthorized")
    assert problem(guarded.client.delete(place, headers=BIA)) == (404, "not-found")
    assert guarded.client.delete(place, headers=ANA).status_code == 204


@pytest.mark.parametrize("data", [None, BROKEN])
def test_the_state_of_another_owners_image_is_not_shown(guarded: Site, data: bytes | None) -> None:
    place = guarded.upload(data, headers=ANA).headers["Location"]
    answers = [guarded.client.get(f"{place}/processed", headers=BIA)]
    guarded.work()
    answers.append(guarded.client.get(f"{place}/processed", headers=BIA))
    answers.append(guarded.client.get(place, headers=BIA))

    assert {problem(answer) for answer in answers} == {(404, "not-found")}


def test_a_failed_image_is_shown_to_its_owner(guarded: Site) -> None:
    place = guarded.upload(BROKEN, headers=ANA).headers["Location"]
    guarded.work()

    assert guarded.client.get(place, headers=ANA).get_json()["status"] == "failed"


def test_images_from_before_there_were_tokens_are_not_shown(guarded: Site) -> None:
    image = Site(Settings()).upload().get_json()
    guarded.inputs.put(f"{image['image_id']}.png", PAGE, content_type="image/png", metadata={})

    answer = guarded.client.get(f"/images/{image['image_id']}", headers=ANA)

    assert problem(answer) == (404, "not-found")


def test_the_owner_is_in_the_announcement_and_never_in_a_response(guarded: Site) -> None:
    answer = guarded.upload(headers=ANA)
    guarded.work()
    later = guarded.client.get(answer.headers["Location"], headers=ANA)

    assert '"owner":"ana"' in guarded.announced.bodies[0]
    assert "owner" not in answer.get_json().keys() | later.get_json().keys()


def test_a_request_without_a_token_is_told_the_scheme(guarded: Site) -> None:
    assert guarded.upload().headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_in_the_address_is_no_token(guarded: Site) -> None:
    assert guarded.client.post("/upload?token=one&access_token=one").status_code == 401


# --- limits --------------------------------------------------------------------------------------


def test_every_upload_reports_the_quota_and_a_refused_one_the_time_to_wait() -> None:
    site = Site(Settings(rate_limit="2/minute"))

    answers = [site.upload() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=1", "r=0", "r=0"]
    assert {a.headers["RateLimit-Policy"] for a in answers} == {'"uploads";q=2;w=60'}
    assert problem(answers[2]) == (429, "rate-limited")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 120


def test_uploads_are_refused_for_now_while_too_many_wait() -> None:
    site = Site(Settings(max_queue_depth=1))
    for n in range(2):
        site.jobs.send(Message("{}", group=str(n), deduplication_id=str(n)))

    answer = site.upload()

    assert problem(answer) == (503, "queue-full")
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.get_json()["limit"], answer.get_json()["actual"]) == (1, 2)
    assert site.inputs.objects == {}


# --- other origins, proxies ----------------------------------------------------------------------


def test_pages_of_other_origins_may_do_nothing_by_default(site: Site) -> None:
    answer = site.client.get("/healthz", headers={"Origin": "https://evil.example"})

    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_pages_of_listed_origins_may_use_the_api_and_read_its_headers() -> None:
    site = Site(Settings(cors_origins="https://scan.example", api_tokens=TOKENS))
    origin = {"Origin": "https://scan.example"}
    preflight = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, prefer",
    }

    asked = site.client.options("/upload", headers=preflight)
    sent = site.upload(headers={**origin, **ANA})
    refused = site.upload(headers=origin)
    evil = site.upload(headers={"Origin": "https://evil.example", **ANA})

    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == "https://scan.example"
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"].lower()
    assert sent.headers["Access-Control-Allow-Origin"] == "https://scan.example"
    assert "Location" in sent.headers["Access-Control-Expose-Headers"]
    assert refused.headers["Access-Control-Allow-Origin"] == "https://scan.example"
    assert "Origin" in sent.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in evil.headers
    assert "Access-Control-Allow-Credentials" not in sent.headers


@pytest.mark.parametrize(("hops", "expected"), [(0, False), (1, True)])
def test_only_a_trusted_proxy_can_say_that_the_client_came_by_https(
    hops: int, expected: bool
) -> None:
    site = Site(Settings(trusted_proxy_hops=hops))

    answer = site.client.get("/healthz", headers={"X-Forwarded-Proto": "https"})

    assert ("Strict-Transport-Security" in answer.headers) is expected


# --- people without script -----------------------------------------------------------------------


def test_a_plain_form_is_sent_on_to_a_page_that_shows_the_state(site: Site) -> None:
    sent = site.upload(headers=BROWSER, name="<b>.png")

    assert (sent.status_code, sent.headers["Location"][:8]) == (303, "/images/")
    waiting = site.client.get(sent.headers["Location"], headers=BROWSER)
    site.work()
    done = site.client.get(sent.headers["Location"], headers=BROWSER)

    assert waiting.mimetype == done.mimetype == "text/html"
    assert 'http-equiv="refresh"' in waiting.text
    assert 'http-equiv="refresh"' not in done.text
    assert "/processed?download=1" in done.text
    assert "&lt;b&gt;.png" in done.text
    assert "<b>" not in done.text
    assert "Accept" in done.headers["Vary"]


def test_a_failed_image_is_explained_on_its_page(site: Site) -> None:
    sent = site.upload(BROKEN, headers=BROWSER)
    site.work()

    page = site.client.get(sent.headers["Location"], headers=BROWSER).text

    assert "corrupt-png" in page


@pytest.mark.parametrize(
    ("sent", "is_own"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://["}, False),
        ({"Origin": "http://localhost:81"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_only_a_page_of_ours_can_delete_by_form(
    site: Site, sent: dict[str, str], is_own: bool
) -> None:
    place = site.upload().headers["Location"]

    answer = site.client.post(f"{place}/delete", headers=sent)

    if is_own:
        assert (answer.status_code, answer.headers["Location"]) == (303, "/?deleted=1")
    else:
        assert problem(answer) == (403, "cross-site")
    assert site.client.get(place).status_code == (404 if is_own else 200)


def test_where_images_have_owners_a_form_deletes_none(guarded: Site) -> None:
    place = guarded.upload(headers=ANA).headers["Location"]
    own = {"Sec-Fetch-Site": "same-origin"}

    assert problem(guarded.client.post(f"{place}/delete", headers=own)) == (401, "unauthorized")
    answer = guarded.client.post(f"{place}/delete", headers=own | BIA)
    assert problem(answer) == (404, "not-found")


def test_a_failure_with_an_unknown_code_is_shown_too(site: Site) -> None:
    sent = site.upload(BROKEN)
    site.work()
    (key,) = (key for key in site.outputs.objects if key.startswith("failures/"))
    known = site.outputs.objects[key]
    site.outputs.objects[key] = replace(
        known, data=known.data.replace(b"corrupt-png", b"new-fault")
    )

    page = site.client.get(sent.headers["Location"], headers=BROWSER)

    assert (page.status_code, "new-fault" in page.text) == (200, True)


def test_a_refusal_is_a_page_for_browsers_and_a_problem_document_for_programs(site: Site) -> None:
    page = site.upload(b"GIF89a", headers=BROWSER)
    document = site.upload(b"GIF89a", headers={"Accept": "*/*"})

    assert (page.status_code, page.mimetype) == (415, "text/html")
    assert "not-a-png" in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert problem(document) == (415, "not-a-png")


def test_nothing_is_reflected_unescaped(site: Site) -> None:
    answers = [
        site.client.get("/<script>alert(1)</script>", headers=headers) for headers in (BROWSER, {})
    ]

    assert "<script>alert" not in answers[0].text
    assert answers[1].mimetype == "application/problem+json"


# --- on every answer -----------------------------------------------------------------------------

SECURITY_HEADERS = (
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)


Answers = Iterator[tuple[int, TestResponse]]
KEY = {"Idempotency-Key": "x" * 16}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def answers_of_every_status(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Each route and each status that it can have."""
    site = Site(Settings(max_upload_bytes=100_000, max_queue_depth=5))
    yield from answers_of_pages(site)
    yield from answers_about_an_image(site)
    yield from answers_to_deleting(site)
    yield from answers_to_wrong_requests(site)
    yield from answers_during_outages(site, monkeypatch)


def answers_of_pages(site: Site) -> Answers:
    paths = "/ /docs /status /openapi.json /healthz /readyz /static/shared/style.css /favicon.ico"
    for path in paths.split():
        yield 200, site.client.get(path)


def answers_about_an_image(site: Site) -> Answers:
    get = site.client.get
    queued = site.upload(headers=KEY)
    place = queued.headers["Location"]
    yield 202, queued
    yield 422, site.upload(BROKEN, headers=KEY)
    yield 409, get(f"{place}/processed")
    site.work()
    yield 201, site.upload(headers=KEY | {"Prefer": "wait=1"})
    yield 303, site.upload(headers=KEY | BROWSER)
    for path in (place, f"{place}/original", f"{place}/processed"):
        yield 200, get(path)
        yield 200, site.client.head(path)
        yield 304, get(path, headers={"If-None-Match": get(path).headers["ETag"]})
        yield 405, site.client.post(path)
    yield 206, get(f"{place}/original", headers={"Range": "bytes=0-1"})
    yield 416, get(f"{place}/original", headers={"Range": "bytes=999999-"})
    failed = site.upload(BROKEN).headers["Location"]
    site.work()
    yield 409, get(f"{failed}/processed")


def answers_to_deleting(site: Site) -> Answers:
    place = site.upload().headers["Location"]
    yield 403, site.client.post(f"{place}/delete")
    yield 303, site.client.post(f"{place}/delete", headers=SAME_ORIGIN)
    yield 404, site.client.post(f"{place}/delete", headers=SAME_ORIGIN)
    place = site.upload().headers["Location"]
    yield 204, site.client.delete(place)
    yield 404, site.client.get(place)


def answers_to_wrong_requests(site: Site) -> Answers:
    for path in ("/nowhere", "/images/1", "/images//x", "/upload/"):
        yield 404, site.client.get(path)
    yield 200, site.client.options("/upload")
    for method in ("PUT", "PATCH", "TRACE", "DELETE", "GET"):
        yield 405, site.client.open("/upload", method=method)
    yield 400, site.client.post("/upload")
    yield 413, site.upload(b"\0" * 200_000)
    yield 415, site.upload(b"GIF89a")
    limited = Site(Settings(rate_limit="1/minute"))
    limited.upload()
    yield 429, limited.upload()
    yield 401, Site(Settings(api_tokens=TOKENS)).upload()


def answers_during_outages(site: Site, monkeypatch: pytest.MonkeyPatch) -> Answers:
    place = site.upload(BROKEN).headers["Location"]
    site.work()
    site.outputs.is_down = True
    for path in (place, f"{place}/processed"):
        yield 503, site.client.get(path)
    unready = Site(Settings())
    unready.outputs.is_down = True
    yield 503, unready.client.get("/readyz")
    site.inputs.is_down = True
    yield 503, site.upload()
    yield 503, site.client.delete(place)
    monkeypatch.setattr(site.inputs, "put_once", lambda *_, **__: 1 / 0)
    yield 500, site.upload()


def test_every_answer_of_every_route_and_status_is_safe_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = set()
    for expected, answer in answers_of_every_status(monkeypatch):
        with answer:
            where = f"{answer.request.method} {answer.request.path} {answer.status_code}"
            assert answer.status_code == expected, where
            assert [h for h in SECURITY_HEADERS if h not in answer.headers] == [], where
            assert answer.headers["X-Request-ID"], where
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"] or (
                "sandbox" in answer.headers["Content-Security-Policy"]
            ), where
            assert "Set-Cookie" not in answer.headers, where
            assert "Server" not in answer.headers, where
            if expected >= 400 and answer.request.method != "HEAD":
                assert problem(answer)[0] == expected, where
            if expected in (429, 503):
                assert int(answer.headers["Retry-After"]) > 0, where
            seen.add(expected)
    assert seen == {
        200, 201, 202, 204, 206, 303, 304,
        400, 401, 403, 404, 405, 409, 413, 415, 416, 422, 429, 500, 503,
    }  # fmt: skip


def test_the_request_id_of_the_answer_is_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.inputs.is_down = True

    site.upload(headers={"X-Request-ID": "ask-4711"})

    named = [e for e in events(caplog) if e.get("request_id") == "ask-4711"]
    assert [(e["level"], e["event"]) for e in named] == [
        ("error", "request failed"),
        ("info", "request answered"),
    ]


def test_a_client_cannot_forge_a_log_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "ipt_secret"

    site.client.get("/x%0a2026-01-01 INFO forged", headers={"Authorization": f"Bearer {secret}"})
    site.upload(name='a\n{"level":"INFO"}.png')

    wait_until(lambda: caplog.records, within_s=60)
    for style in (logs.JSON, logs.TEXT):
        lines = [logs.formatter(style).format(record) for record in caplog.records]
        assert not [line for line in lines if "\n" in line]
        assert secret not in "".join(lines)
