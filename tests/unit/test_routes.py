"""The HTTP side on fakes: answers, problem documents and headers."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.settings import Settings
from testkit.in_memory.site import Site, problem
from testkit.png.pngs import SIGNATURE, chunk
from testkit.png.scans import header, page_png, pixels, png

SECURITY_HEADERS = (
    "Content-Security-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
)


@pytest.fixture
def site() -> Site:
    return Site(Settings(max_upload_bytes=100_000, max_pixels=10_000, max_side=400))


# --- upload --------------------------------------------------------------------------------------


def test_an_accepted_upload_says_where_to_ask_and_what_is_known(site: Site) -> None:
    answer = site.upload(group="invoice-42", method="simple", threshold="90")

    image = answer.get_json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/images/{image['image_id']}"
    assert answer.headers["Retry-After"] == "1"
    assert image["status"] == "queued"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert (image["method"], image["parameters"]) == ("simple", {"threshold": 90})
    original = image["original"]
    assert (original["filename"], original["width"], original["height"]) == ("scan.png", 40, 30)
    assert (original["dpi"], original["bytes"]) == (300, len(page_png()))


def test_an_accepted_upload_is_stored_and_its_job_is_in_the_queue(site: Site) -> None:
    image = site.upload(group="invoice-42").get_json()

    (message,) = site.jobs.messages
    job = json.loads(message.body)
    assert site.inputs.objects[f"{image['image_id']}.png"].data == page_png()
    assert message.group == "invoice-42"
    assert (job["version"], job["image_id"]) == (1, image["image_id"])
    assert (job["bucket"], job["key"]) == ("image-input", f"{image['image_id']}.png")
    assert job["sha256"] == image["original"]["sha256"]


def test_a_name_that_is_too_long_is_shown_shortened_as_it_is_stored(site: Site) -> None:
    answer = site.upload(name="ç" * 300 + ".png")

    image = site.client.get(answer.headers["Location"]).get_json()

    assert answer.get_json()["original"]["filename"] == image["original"]["filename"]
    assert image["original"]["filename"] == "ç" * 125 + ".png"


def test_each_upload_gets_an_id_of_its_own(site: Site) -> None:
    ids = {site.upload().get_json()["image_id"] for _ in range(3)}

    assert [uuid.UUID(image_id).version for image_id in ids] == [4, 4, 4]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (400, "empty-image")),
        (b"GIF89a", (415, "not-a-png")),
        (SIGNATURE, (422, "corrupt-png")),
        (page_png()[:-4], (422, "corrupt-png")),
        (png(header(401, 1), pixels([b"\0" * 401])), (422, "too-many-pixels")),
        (png(header(300, 300), pixels([b"\0" * 300] * 300)), (422, "too-many-pixels")),
        (png(header(1, 1), chunk(b"acTL", b"\0" * 8), pixels([b"\0"])), (422, "unsupported-png")),
        (b"\0" * 100_001, (413, "file-too-large")),
        (b"\0" * 400_000, (413, "file-too-large")),
    ],
)
def test_what_is_not_an_acceptable_png_is_refused_and_nothing_is_stored(
    site: Site, data: bytes, expected: tuple[int, str]
) -> None:
    assert problem(site.upload(data)) == expected
    assert (site.inputs.objects, site.jobs.messages) == ({}, [])


def test_a_refusal_names_the_value_and_the_limit(site: Site) -> None:
    document = site.upload(png(header(401, 1), pixels([b"\0" * 401]))).get_json()

    assert (document["width"], document["limit"]) == (401, 400)
    assert "401" in document["detail"]
    assert "400" in document["detail"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"method": "magic"}, "method"),
        ({"method": "simple", "threshold": "300"}, "threshold"),
        ({"treshold": "90"}, "treshold"),
        ({"group": "two words"}, "group"),
        ({"group": "g" * 129}, "group"),
    ],
)
def test_a_wrong_field_is_refused_by_name(site: Site, fields: dict[str, Any], names: str) -> None:
    answer = site.upload(None, **fields)

    assert problem(answer) == (422, "invalid-parameter")
    assert answer.get_json()["parameter"] == names


def test_a_form_may_bring_the_parameters_of_every_method(site: Site) -> None:
    """One without script cannot leave out what is not chosen."""
    fields = {
        "k@sauvola": "0.35",
        "k@niblack": "",
        "window@niblack": "31",
        "contrast@bernsen": "9999",
    }

    page = site.client.get("/").get_data(as_text=True)
    image = site.upload(method="niblack", **fields).get_json()

    assert [field for field in fields if f'name="{field}"' not in page] == []

    assert image["parameters"] == {"window": 31, "k": -0.2}


@pytest.mark.parametrize("written", ["-0,3", "-0.3"])
def test_a_form_without_script_takes_a_decimal_comma_too(site: Site, written: str) -> None:
    """A person types it; a program that sends `k` itself has to write a point."""
    image = site.upload(method="niblack", **{"k@niblack": written}).get_json()
    refused = site.upload(method="niblack", k="-0,3")

    assert image["parameters"]["k"] == -0.3
    assert problem(refused) == (422, "invalid-parameter")


def test_an_empty_field_counts_as_not_sent(site: Site) -> None:
    assert site.upload(method="", group="", threshold="").status_code == 202


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda c: c.post("/upload"), "malformed-multipart"),
        (lambda c: c.post("/upload", data=b"x", content_type="image/png"), "malformed-multipart"),
        (
            lambda c: c.post(
                "/upload", data=b"--x\r\nCont", content_type="multipart/form-data; boundary=x"
            ),
            "malformed-multipart",
        ),
        (lambda c: c.post("/upload", data={"image": "text"}), "malformed-multipart"),
        (
            lambda c: c.post("/upload", data={"other": (io.BytesIO(b"x"), "x.png")}),
            "missing-image",
        ),
        (
            lambda c: c.post(
                "/upload",
                data={"image": [(io.BytesIO(b"x"), "x.png")] * 1 + [(io.BytesIO(b"y"), "y.png")]},
            ),
            "multiple-images",
        ),
    ],
)
def test_an_upload_without_exactly_one_image_is_refused(
    site: Site, send: Callable[[FlaskClient], TestResponse], code: str
) -> None:
    assert problem(send(site.client)) == (400, code)


def test_an_outage_of_storage_is_503_and_sends_no_job(site: Site) -> None:
    site.inputs.is_down = True

    answer = site.upload()

    assert problem(answer) == (503, "storage-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert site.jobs.messages == []


def test_an_outage_of_the_queue_is_503_never_202(site: Site) -> None:
    site.jobs.is_down = True

    assert problem(site.upload()) == (503, "queue-unavailable")


# --- images --------------------------------------------------------------------------------------


def test_an_image_goes_from_queued_to_processed_with_its_figures(site: Site) -> None:
    place = site.upload(method="simple").headers["Location"]
    before = site.client.get(place).get_json()
    site.work()
    after = site.client.get(place).get_json()

    assert (before["status"], before["processed"]) == ("queued", None)
    assert after["status"] == "processed"
    assert after["processed"]["threshold"] == 127
    assert after["processed"]["dpi"] == 300
    # The bar is 20 x 8 of 40 x 30 pixels.
    assert after["processed"]["black_ratio"] == pytest.approx(160 / 1200, abs=1e-6)
    assert after["original"] == before["original"]
    assert "bucket" not in json.dumps(after)


def test_the_announcement_is_the_representation_and_where_the_objects_are(site: Site) -> None:
    place = site.upload().headers["Location"]
    site.work()

    announcement = json.loads(site.announced.bodies[0])
    image = site.client.get(place).get_json()

    for section in ("original", "processed"):
        assert announcement[section].pop("bucket")
        assert announcement[section].pop("key")
    assert (announcement.pop("version"), announcement.pop("redrive")) == (1, 0)
    assert announcement.pop("owner") is None
    assert announcement == image


def test_original_and_result_come_back_as_png_under_the_clients_name(site: Site) -> None:
    place = site.upload(name="declaração.png").headers["Location"]
    site.work()

    original = site.client.get(f"{place}/original")
    result = site.client.get(f"{place}/processed")

    assert original.data == page_png()
    assert (
        original.headers["Content-Disposition"]
        == "inline; filename*=UTF-8''declara%C3%A7%C3%A3o.png"
    )
    assert result.data.startswith(SIGNATURE)
    assert result.headers["Content-Disposition"].endswith("declara%C3%A7%C3%A3o-bw.png")
    assert result.headers["Content-Type"] == "image/png"
    assert "sandbox" in result.headers["Content-Security-Policy"]


def test_a_file_can_be_asked_for_in_parts_and_only_if_it_changed(site: Site) -> None:
    place = site.upload().headers["Location"] + "/original"
    etag = site.client.get(place).headers["ETag"]

    part = site.client.get(place, headers={"Range": "bytes=0-7"})
    unchanged = site.client.get(place, headers={"If-None-Match": etag})
    beyond = site.client.get(place, headers={"Range": "bytes=999999-"})
    head = site.client.head(place)

    assert (part.status_code, part.data) == (206, SIGNATURE)
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert problem(beyond) == (416, "range-not-satisfiable")
    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(page_png())


def test_a_result_that_is_not_there_yet_is_409_with_when_to_ask_again(site: Site) -> None:
    place = site.upload().headers["Location"]

    answer = site.client.get(f"{place}/processed")

    assert problem(answer) == (409, "not-ready")
    assert answer.headers["Retry-After"] == "1"


def test_an_image_that_failed_says_why_and_has_no_result(site: Site) -> None:
    rows = [b"\0" * 40] * 20  # ten rows short of what the header promises
    place = site.upload(png(header(40, 30), pixels(rows))).headers["Location"]
    site.work()

    assert site.client.get(place).get_json()["error"]["code"] == "corrupt-png"
    assert problem(site.client.get(f"{place}/processed")) == (409, "processing-failed")


@pytest.mark.parametrize(
    "path",
    [
        "/images/00000000-0000-4000-8000-000000000000",
        "/images/00000000-0000-4000-8000-000000000000/original",
        "/images/00000000-0000-4000-8000-000000000000/processed",
        "/images/1",
        "/images/..%2f..%2fetc",
        "/images/00000000-0000-4000-8000-000000000000.png",
        "/nowhere",
    ],
)
def test_unknown_and_malformed_ids_look_alike(site: Site, path: str) -> None:
    assert problem(site.client.get(path)) == (404, "not-found")


def test_a_malformed_id_never_reaches_storage(site: Site) -> None:
    site.inputs.is_down = site.outputs.is_down = True

    assert site.client.get("/images/1/original").status_code == 404


def test_a_form_of_a_thousand_fields_is_not_called_a_large_file() -> None:
    fields = {f"field{n}": "" for n in range(1100)}

    answer = Site(Settings()).upload(None, **fields)

    assert problem(answer) == (400, "malformed-multipart")


# --- around --------------------------------------------------------------------------------------


def test_a_wrong_method_is_405_with_those_allowed(site: Site) -> None:
    answer = site.client.put("/upload")

    assert problem(answer) == (405, "method-not-allowed")
    assert "POST" in answer.headers["Allow"]


def test_an_internal_error_shows_only_the_request_id(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_over(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret of ours")

    monkeypatch.setattr(site.inputs, "put", fall_over)

    answer = site.upload()

    assert problem(answer) == (500, "internal-error")
    assert b"secret" not in answer.data
    assert b"ZeroDivision" not in answer.data


@pytest.mark.parametrize(
    "path",
    ["/", "/healthz", "/readyz", "/nowhere", "/static/shared/style.css", "/images/1", "/upload"],
)
def test_every_answer_carries_the_security_headers_and_a_request_id(site: Site, path: str) -> None:
    with site.client.get(path) as answer:
        headers = answer.headers

    assert [name for name in SECURITY_HEADERS if name not in headers] == []
    assert headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("given", "is_kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ("<b>", False)]
)
def test_a_safe_request_id_is_kept_and_any_other_replaced(
    site: Site, given: str, is_kept: bool
) -> None:
    answer = site.client.get("/healthz", headers={"X-Request-ID": given})

    assert (answer.headers["X-Request-ID"] == given) is is_kept


def test_liveness_does_not_depend_on_other_services(site: Site) -> None:
    site.inputs.is_down = site.jobs.is_down = True
    site.is_worker_stuck = True

    assert site.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda s: None, None),
        (lambda s: setattr(s.outputs, "is_down", True), "storage-unavailable"),
        (lambda s: setattr(s.jobs, "is_down", True), "queue-unavailable"),
        (lambda s: setattr(s, "is_worker_stuck", True), "queue-unavailable"),
    ],
)
def test_readiness_covers_storage_queue_and_worker_and_names_no_resource(
    site: Site, act: Callable[[Site], None], code: str | None
) -> None:
    act(site)

    answer = site.client.get("/readyz")

    assert (answer.status_code, answer.get_json().get("code")) == (503 if code else 200, code)
    assert not re.search("image-input|image-processed|fifo|down", answer.text)


def test_readiness_is_served_only_on_the_metrics_port_if_there_is_one() -> None:
    site = Site(Settings(metrics_port=9100))

    assert problem(site.client.get("/readyz")) == (404, "not-found")
    assert site.client.get("/healthz").status_code == 200
    assert "/readyz" not in site.client.get("/openapi.json").get_json()["paths"]


def test_the_page_has_no_inline_script_or_style_that_the_policy_would_refuse(site: Site) -> None:
    page = site.client.get("/").text

    assert "style=" not in page
    assert "onclick" not in page
    assert '<script type="module" src="/static/upload/page.js">' in page
    assert "100\N{NO-BREAK SPACE}kB" in page
