"""The pages without JavaScript: a form, a result page that reloads itself, a form to delete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from testkit.browser.browsing import SAMPLE, SCREENSHOTS, SHORT, choose, pick, scan, visit
from testkit.network.http_requests import http_request


@pytest.fixture
def plain(browser: Browser, url: str) -> Iterator[Page]:
    with visit(browser, url, java_script_enabled=False, locale="en-US") as page:
        yield page


def send(page: Page, path: Path) -> None:
    choose(page, path)
    page.get_by_role("button", name="Send").click()


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def test_the_form_leads_to_a_page_with_original_and_result(plain: Page) -> None:
    picture(plain, "without-script-empty")
    send(plain, SAMPLE)

    expect(plain.get_by_role("heading", level=1)).to_have_text("image.png")
    expect(plain.get_by_role("status")).to_contain_text("Ready: 1.1 MB → ")
    for name in ("The page as it was sent", "The page in black and white"):
        expect(plain.get_by_alt_text(name)).to_be_visible()
    picture(plain, "without-script-ready")


def test_the_method_and_its_parameter_are_sent_with_the_form(plain: Page, url: str) -> None:
    plain.locator("#upload summary").click()
    pick(plain, "simple")
    plain.get_by_role("textbox", name="Threshold").fill("99")
    send(plain, SAMPLE)
    expect(plain.get_by_role("status")).to_contain_text("Ready")

    image = http_request("GET", plain.url).json()
    assert (image["method"], image["parameters"]) == ("simple", {"threshold": 99})


@pytest.mark.parametrize("width", [360, 320])
def test_the_form_fits_the_width_of_a_phone(browser: Browser, url: str, width: int) -> None:
    how = {"java_script_enabled": False, "viewport": {"width": width, "height": 740}}
    with visit(browser, url, **how) as page:
        page.locator("#upload summary").click()
        pick(page, "niblack")

        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_form_on_the_page_deletes_the_image(plain: Page) -> None:
    send(plain, SAMPLE)
    expect(plain.get_by_role("status")).to_contain_text("Ready")
    place = plain.url

    plain.get_by_role("button", name="Delete").click()

    expect(plain.locator(".notice")).to_have_text("The image is deleted, and so is its result.")
    assert http_request("GET", place).status == 404
    picture(plain, "without-script-deleted")


def test_a_refusal_is_a_page_with_the_reason(plain: Page, tmp_path: Path) -> None:
    send(plain, scan(tmp_path, "photo.png", b"GIF89a"))

    expect(plain.get_by_role("heading", level=1)).to_have_text("That did not work")
    expect(plain.locator("main")).to_contain_text("This is not an image that the service accepts.")
    expect(plain.locator("code")).to_have_text("not-a-png")
    picture(plain, "without-script-refused")


def test_a_failure_is_a_page_with_the_reason(plain: Page, tmp_path: Path) -> None:
    send(plain, scan(tmp_path, "short.png", SHORT))

    expect(plain.get_by_role("status")).to_have_text("Could not be processed")
    expect(plain.locator("code")).to_have_text("corrupt-png")
    picture(plain, "without-script-failed")


def test_the_form_and_the_result_are_in_portuguese_for_a_portuguese_browser(
    browser: Browser, url: str
) -> None:
    with visit(browser, url, java_script_enabled=False, locale="pt-BR") as page:
        choose(page, SAMPLE)
        page.get_by_role("button", name="Enviar").click()

        expect(page.get_by_role("status")).to_contain_text("Pronta: 1,1 MB → ")
        picture(page, "without-script-portuguese")


@pytest.mark.parametrize("path", ["/status", "/nowhere"])
def test_every_page_shows_a_heading_and_a_text(plain: Page, url: str, path: str) -> None:
    plain.goto(f"{url}{path}")

    expect(plain.get_by_role("heading", level=1)).to_be_visible()
    words = plain.locator("noscript p" if path == "/status" else ".reason")
    expect(words).to_be_visible()
