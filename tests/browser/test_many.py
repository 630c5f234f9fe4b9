"""Many scans at once: progress, processing again, two tabs, folders, links and failures."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from testkit.browser.browsing import (
    READY_MS,
    SAMPLE,
    act,
    card,
    check_page,
    choose,
    expect_state,
    pick,
    scan,
    send_sample,
    visit,
)
from testkit.png.scans import page_png
from testkit.timing.waiting import wait_until


def scans(folder: Path, count: int) -> list[Path]:
    return [scan(folder, f"scan {n:02}.png", page_png(width=40 + n)) for n in range(count)]


def processed(page: Page, count: int) -> None:
    ready = page.locator("#cards > [data-state=processed]")
    expect(ready).to_have_count(count)


@pytest.mark.parametrize(("width", "height"), [(1366, 625), (768, 1024), (360, 740)])
def test_chosen_images_appear_at_once_and_are_counted_on_the_page_and_in_its_title(
    browser: Browser, url: str, tmp_path: Path, width: int, height: int
) -> None:
    held: list[Route] = []
    with visit(browser, url, viewport={"width": width, "height": height}) as page:
        page.route("**/upload", lambda route: held.append(route))
        choose(page, scan(tmp_path, "letter.png", b"Dear"), *scans(tmp_path, 6))

        progress = page.locator("#progress")
        expect(progress.locator("p")).to_have_text("0 of 7 ready · 1 without a result")
        expect(page).to_have_title(re.compile(r"^0 of 7 ready · 1 without a result · "))
        for part in (progress, page.locator("#cards .state").first):
            box = part.bounding_box()
            assert box
            assert 0 <= box["y"] < height - box["height"]
        check_page(page, f"under-way-{width}")
        wait_until(lambda: page.evaluate("true") and len(held) == 3)
        page.unroute("**/upload")  # also continues the held requests

        expect(progress.locator("p")).to_have_text(
            "6 of 7 ready · 1 without a result", timeout=READY_MS
        )
        expect(progress.locator("progress")).to_be_hidden()
        expect(page).to_have_title(re.compile("^Scans in"))
        assert page.evaluate("document.documentElement.scrollWidth") == width
        check_page(page, f"many-{width}")


def test_the_time_left_is_estimated_from_the_pace_so_far(page: Page, tmp_path: Path) -> None:
    page.clock.install()
    held: list[Route] = []
    first, *others = scans(tmp_path, 4)
    choose(page, first)
    processed(page, 1)
    page.route("**/upload", lambda route: held.append(route))
    choose(page, scan(tmp_path, "letter.png", b"Dear"), *others)
    wait_until(lambda: page.evaluate("true") and len(held) == 3)

    progress = page.locator("#progress p")
    expect(progress).to_have_text("0 of 4 ready · 1 without a result")
    page.clock.run_for(20_000)
    # A refusal took no time, so it is no pace.
    expect(progress).to_have_text("0 of 4 ready · 1 without a result")
    held[0].continue_()
    expect(progress).to_have_text(
        re.compile(r"1 of 4 ready · 1 without a result · about (3\d|4\d)s? ?s left"),
        timeout=READY_MS,
    )
    for route in held[1:]:
        route.continue_()


def test_the_seconds_until_a_retry_are_counted_down(browser: Browser, url: str) -> None:
    with visit(browser, url, outage=True) as page:
        page.route("**/upload", lambda route: route.fulfill(
            status=503, headers={"Retry-After": "30"},
            content_type="application/problem+json", body='{"code": "queue-full", "status": 503}',
        ))  # fmt: skip
        choose(page, SAMPLE)
        held = expect_state(
            page, "image.png", re.compile(r"Not accepted yet · next try in [23]\ds")
        )
        before = held.locator(".state").text_content()
        expect(held.locator(".state")).not_to_have_text(str(before))
        page.unroute("**/upload")
        act(held, "Try now")
        expect_state(page, "image.png", "Ready")


# --- again ---------------------------------------------------------------------------------------


def test_the_dialog_starts_with_the_method_of_the_image_and_previews_changes(page: Page) -> None:
    page.locator("#upload summary").click()
    pick(page, "sauvola")
    page.locator("[name=k]").locator("visible=true").fill("0.35")
    sent = send_sample(page)

    act(sent, "Process again")
    dialog = page.get_by_role("dialog", name="Process again")
    expect(dialog.locator("[name=method]:checked")).to_have_value("sauvola")
    expect(dialog.locator("[name=k]").locator("visible=true")).to_have_value("0.35")
    hint = dialog.locator(".preview > p")
    expect(hint).to_have_text(
        "Approximate preview: the service used a copy at 68%, which it has already deleted.",
        timeout=READY_MS,
    )
    expect(dialog.locator(".sheet canvas")).to_be_visible()
    assert shades(page) == [0, 255]
    before = ink(page)
    dialog.locator("[name=k]").locator("visible=true").fill("0,05")
    wait_until(lambda: ink(page) > before * 1.02)
    dialog.locator("[name=k]").locator("visible=true").fill("5")
    dialog.get_by_role("button", name="Process", exact=True).click()
    expect(dialog).to_be_visible()
    dialog.locator("[name=k]").locator("visible=true").fill("0.1")
    dialog.get_by_label("Delete the current result").check()
    dialog.get_by_role("button", name="Process", exact=True).click()

    expect(page.locator(".numbers").first).to_contain_text("k 0.1")
    expect(page.locator("#cards > li")).to_have_count(1)
    expect(page.locator("h3")).to_be_focused()


def reds(page: Page) -> str:
    """The red samples of the preview's canvas, in base64."""
    return str(page.locator("dialog .sheet canvas").evaluate(
        """canvas => {
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, width, height);
            return new Uint8Array(data.filter((_, i) => i % 4 === 0)).toBase64();
        }"""
    ))  # fmt: skip


def ink(page: Page) -> int:
    """The number of black pixels in the preview."""
    return b64decode(reds(page)).count(0)


def shades(page: Page) -> list[int]:
    return sorted(set(b64decode(reds(page))))


def test_all_images_are_processed_again_at_once_and_each_keeps_its_place_in_the_list(
    page: Page, tmp_path: Path
) -> None:
    choose(page, *scans(tmp_path, 3))
    processed(page, 3)
    names = page.locator("h3").all_text_contents()
    kept = page.evaluate("JSON.parse(localStorage['alvura.images'])")

    page.get_by_role("button", name="Process all 3 again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Delete the current result")).to_be_checked()
    pick(dialog, "otsu")
    dialog.get_by_role("button", name="Process", exact=True).click()

    expect(page.locator(".numbers", has_text="Otsu")).to_have_count(3)
    expect(page.locator("#cards > li")).to_have_count(3)
    assert page.locator("h3").all_text_contents() == names
    assert not set(kept) & set(page.evaluate("JSON.parse(localStorage['alvura.images'])"))


def test_a_refused_image_can_be_processed_again(page: Page) -> None:
    def refuse(route: Route) -> None:
        body = '{"code": "invalid-parameter", "status": 400, "detail": "k is too large"}'
        route.fulfill(status=400, content_type="application/problem+json", body=body)

    page.route("**/upload", refuse, times=1)
    choose(page, SAMPLE)
    refused = expect_state(page, "image.png", "Refused")
    expect(refused.locator("[lang=en]")).to_be_hidden()
    act(refused, "Process again")
    page.get_by_role("dialog").get_by_role("button", name="Process", exact=True).click()

    expect_state(page, "image.png", "Ready")
    expect(page.locator("#cards > li")).to_have_count(1)


# --- tabs, folders, links ------------------------------------------------------------------------


def test_two_tabs_share_one_list(page: Page, tmp_path: Path) -> None:
    choose(page, *scans(tmp_path, 2))
    processed(page, 2)
    other = page.context.new_page()
    other.goto(page.url)
    processed(other, 2)

    choose(other, SAMPLE)
    expect_state(page, "image.png", "Ready")
    assert page.locator("h3").all_text_contents() == ["image.png", "scan 00.png", "scan 01.png"]
    other.evaluate(
        """() => {
            const ids = JSON.parse(localStorage["alvura.images"]);
            localStorage["alvura.images"] = JSON.stringify(ids.reverse());
        }"""
    )
    expect(page.locator("h3")).to_have_text(["scan 01.png", "scan 00.png", "image.png"])
    act(card(page, "scan 00.png"), "Delete")
    act(card(page, "scan 00.png"), "Delete for good?")

    expect(other.locator("#cards > li")).to_have_count(2)
    expect(card(other, "scan 00.png")).to_have_count(0)


def test_the_images_of_a_folder_are_sent_in_the_order_of_their_names_and_other_files_are_counted(
    page: Page, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    (folder / "inner").mkdir(parents=True)
    for name in ("page 10.png", "page 2.png", "inner/page 1.png"):
        scan(folder, name)
    scan(folder, "notes.txt", b"Dear")
    scan(folder, ".DS_Store", b"x")

    page.get_by_label("Choose a folder").set_input_files(folder)

    processed(page, 3)
    assert page.locator("h3").all_text_contents() == ["page 1.png", "page 2.png", "page 10.png"]
    notice = page.locator("#notice")
    expect(notice).to_contain_text("1 file in the folder is not an image and was left out.")
    check_page(page, "notice")
    notice.get_by_role("button", name="Close").click()
    expect(notice).to_be_hidden()


def test_a_dropped_folder_is_read_with_its_subfolders(page: Page) -> None:
    """A script cannot drop a real folder; this object has the methods that the page calls."""
    page.evaluate(
        """async (bytes) => {
            const file = (name) => ({ isFile: true, name, file: (found) => found(
                new File([new Uint8Array(bytes)], name, { type: "image/png" })) });
            const folder = (name, ...entries) => ({ isDirectory: true, name, createReader: () => {
                const parts = [entries.slice(0, 1), entries.slice(1), []];
                return { readEntries: (found) => found(parts.shift()) };
            } });
            const tree = folder("scans", file("page 10.png"), file("page 9.png"),
                folder("more", file("page 11.png")));
            const transfer = { types: ["Files"], files: [],
                items: [{ webkitGetAsEntry: () => tree }] };
            const event = new Event("drop", { bubbles: true, cancelable: true });
            Object.defineProperty(event, "dataTransfer", { value: transfer });
            document.body.dispatchEvent(event);
        }""",
        list(page_png()),
    )

    processed(page, 3)
    assert page.locator("h3").all_text_contents() == ["page 9.png", "page 10.png", "page 11.png"]


def test_a_copied_link_opens_the_image_in_another_browser(browser: Browser, url: str) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    with visit(browser, url, permissions=allowed) as page:
        sent = send_sample(page)
        act(sent, "Copy link")
        expect(page.locator("#notice")).to_contain_text("Link copied.")
        link = page.evaluate("navigator.clipboard.readText()")

        with visit(browser, link) as other:
            expect(other.get_by_role("heading", level=1)).to_have_text("image.png")


# --- failures ------------------------------------------------------------------------------------


def test_each_failed_action_is_reported_in_the_notice(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    with visit(browser, url, outage=True) as page:
        choose(page, *scans(tmp_path, 2))
        processed(page, 2)
        notice = page.locator("#notice")

        page.route("**/processed", lambda route: route.fulfill(status=503, body="{}"))
        page.get_by_role("button", name="Download 2 as a zip").click()
        expect(notice).to_contain_text("The zip could not be made")
        page.context.set_offline(True)
        act(card(page, "scan 00.png"), "Compare")
        expect(notice).to_contain_text("The service did not answer.")
        act(card(page, "scan 00.png"), "Process again")
        expect(notice).to_contain_text("The service did not answer.")
        act(card(page, "scan 01.png"), "Delete")
        act(card(page, "scan 01.png"), "Delete for good?")
        expect(notice).to_contain_text("The service did not answer.")
        expect(card(page, "scan 01.png").locator(".state")).to_contain_text("Ready")
        expect(card(page, "scan 01.png").locator(".reason")).to_be_hidden()
        page.context.set_offline(False)
        page.unroute("**/processed")
        act(card(page, "scan 00.png"), "Compare")
        expect(page.locator(".sheet img")).to_have_count(2)
