"""Original against result: the slider, true pixels, another method, and an honest preview."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import urllib3
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.conftest import ROOT
from tests.support.browsing import SAMPLE, act, judge, pick, send_sample
from tests.support.waiting import wait_until

Gray = NDArray[np.uint8]
SUITE = ROOT / "tests" / "data" / "pngsuite"


def visible_share(sent: Locator) -> float:
    """How much of the stage the left picture covers."""
    return sent.locator(".stage").evaluate(
        """stage => parseFloat(stage.firstElementChild.style.getPropertyValue("--at"))
            / stage.clientWidth"""
    )


def options(select: Locator) -> list[str]:
    return select.locator("option").all_text_contents()


@pytest.fixture
def sent(page: Page) -> Locator:
    sent = send_sample(page)
    act(sent, "Compare")
    expect(sent.locator(".sheet img")).to_have_count(2)
    return sent


def test_the_slider_moves_by_arrow_keys_and_says_where_it_is(page: Page, sent: Locator) -> None:
    slider = sent.get_by_role("slider")
    assert visible_share(sent) == pytest.approx(0.5, abs=0.01)

    slider.focus()
    for _ in range(10):
        slider.press("ArrowLeft")

    assert visible_share(sent) == pytest.approx(0.4, abs=0.01)
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^Original: 40%\. Automatic \("))
    clip = sent.locator(".over").evaluate("image => getComputedStyle(image).clipPath")
    assert clip.startswith("inset(0px calc(100% - ")
    slider.press("End")
    assert visible_share(sent) == pytest.approx(1, abs=0.01)
    judge(page, "compare")


def test_the_slider_follows_the_mouse_on_the_picture(page: Page, sent: Locator) -> None:
    stage = sent.locator(".stage")
    box = stage.bounding_box()
    assert box

    stage.hover(position={"x": box["width"] / 2, "y": 100})
    page.mouse.down()
    stage.hover(position={"x": box["width"] / 4, "y": 100})
    page.mouse.up()

    assert visible_share(sent) == pytest.approx(0.25, abs=0.02)


def test_zoom_shows_each_pixel_as_one_and_unsmoothed(page: Page, sent: Locator) -> None:
    act(sent, "True pixels (1:1)")

    image = sent.locator(".sheet img").first
    assert image.evaluate("image => image.clientWidth * devicePixelRatio") == 1240
    assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    stage = sent.get_by_role("group", name="The two pictures")
    stage.focus()
    stage.press("ArrowDown")
    wait_until(lambda: stage.evaluate("stage => stage.scrollTop > 0"))
    judge(page, "zoom")


def test_another_method_makes_another_result_that_can_be_compared(page: Page) -> None:
    sent = send_sample(page)

    act(sent, "Process again")
    dialog = page.get_by_role("dialog", name="Process again")
    pick(dialog, "otsu")
    judge(page, "again")
    dialog.get_by_role("button", name="Process", exact=True).click()

    expect(page.locator("#cards > [data-state=processed]")).to_have_count(2, timeout=20_000)
    newest = page.locator("#cards article").first
    expect(newest.locator(".numbers")).to_contain_text("Otsu, Threshold ")
    act(newest, "Compare")
    left = newest.locator("select").first
    choices = [text.partition(",")[0].partition(" (")[0] for text in options(left)]
    assert choices == ["Original", "Otsu", "Automatic"]
    left.select_option(index=2)
    expect(newest.get_by_role("slider")).to_have_attribute(
        "aria-valuetext", re.compile(r"^Automatic \(.*\): 50%\. Otsu")
    )


def test_the_dialog_closes_by_escape_sends_nothing_and_gives_the_focus_back(page: Page) -> None:
    sent = send_sample(page)
    button = sent.get_by_role("button", name="Process again")
    button.focus()
    button.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(button).to_be_focused()
    expect(page.locator("#cards > li")).to_have_count(1)


# --- the preview of a threshold ------------------------------------------------------------------


def process(url: str, path: Path, threshold: int) -> str:
    """Send *path* through the pipeline; the address of the finished image."""
    answer = urllib3.request(
        "POST",
        f"{url}/upload",
        fields={
            "image": (path.name, path.read_bytes()),
            "method": "simple",
            "threshold": str(threshold),
        },
        headers={"Prefer": "wait=30"},
    )
    assert answer.json()["status"] == "processed"
    return str(answer.headers["Location"])


def preview_of(page: Page, place: str, threshold: int) -> Gray | None:
    """What the page's own module draws: (H, W) of 0 and 255; None where it declines."""
    drawn = page.evaluate(
        """async ([path, threshold]) => {
            const { preview } = await import("/static/preview.js");
            const drawn = await preview(path);
            if (!drawn) return null;
            drawn.draw(threshold);
            const { canvas } = drawn;
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const reds = new Uint8Array(data.filter((_, i) => i % 4 === 0));
            return { width, bytes: reds.toBase64() };
        }""",
        [f"{place}/original", threshold],
    )
    if drawn is None:
        return None
    return np.frombuffer(b64decode(drawn["bytes"]), np.uint8).reshape(-1, drawn["width"])


EXACT = [
    SAMPLE,
    *(SUITE / f"{name}.png" for name in (
        "basn0g01", "basn0g02", "basn0g04", "basn0g08", "basn2c08", "basn3p01", "basn3p02",
        "basn3p04", "basn3p08", "basi0g08", "basi2c08", "basi3p08", "ccwn2c08", "cdfn2c08",
        "cs3n3p08", "f04n2c08", "g03n2c08", "g25n3p04", "s39n3p04", "z09n2c08",
    )),
]  # fmt: skip


def test_the_preview_has_the_pixels_of_the_result(page: Page, url: str) -> None:
    """Files with a gamma are among them: the server ignores it, so the page has to."""
    for n, path in enumerate(EXACT):
        threshold = (60, 100, 127, 160, 200)[n % 5]
        place = process(url, path, threshold)
        result = urllib3.request("GET", f"{url}{place}/processed").data
        expected = np.asarray(Image.open(BytesIO(result)).convert("L"))

        preview = preview_of(page, place, threshold)

        assert preview is not None, path.name
        assert np.array_equal(preview, expected), path.name


@pytest.mark.parametrize("name", ["basn4a08", "basn6a08", "basn2c16", "tbbn3p08", "tbrn2c08"])
def test_where_pixels_could_differ_no_preview_is_offered(page: Page, url: str, name: str) -> None:
    place = process(url, SUITE / f"{name}.png", 127)

    assert preview_of(page, place, 127) is None


def test_the_preview_follows_the_slider_and_its_threshold_is_sent(page: Page) -> None:
    sent = send_sample(page)
    act(sent, "Process again")
    dialog = page.get_by_role("dialog")
    pick(dialog, "simple")
    slider = dialog.get_by_role("slider", name="Threshold")
    slider.focus()
    for _ in range(7):
        slider.press("ArrowRight")

    expect(dialog.get_by_role("spinbutton", name="Threshold")).to_have_value("134")
    expect(dialog.locator("canvas")).to_be_visible()
    judge(page, "preview")
    dialog.get_by_role("button", name="Process", exact=True).click()

    expect(page.locator("#cards > [data-state=processed]")).to_have_count(2, timeout=20_000)
    expect(page.locator(".numbers").first).to_contain_text("Fixed threshold, Threshold 134")
