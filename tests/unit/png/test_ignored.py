"""What was ignored in a file is said by the API, the announcement, the page and the commands."""

from __future__ import annotations

import json
import uuid
import zlib

import numpy as np
import pytest
from werkzeug.test import TestResponse

from app.cli.operations.watch import watch
from app.settings import Settings
from testkit.corpora import odd_pngs
from testkit.in_memory.site import Site
from testkit.png.pngs import IEND, SIGNATURE, Picture, chunk, idat

BROWSER = {"Accept": "text/html"}
CASES = {case.name: case.data for case in odd_pngs.cases()}
#: A line that the upload finds, and one that only decoding does.
ODD = CASES["crc_iCCP"] + b"\0\0"
FOUND = ["iCCP: wrong CRC", "2 bytes after IEND"]
LONG = CASES["idat_extra_row"] + b"\r\n"
BEHIND = "IDAT: more rows than the header says"


def ignored_in(answer: TestResponse) -> list[str]:
    ignored: list[str] = json.loads(answer.data)["ignored"]
    return ignored


@pytest.fixture
def site() -> Site:
    return Site(Settings())


def test_the_response_to_an_upload_lists_the_ignored_faults(site: Site) -> None:
    assert ignored_in(site.upload(ODD)) == FOUND
    assert ignored_in(site.upload(LONG)) == ["2 bytes after IEND"]
    assert ignored_in(site.upload()) == []


@pytest.mark.parametrize(
    ("data", "ignored"), [(ODD, FOUND), (LONG, [BEHIND, "2 bytes after IEND"]), (None, [])]
)
def test_status_and_announcement_add_faults_found_by_decoding(site: Site, data, ignored) -> None:
    place = site.upload(data).headers["Location"]

    site.work()

    assert ignored_in(site.client.get(place)) == ignored
    assert json.loads(site.announced.bodies[-1])["ignored"] == ignored


def test_the_worker_reports_ignored_faults_in_images_of_other_producers(site: Site) -> None:
    image_id = uuid.uuid4()
    strange = {"ignored": '["not ours"]'}
    site.inputs.put("from/elsewhere.png", ODD, content_type="image/png", metadata=strange)
    job = {"image_id": str(image_id), "bucket": "image-input", "key": "from/elsewhere.png"}
    site.send(json.dumps(job), image_id)

    site.work()

    assert ignored_in(site.client.get(f"/images/{image_id}")) == FOUND


@pytest.mark.parametrize(
    ("language", "words"), [("en", "had errors and were ignored"), ("pt-BR", "foram ignoradas")]
)
def test_the_page_shows_ignored_faults_in_both_languages(
    site: Site, language: str, words: str
) -> None:
    place = site.upload(ODD).headers["Location"]
    clean = site.upload().headers["Location"]
    site.work()

    headers = BROWSER | {"Accept-Language": language}
    page = site.client.get(place, headers=headers).text

    assert words in page
    assert '<span lang="en">iCCP: wrong CRC; 2 bytes after IEND</span>' in page
    assert words not in site.client.get(clean, headers=headers).text


def test_watch_shows_ignored_faults(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.upload(ODD)
    site.upload()
    site.work()

    watch(site.announced, as_json=False, delete=True, count=2, timeout_s=1)

    odd, clean = capsys.readouterr().out.splitlines()
    assert odd.endswith(" ms, ignored iCCP: wrong CRC; 2 bytes after IEND")
    assert clean.endswith(" ms")


def test_faults_in_text_chunks_are_not_shown(site: Site) -> None:
    """Types of chunks are letters; nothing else of a file gets into a line."""
    picture = Picture(np.zeros((2, 3, 1), int))
    text = chunk(b"tEXt", b"<script>alert(1)</script>", crc=0)
    data = (
        SIGNATURE
        + picture.header
        + text
        + idat(zlib.compress(picture.filtered()))
        + IEND
        + b"<script>"
    )

    assert ignored_in(site.upload(data)) == ["tEXt: wrong CRC", "8 bytes after IEND"]
