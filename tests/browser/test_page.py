"""The page from a person's view: send scans, see their state, save and delete results."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, JSHandle, Locator, Page, Response, Route, expect

from testkit.browser.browsing import (
    SAMPLE,
    SHORT,
    act,
    check_page,
    choose,
    expect_state,
    pick,
    scan,
    send_sample,
    visit,
)
from testkit.images.exifs import exif, oriented
from testkit.network.http_requests import http_request
from testkit.png.pngs import Picture, ihdr
from testkit.png.scans import page_png, png
from testkit.root import ROOT
from testkit.timing.waiting import wait_until


def test_the_page_names_its_limits(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Scans in, clean black and white out")
    expect(page.locator(".drop")).to_contain_text("up to 2 MB, 40 megapixels and 20,000 pixels")
    check_page(page, "empty")


def test_a_chosen_image_is_processed_and_shown_with_its_numbers(page: Page) -> None:
    sent = send_sample(page)

    expect(sent.locator(".numbers")).to_contain_text("1.1 MB → ")
    expect(sent.locator(".numbers")).to_contain_text(" · Automatic · ready after ")
    expect(sent.locator(".numbers")).to_contain_text("expires in ")
    thumb = sent.locator(".thumb img")
    expect(thumb).to_be_visible()
    assert thumb.evaluate("image => image.naturalWidth") == 1240
    check_page(page, "ready")


def test_ignored_faults_of_a_file_are_listed_among_its_numbers(page: Page, tmp_path: Path) -> None:
    odd, clean = scan(tmp_path, "odd.png", page_png() + b"\r\n"), scan(tmp_path, "clean.png")

    choose(page, odd, clean)

    numbers = page.locator("#cards > [data-state=processed] .numbers")
    expect(numbers).to_have_count(2)
    expect(numbers.filter(has_text="ignored: 2 bytes after IEND")).to_have_count(1)
    expect(numbers.filter(has_text="ignored")).to_have_count(1)


def test_a_page_on_its_side_is_shown_upright_with_a_note(page: Page, tmp_path: Path) -> None:
    samples = np.full((300, 500, 1), 240)
    samples[40:260:20, 40:460] = 20
    lying = Picture(samples, metadata=exif(oriented(6))).encode()

    choose(page, scan(tmp_path, "lying.png", lying))

    sent = expect_state(page, "lying.png", "Ready")
    expect(sent.locator(".numbers")).to_contain_text(" · turned by 90° · ")
    act(sent, "Compare")
    shown = sent.locator(".sheet img")
    expect(shown).to_have_count(2)
    wait_until(lambda: sizes_of(shown) == [[300, 500]] * 2, within_s=60)


def sizes_of(images: Locator) -> list[list[int]]:
    found: list[list[int]] = images.evaluate_all(
        "images => images.map((image) => [image.naturalWidth, image.naturalHeight])"
    )
    return found


def test_twenty_images_are_sent_three_at_a_time_and_all_become_ready(
    page: Page, tmp_path: Path
) -> None:
    page.evaluate(
        """() => {
            const send = XMLHttpRequest.prototype.send;
            window.most = window.open_ = 0;
            XMLHttpRequest.prototype.send = function (body) {
                window.most = Math.max(window.most, ++window.open_);
                this.addEventListener("loadend", () => window.open_--);
                return send.call(this, body);
            };
        }"""
    )
    scans = [scan(tmp_path, f"scan {n:02}.png", page_png(width=40 + n)) for n in range(20)]

    choose(page, *scans)

    expect(page.locator("#cards > [data-state=processed]")).to_have_count(20)
    assert page.evaluate("window.most") == 3
    assert page.locator("h3").all_text_contents() == [path.name for path in scans]
    check_page(page, "twenty")


def transfer_of(page: Page, name: str) -> JSHandle:
    """A DataTransfer with a scan, as in the event of a drop or a paste."""
    return page.evaluate_handle(
        """([bytes, name]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
            return transfer;
        }""",
        [list(page_png()), name],
    )


def test_an_image_dropped_anywhere_on_the_page_is_sent_at_once(page: Page) -> None:
    transfer = transfer_of(page, "dropped.png")

    page.locator("footer").dispatch_event("dragover", {"dataTransfer": transfer})
    expect(page.locator(".drop")).to_have_class("drop over")
    page.locator("footer").dispatch_event("drop", {"dataTransfer": transfer})

    expect(page.locator(".drop")).to_have_class("drop")
    expect_state(page, "dropped.png", "Ready")


def test_a_pasted_image_is_sent_at_once(page: Page) -> None:
    transfer = transfer_of(page, "pasted.png")

    page.evaluate(
        """transfer => document.body.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }))""",
        transfer,
    )

    expect_state(page, "pasted.png", "Ready")


REFUSED_BEFORE_SENDING = {
    "letter.png": b"Dear Sir or Madam",
    "empty.png": b"",
    "big.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 2_000_100,
    "wide.png": png(ihdr(20_001, 1)),
    "vast.png": png(ihdr(19_000, 19_000)),
}


@pytest.mark.parametrize("name", REFUSED_BEFORE_SENDING)
def test_an_obvious_fault_is_refused_before_sending_with_the_reason_that_the_api_gives(
    page: Page, url: str, tmp_path: Path, name: str
) -> None:
    content = REFUSED_BEFORE_SENDING[name]
    answer = http_request("POST", f"{url}/upload", fields={"image": (name, content)}).json()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))

    choose(page, scan(tmp_path, name, content))

    reason = expect_state(page, name, "Refused").locator(".reason")
    expect(reason.locator("code")).to_have_text(answer["code"])
    expect(reason.locator("[lang=en]")).to_have_text(answer["detail"])
    assert "POST" not in requests


def test_an_image_that_the_api_refuses_shows_the_reason_and_can_be_removed_from_the_list(
    page: Page, tmp_path: Path
) -> None:
    choose(page, scan(tmp_path, "cut.png", page_png()[:-4]), scan(tmp_path, "letter.png", b"Dear"))

    refused = expect_state(page, "cut.png", "Refused")
    expect(refused).to_contain_text("The PNG is damaged. Export it again.")
    expect(refused.locator("code")).to_have_text("corrupt-png")
    expect_state(page, "letter.png", "Refused")
    check_page(page, "refused")
    act(refused, "Remove from the list")
    expect(refused).to_have_count(0)


def test_an_image_that_cannot_be_processed_shows_the_reason(page: Page, tmp_path: Path) -> None:
    choose(page, scan(tmp_path, "short.png", SHORT))

    failed = expect_state(page, "short.png", "Could not be processed")
    expect(failed.locator(".reason")).to_contain_text("pixel data")
    check_page(page, "failed")


def test_a_filename_cannot_inject_markup_into_the_page(page: Page, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"

    choose(page, scan(tmp_path, name))

    sent = expect_state(page, name, "Ready")
    act(sent, "Compare")
    expect(sent.locator("h3")).to_have_text(name)
    assert page.locator("img[src=x]").count() == 0


def test_the_chosen_method_and_parameter_are_used(page: Page) -> None:
    page.locator("#upload summary").click()
    pick(page, "sauvola")
    page.get_by_role("textbox", name="k ", exact=False).locator("visible=true").fill("0.35")
    check_page(page, "methods")

    sent = send_sample(page)

    expect(page.locator("#chosen")).to_have_text("Sauvola")
    expect(sent.locator(".numbers")).to_contain_text("Sauvola, window 25, k 0.35")


def test_a_browser_that_forbids_storage_can_send_images(browser: Browser, url: str) -> None:
    forbidden = """for (const name of ["localStorage", "sessionStorage"]) {
        const get = () => { throw new DOMException("", "SecurityError"); };
        Object.defineProperty(window, name, { get });
    }"""
    with visit(browser, "about:blank") as page:
        page.add_init_script(forbidden)
        page.goto(url)

        send_sample(page)


def test_an_invalid_parameter_of_another_method_does_not_prevent_sending(page: Page) -> None:
    page.locator("#upload summary").click()
    pick(page, "simple")
    page.get_by_role("textbox", name="Threshold").fill("999")
    pick(page, "otsu")

    expect(send_sample(page).locator(".numbers")).to_contain_text("Otsu")


def test_a_response_of_a_captive_portal_is_treated_as_a_lost_connection(page: Page) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<h1>Welcome to the hotel</h1>")

    page.route("**/upload", answer, times=1)

    send_sample(page)


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_numbers_may_have_a_comma_or_a_point_and_are_checked_before_sending(
    browser: Browser, url: str, locale: str
) -> None:
    with visit(browser, url, locale=locale) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.method))
        page.locator("#upload summary").click()
        pick(page, "sauvola")
        k = page.locator("[name=k]").locator("visible=true")
        summary = page.locator("#upload summary")
        for wrong in ("7,5", "1.01", "0,3,5", "k"):
            k.fill(wrong)
            summary.click()  # an invalid field must be unfolded again
            choose(page, SAMPLE)
            expect(k).to_be_focused()
            assert "0" in k.evaluate("field => field.validationMessage")
        expect(page.locator("#cards > li")).to_have_count(0)
        assert "POST" not in requests

        k.fill("0,35" if locale == "en-US" else "0.35")
        choose(page, SAMPLE)

        shown = "k 0.35" if locale == "en-US" else "k 0,35"
        expect(page.locator(".numbers")).to_contain_text(shown)


def test_the_list_survives_a_reload_and_stores_ids_and_names_only(page: Page) -> None:
    send_sample(page)
    kept = page.evaluate("Object.entries({...localStorage})")

    page.reload()

    expect_state(page, "image.png", "Ready")
    assert sorted(name for name, _ in kept) == ["alvura.images", "alvura.names"]
    check_page(page, "reloaded")


def test_another_browser_does_not_see_the_list(page: Page, browser: Browser, url: str) -> None:
    send_sample(page)

    with visit(browser, url) as other:
        expect(other.locator("#images")).to_be_hidden()


def test_a_result_is_saved_under_the_name_of_the_image(page: Page) -> None:
    sent = send_sample(page)

    with page.expect_download() as download:
        sent.get_by_role("link", name="Download").click()

    assert download.value.suggested_filename == "image-bw.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_all_results_are_saved_as_one_zip(page: Page, url: str, tmp_path: Path) -> None:
    names = ["página.png", "b.png", "c.png"]
    choose(page, *(scan(tmp_path, name) for name in names))
    expect(page.locator("#cards > [data-state=processed]")).to_have_count(3)
    choose(page, tmp_path / "b.png")
    expect(page.locator("#cards > [data-state=processed]")).to_have_count(4)

    with page.expect_download() as download:
        page.get_by_role("button", name="Download 4 as a zip").click()

    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "b-bw (2).png",
            "b-bw.png",
            "c-bw.png",
            "página-bw.png",
        ]
        ids = page.evaluate("JSON.parse(localStorage['alvura.images'])")
        stored = http_request("GET", f"{url}/images/{ids[0]}/processed").data
        assert archive.read("b-bw.png") == stored


def test_deleting_asks_once_and_leaves_nothing_on_the_server(page: Page, url: str) -> None:
    sent = send_sample(page)
    (image_id,) = page.evaluate("JSON.parse(localStorage['alvura.images'])")

    act(sent, "Delete")
    assert http_request("GET", f"{url}/images/{image_id}").status == 200
    act(sent, "Delete for good?")

    expect_state(page, "image.png", "Deleted")
    assert http_request("GET", f"{url}/images/{image_id}").status == 404
    expect(sent.get_by_role("button", name="Remove from the list")).to_be_focused()
    check_page(page, "deleted")
    page.reload()
    expect(page.locator("#images")).to_be_hidden()


def test_an_image_deleted_elsewhere_is_shown_as_no_longer_available(page: Page, url: str) -> None:
    send_sample(page)
    (image_id,) = page.evaluate("JSON.parse(localStorage['alvura.images'])")
    http_request("DELETE", f"{url}/images/{image_id}")

    page.reload()

    expect_state(page, "image.png", "No longer available")
    check_page(page, "gone")


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_a_visit_loads_less_than_60_kb_of_styles_and_scripts(
    browser: Browser, url: str, locale: str
) -> None:
    """Uncompressed; the markup, which contains the texts, is not counted."""
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        if response.request.resource_type in ("stylesheet", "script"):
            sizes[response.url.removeprefix(url)] = len(response.body())

    with visit(browser, "about:blank", locale=locale) as page:
        page.on("response", weigh)
        page.goto(url)
        send_with(page, locale)

    first = sum(sizes.values())
    everything = first + sum((ROOT / path[1:]).stat().st_size for path in FOR_LATER)
    print(f"{locale}: {first} bytes, {everything} with all that can follow: {sizes}")
    assert sizes.keys().isdisjoint(FOR_LATER)
    assert first < 60_000
    assert everything < 160_000


#: Loaded on demand: comparing, another method, the zip, the PDF and other formats (without the
#: libraries for PDF and TIFF).
FOR_LATER = (
    "/static/convert/convert-worker.js",
    "/static/convert/convert.js",
    "/static/convert/corners.js",
    "/static/convert/documents.js",
    "/static/convert/in-worker.js",
    "/static/convert/kinds.js",
    "/static/convert/photos.js",
    "/static/convert/pixels.js",
    "/static/convert/png-out.js",
    "/static/convert/straighten.js",
    "/static/convert/warp.js",
    "/static/save/one-pdf.js",
    "/static/save/pdf.js",
    "/static/save/zip.js",
    "/static/shared/crc32.js",
    "/static/shared/dialogs.css",
    "/static/shared/dialogs.js",
    "/static/upload/again.js",
    "/static/upload/compare.css",
    "/static/upload/compare.js",
    "/static/upload/folders.js",
    "/static/upload/preview.js",
    "/static/upload/stage.js",
    "/static/upload/token.js",
    "/static/upload/trials.js",
)


def send_with(page: Page, locale: str) -> None:
    choose(page, SAMPLE)
    expect_state(page, "image.png", "Ready" if locale == "en-US" else "Pronta")


def test_only_one_style_sheet_blocks_the_first_paint(page: Page) -> None:
    blocking = page.evaluate(
        """performance.getEntriesByType("resource")
            .filter(({ renderBlockingStatus }) => renderBlockingStatus === "blocking")
            .map(({ name }) => new URL(name).pathname)"""
    )

    assert blocking == ["/static/shared/style.css"]
