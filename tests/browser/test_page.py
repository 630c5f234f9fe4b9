"""A person on the page, in Chromium, against the real stack."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import ROOT
from tests.support.processes import start_app

#: Where pictures of each state are left to be looked at.
SCREENSHOTS = ROOT / ".local" / "screenshots"
READY_MS = 20_000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with start_app(ROOT, MAX_UPLOAD_BYTES="2000000") as app:
        app.wait_until_ready(within_s=120)
        yield app.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing; ./run_tests.sh installs it"
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=flags)


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A refused upload is an answer, not a fault of the page, but Chromium reports both alike.
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            complaints.append(message.text)

    page = browser.new_page(viewport={"width": 1100, "height": 1400})
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    assert complaints == []  # violations of the content security policy are among these


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def send(page: Page, file: Path) -> None:
    page.get_by_label("Choose a PNG").set_input_files(file)
    page.get_by_role("button", name="Send").click()


def test_the_page_says_what_it_takes(page: Page) -> None:
    picture(page, "empty")

    expect(page.get_by_role("heading", level=1)).to_have_text("Scans in, black-and-white pages out")
    expect(page.locator(".drop")).to_contain_text("up to 1.9 MiB and 40.0 megapixels")


def test_a_chosen_image_comes_out_beside_its_original(page: Page) -> None:
    send(page, ROOT / "image.png")

    expect(page.get_by_role("status")).to_have_text("image.png is ready.", timeout=READY_MS)
    for name in ("The page as it was sent", "The page in black and white"):
        image = page.get_by_alt_text(name)
        expect(image).to_be_visible()
        image.evaluate("image => image.decode()")  # rejects when the picture cannot be shown
        assert image.evaluate("image => image.naturalWidth") == 1240
    expect(page.get_by_text("Black and white,")).to_contain_text("kB, by ")
    picture(page, "ready")


def test_the_page_can_be_saved_under_the_images_name(page: Page) -> None:
    send(page, ROOT / "image.png")
    expect(page.get_by_role("status")).to_have_text("image.png is ready.", timeout=READY_MS)

    with page.expect_download() as download:
        page.get_by_role("link", name="Save the page").click()

    assert download.value.suggested_filename == "image-bw.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_method_that_is_chosen_is_the_one_that_is_used(page: Page) -> None:
    page.get_by_label("Method").select_option("simple")
    send(page, ROOT / "image.png")

    expect(page.get_by_text("Black and white,")).to_contain_text("by simple", timeout=READY_MS)


def test_a_dropped_image_is_sent_at_once(page: Page) -> None:
    data = (ROOT / "image.png").read_bytes()
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            const content = new Uint8Array(bytes);
            transfer.items.add(new File([content], "dropped.png", { type: "image/png" }));
            return transfer;
        }""",
        list(data),
    )

    page.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})

    expect(page.get_by_role("status")).to_have_text("dropped.png is ready.", timeout=READY_MS)


def test_a_file_that_is_not_a_png_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "letter.png"
    file.write_text("Dear Sir or Madam")

    send(page, file)

    expect(page.get_by_role("status")).to_have_text(
        "The file does not start with the PNG signature."
    )
    picture(page, "refused")


def test_a_file_that_is_too_large_is_not_even_sent(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "big.png"
    file.write_bytes(b"\0" * 3_000_000)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))

    send(page, file)

    expect(page.get_by_role("status")).to_have_text("big.png has 3.0 MB; the limit is 2.0 MB.")
    assert "POST" not in requests


def test_an_image_that_cannot_be_processed_says_why(page: Page, tmp_path: Path) -> None:
    from tests.support.scans import header, pixels, png

    file = tmp_path / "short.png"
    file.write_bytes(png(header(40, 30), pixels([b"\0" * 40] * 20)))

    send(page, file)

    expect(page.get_by_role("status")).to_contain_text("pixel data", timeout=READY_MS)


def test_a_name_cannot_put_anything_into_the_page(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "<img src=x onerror=alert(1)>.png"
    shutil.copy(ROOT / "image.png", file)

    send(page, file)

    expect(page.get_by_role("status")).to_have_text(f"{file.name} is ready.", timeout=READY_MS)


def test_the_page_to_try_the_api_shows_every_operation_and_sends_a_file(page: Page) -> None:
    page.goto(f"{page.url}docs")
    upload = page.locator("#operations-images-upload")

    expect(page.locator(".opblock")).to_have_count(8)
    upload.locator(".opblock-summary").click()
    upload.get_by_role("button", name="Try it out").click()
    upload.locator("input[type=file]").set_input_files(ROOT / "image.png")
    upload.get_by_role("button", name="Execute").click()

    expect(upload.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text(
        "202", timeout=READY_MS
    )
    picture(page, "docs")


def test_without_script_a_form_leads_to_a_page_with_the_result(browser: Browser, url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)

    send(page, ROOT / "image.png")

    expect(page.get_by_role("heading", level=1)).to_have_text("image.png", timeout=READY_MS)
    expect(page.get_by_role("status")).to_have_text("Done.", timeout=READY_MS)
    expect(page.get_by_alt_text("The page in black and white")).to_be_visible()
    picture(page, "without-script")
    context.close()


def test_without_script_a_refusal_is_a_page_with_the_reason(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"GIF89a")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)

    send(page, photo)

    expect(page.get_by_role("heading", level=1)).to_have_text("The file is not a PNG")
    expect(page.locator("main")).to_contain_text("not-a-png")
    picture(page, "without-script-refused")
    context.close()
