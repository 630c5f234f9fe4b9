"""What a page was taken for is said by the API, the announcement, the page and the commands."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import pytest

from app.cli.operations.watch import watch
from app.domain.methods import METHODS
from app.image_processor import binarize_png
from app.png.limits import PngLimits
from app.settings import Settings
from testkit.images.exifs import exif, oriented
from testkit.in_memory.site import Site
from testkit.png.pngs import GRAY_ALPHA, Picture
from testkit.png.scans import header, pixels, png

BROWSER = {"Accept": "text/html"}
PLAIN = {"kind": "writing", "inverted": False, "turned": 0}


def lines(paper: int, ink: int, *, turned: int = 1) -> bytes:
    page = np.full((120, 160, 1), paper)
    for y in range(20, 100, 16):
        page[y : y + 4, 20:140] = ink
    return Picture(page, metadata=exif(oriented(turned))).encode()


def white_on_nothing() -> bytes:
    ink = np.zeros((120, 160))
    ink[20:100:16, 20:140] = ink[21:100:16, 20:140] = 255
    return Picture(np.dstack([np.full(ink.shape, 255), ink]).astype(int), 8, GRAY_ALPHA).encode()


def photograph() -> bytes:
    rng = np.random.default_rng(3)
    hills = np.cumsum(np.cumsum(rng.normal(0, 1, (200, 200)), axis=0), axis=1)
    gray = 40 + 180 * (hills - hills.min()) / np.ptp(hills)
    return Picture(gray.astype(int)[..., np.newaxis]).encode()


PAGES = {
    "plain": (lines(240, 20), PLAIN),
    "light on dark": (lines(20, 240), PLAIN | {"inverted": True}),
    "light on nothing": (white_on_nothing(), PLAIN | {"inverted": True}),
    "blank": (lines(240, 240), PLAIN | {"kind": "blank"}),
    "lying": (lines(240, 20, turned=8), PLAIN | {"turned": 270}),
    "lying and dark": (lines(20, 240, turned=3), PLAIN | {"inverted": True, "turned": 180}),
    "mirrored": (lines(240, 20, turned=5), PLAIN | {"turned": 270}),
}


def taken_for(data: bytes, method: str = "auto") -> dict[str, Any]:
    page = binarize_png(data, method=method, parameters={}, limits=PngLimits()).page
    assert page is not None
    return page.model_dump()


@pytest.mark.parametrize("case", PAGES)
def test_the_engine_reports_the_detected_kind_of_a_page(case: str) -> None:
    data, expected = PAGES[case]

    assert taken_for(data) == expected


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"auto"}))
def test_other_methods_turn_pages_and_report_writing(method: str) -> None:
    data, expected = PAGES["lying"]

    assert taken_for(data, method) == expected
    assert taken_for(white_on_nothing(), method) == PAGES["light on nothing"][1]


@pytest.fixture
def site() -> Site:
    return Site(Settings())


def state(site: Site, place: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.client.get(place).data)
    return found


@pytest.mark.parametrize("case", ["plain", "blank", "lying and dark"])
def test_representation_and_announcement_have_the_detected_kind(site: Site, case: str) -> None:
    data, expected = PAGES[case]
    place = site.upload(data).headers["Location"]
    assert state(site, place)["page"] is None

    site.work()

    assert state(site, place)["page"] == expected
    assert json.loads(site.announced.bodies[-1])["page"] == expected


def test_a_failed_image_has_no_detected_kind(site: Site) -> None:
    short = png(header(40, 30), pixels([b"\0" * 40] * 20))
    place = site.upload(short).headers["Location"]

    site.work()

    assert state(site, place)["status"] == "failed"
    assert state(site, place)["page"] is None


@pytest.mark.parametrize("strange", ["{", "[]", '{"kind":"poem"}', "null", '{"kind":"blank"}'])
def test_metadata_of_other_producers_is_not_read_as_the_detected_kind(
    site: Site, strange: str
) -> None:
    image_id = uuid.uuid4()
    metadata = {"page": strange}
    site.outputs.put(f"{image_id}.png", b"12345", content_type="", metadata=metadata)

    found = state(site, f"/images/{image_id}")

    assert (found["status"], found["page"]) == ("processed", None)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["light on dark and was inverted", "turned by 180°"]),
        ("pt-BR", ["foi invertida", "girada 180°"]),
    ],
)
def test_the_page_shows_the_detected_kind_in_both_languages(
    site: Site, language: str, words: list[str]
) -> None:
    place = site.upload(PAGES["lying and dark"][0]).headers["Location"]
    plain = site.upload(PAGES["plain"][0]).headers["Location"]
    site.work()

    headers = BROWSER | {"Accept-Language": language}
    shown, nothing = (site.client.get(p, headers=headers).text for p in (place, plain))

    assert [word for word in words if word not in shown] == []
    assert [word for word in words if word in nothing] == []


def test_watch_shows_the_detected_kind(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    for case in ("lying and dark", "blank", "plain"):
        site.upload(PAGES[case][0])
    site.work()

    watch(site.announced, as_json=False, delete=True, count=3, timeout_s=1)

    dark, blank, plain = capsys.readouterr().out.splitlines()
    assert " processed auto (light on dark, turned 180 degrees) " in dark
    assert " processed auto (blank) " in blank
    assert "(" not in plain
