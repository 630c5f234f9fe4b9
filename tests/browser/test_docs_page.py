"""The page of the API's documentation, with and without JavaScript."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from testkit.browser.browsing import SAMPLE, check_page, visit


def test_every_operation_is_shown_and_can_be_tried(browser: Browser, url: str) -> None:
    with visit(browser, f"{url}/docs", viewport={"width": 1366, "height": 625}) as page:
        unfold_all(page)
        upload = page.locator("#upload-operation")
        upload.locator("form").get_by_label("Prefer").fill("wait=20")
        upload.locator("form").get_by_label("method").select_option("otsu")
        upload.locator("[type=file]").set_input_files(SAMPLE)
        upload.get_by_role("button", name="Send the request").click()

        answer = upload.locator(".result")
        expect(answer.get_by_role("status")).to_have_text("201 CREATED")
        expect(answer.locator("pre")).to_contain_text('"method": "otsu"')
        body = str(answer.locator("pre").text_content()).partition("\n\n")[2]
        image_id = body.partition('"image_id": "')[2][:36]
        check_at_every_width(page)

        result = page.locator("#getProcessed-operation")
        result.locator("form").get_by_label("image_id").fill(image_id)
        result.get_by_role("button", name="Send the request").click()
        expect(result.locator(".result img")).to_be_visible()


def unfold_all(page: Page) -> None:
    expect(page.locator(".operation")).to_have_count(9)
    for fold in page.locator("details").all():
        fold.evaluate("fold => { fold.open = true; }")


def check_at_every_width(page: Page) -> None:
    """Check the page while it shows a response, which has the longest lines."""
    for width, height in ((1366, 625), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        check_page(page, f"docs-{width}")


def test_the_page_is_readable_without_script_and_links_to_the_start(
    browser: Browser, url: str
) -> None:
    with visit(browser, f"{url}/docs", java_script_enabled=False, locale="pt-BR") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("API do Alvura")
        page.locator("#upload-operation > summary").click()
        expect(page.get_by_role("table", name="Campos do formulário")).to_be_visible()
        expect(page.get_by_role("button", name="Enviar requisição")).to_have_count(0)
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The Alvura API")
        page.get_by_role("link", name="Back to the start").click()
        assert page.url == f"{url}/"


def test_a_link_to_a_schema_unfolds_it(browser: Browser, url: str) -> None:
    with visit(browser, f"{url}/docs#schema-Image") as page:
        place = page.locator("#schema-Image")
        expect(place.get_by_role("row", name="expires_at")).to_be_visible()
        place.get_by_role("link", name="ImageStatus").click()
        expect(page.locator("#schema-ImageStatus")).to_contain_text("queued")
