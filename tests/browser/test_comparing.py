"""Comparing original and result: the slider, zoom, another method, and the preview."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from testkit.browser.browsing import SAMPLE, act, check_page, pick, send_sample, visit
from testkit.network.http_requests import http_request
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

Gray = NDArray[np.uint8]
SUITE = ROOT / "tests" / "data" / "pngsuite"


#: A laptop, a tablet, a phone.
SIZES = [(1366, 625), (768, 1024), (360, 740)]


def view_of(sent: Locator) -> dict[str, float]:
    """The edges of picture and frame, the dividing line and the zoom ratio, in window pixels."""
    found: dict[str, float] = sent.locator(".stage").evaluate(
        """stage => {
            const frame = stage.getBoundingClientRect();
            const sheet = stage.firstElementChild.getBoundingClientRect();
            const slide = stage.closest(".viewer").querySelector(".slide").getBoundingClientRect();
            const split = frame.left + stage.clientLeft
                + parseFloat(stage.style.getPropertyValue("--split"));
            return {
                left: sheet.left, top: sheet.top, right: sheet.right, bottom: sheet.bottom,
                frameLeft: frame.left, frameTop: frame.top, frameRight: frame.right,
                frameBottom: frame.bottom, slideBottom: slide.bottom, split,
                ratio: sheet.width * devicePixelRatio / stage.firstElementChild.clientWidth,
            };
        }"""
    )
    return found


def visible_share(sent: Locator) -> float:
    """The share of the visible part of the picture that the left image covers."""
    view = view_of(sent)
    left = max(view["left"], view["frameLeft"])
    right = min(view["right"], view["frameRight"])
    return (view["split"] - left) / (right - left)


def place_in_picture(sent: Locator, x: float, y: float) -> tuple[float, float]:
    """The pixel of the picture at *x*, *y* of the window."""
    view = view_of(sent)
    return (x - view["left"]) / view["ratio"], (y - view["top"]) / view["ratio"]


def expect_ratio(sent: Locator, expected: float) -> None:
    wait_until(lambda: view_of(sent)["ratio"] == pytest.approx(expected, rel=0.01))


def options(select: Locator) -> list[str]:
    shown = select.locator("option")
    expect(shown).not_to_have_count(0)  # the script of the comparison may still be loading
    return shown.all_text_contents()


@pytest.fixture
def sent(page: Page) -> Locator:
    sent = send_sample(page)
    act(sent, "Compare")
    expect(sent.locator(".sheet img")).to_have_count(2)
    return sent


def test_the_slider_moves_by_arrow_keys_and_announces_its_position(
    page: Page, sent: Locator
) -> None:
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
    check_page(page, "compare")


def test_the_slider_follows_the_mouse_on_the_picture(page: Page, sent: Locator) -> None:
    stage = sent.locator(".stage")
    box = stage.bounding_box()
    assert box

    x = box["x"] + box["width"] * 0.4
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 100)
    page.mouse.up()

    assert view_of(sent)["split"] == pytest.approx(x, abs=1)


@contextmanager
def comparing(
    browser: Browser, url: str, width: int, height: int, **how: Any
) -> Iterator[tuple[Page, Locator]]:
    """A visit with a window of this size, whose one image is open for comparison."""
    with visit(browser, url, viewport={"width": width, "height": height}, **how) as page:
        sent = send_sample(page)
        act(sent, "Compare")
        expect(sent.locator(".sheet img")).to_have_count(2)
        yield page, sent


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_whole_picture_and_the_slider_fit_the_window(
    browser: Browser, url: str, width: int, height: int
) -> None:
    with comparing(browser, url, width, height) as (page, sent):
        fitted = view_of(sent)
        assert fitted["frameTop"] >= 0
        assert fitted["frameTop"] <= fitted["top"] < fitted["bottom"] <= fitted["frameBottom"]
        assert fitted["frameLeft"] <= fitted["left"] < fitted["right"] <= fitted["frameRight"]
        assert fitted["slideBottom"] <= height
        check_page(page, f"compare-{width}")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_picture_is_zoomed_and_moved_by_wheel_keys_mouse_and_buttons(
    browser: Browser, url: str, width: int, height: int
) -> None:
    with comparing(browser, url, width, height) as (page, sent):
        fitted = view_of(sent)
        x, y = fitted["left"] + 90, fitted["top"] + 120
        under = place_in_picture(sent, x, y)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -400)
        expect_ratio(sent, fitted["ratio"] * np.exp(0.8))
        # Less than a pixel of the screen.
        assert place_in_picture(sent, x, y)[1] == pytest.approx(under[1], abs=3)
        assert view_of(sent)["split"] == pytest.approx(fitted["split"], abs=40)

        stage = sent.get_by_role("group", name="The two pictures")
        stage.press("1")
        expect_ratio(sent, 1)
        image = sent.locator(".sheet img").first
        assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
        before = view_of(sent)
        stage.press("ArrowRight")
        stage.press("ArrowDown")
        assert view_of(sent)["left"] == pytest.approx(before["left"] - 64, abs=1)
        assert view_of(sent)["top"] == pytest.approx(before["top"] - 64, abs=1)
        drag(page, (before["frameLeft"] + 40, before["frameTop"] + 60), (30, 20))
        assert view_of(sent)["left"] == pytest.approx(before["left"] - 34, abs=1)
        drag(page, (before["split"] + 5, before["frameTop"] + 60), (-60, 0))
        assert view_of(sent)["split"] == pytest.approx(before["split"] - 55, abs=1)
        check_page(page, f"compare-zoomed-{width}", is_zoomed=True)

        for _ in range(12):
            stage.press("+")
        expect_ratio(sent, 8)
        act(sent, "Smaller")
        expect_ratio(sent, 8 / 1.4)
        act(sent, "Whole")
        expect_ratio(sent, fitted["ratio"])


def drag(page: Page, start: tuple[float, float], by: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0], start[1] + by[1])
    page.mouse.up()


def test_two_fingers_zoom_and_one_finger_moves_the_line_or_the_enlarged_picture(
    browser: Browser, url: str
) -> None:
    with comparing(browser, url, 360, 740, has_touch=True) as (page, sent):
        fitted = view_of(sent)
        x, y = (fitted["left"] + fitted["right"]) / 2, (fitted["top"] + fitted["bottom"]) / 2

        touch(page, [[(x, y)], [(x - 40, y)], [(x - 80, y)]])
        assert view_of(sent)["split"] == pytest.approx(x - 80, abs=1)
        touch(
            page,
            [[(x - 20, y), (x + 20, y)], [(x - 40, y), (x + 40, y)], [(x - 60, y), (x + 60, y)]],
        )
        expect_ratio(sent, 3 * fitted["ratio"])
        before = view_of(sent)
        touch(page, [[(x, y)], [(x + 10, y + 10)], [(x + 25, y + 30)]])
        assert view_of(sent)["top"] == pytest.approx(before["top"] + 30, abs=1)


def touch(page: Page, moves: list[list[tuple[float, float]]]) -> None:
    """Put fingers down at the first places, move them to the others in turn, and lift them."""
    session = page.context.new_cdp_session(page)
    for n, places in enumerate(moves):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        kind = "touchMove" if n else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_the_result_of_another_method_can_be_compared_with_the_first(page: Page) -> None:
    sent = send_sample(page)

    act(sent, "Process again")
    dialog = page.get_by_role("dialog", name="Process again")
    pick(dialog, "otsu")
    expect(dialog.locator(".preview > p")).to_contain_text("Approximate", timeout=20_000)
    size = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 3000})  # all methods without scrolling
    check_page(page, "again")
    page.set_viewport_size(size)
    dialog.get_by_role("button", name="Process", exact=True).click()

    expect(page.locator("#cards > [data-state=processed]")).to_have_count(2, timeout=20_000)
    newest = page.locator("#cards article").first
    expect(newest.locator(".numbers")).to_contain_text("Otsu, threshold ")
    expect(newest.locator("h3")).to_be_focused()
    act(newest, "Compare")
    left = newest.locator("select").first
    choices = [text.partition(",")[0].partition(" (")[0] for text in options(left)]
    assert choices == ["Original", "Otsu", "Automatic"]
    left.select_option(index=2)
    expect(newest.get_by_role("slider")).to_have_attribute(
        "aria-valuetext", re.compile(r"^Automatic \(.*\): 50%\. Otsu")
    )


def test_escape_closes_the_dialog_sends_nothing_and_returns_the_focus(page: Page) -> None:
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
    """Send *path* through the pipeline; returns the path of the finished image's URL."""
    answer = http_request(
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
    """The preview that the page's module draws, (H, W) of 0 and 255; None if it draws none."""
    drawn = page.evaluate(
        """async ([path, threshold]) => {
            const { preview } = await import("/static/upload/preview.js");
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
    """Some of the files have a gamma: the server ignores it, so the page must, too."""
    for n, path in enumerate(EXACT):
        threshold = (60, 100, 127, 160, 200)[n % 5]
        place = process(url, path, threshold)
        result = http_request("GET", f"{url}{place}/processed").data
        expected = np.asarray(Image.open(BytesIO(result)).convert("L"))

        preview = preview_of(page, place, threshold)

        assert preview is not None, path.name
        assert np.array_equal(preview, expected), path.name


@pytest.mark.parametrize("name", ["basn4a08", "basn6a08", "basn2c16", "tbbn3p08", "tbrn2c08"])
def test_no_preview_is_drawn_for_files_whose_pixels_could_differ(
    page: Page, url: str, name: str
) -> None:
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

    expect(dialog.get_by_role("textbox", name="Threshold")).to_have_value("134")
    expect(dialog.locator("canvas")).to_be_visible()
    check_page(page, "preview")
    dialog.get_by_role("button", name="Process", exact=True).click()

    expect(page.locator("#cards > [data-state=processed]")).to_have_count(2, timeout=20_000)
    expect(page.locator(".numbers").first).to_contain_text("Fixed threshold 134")
