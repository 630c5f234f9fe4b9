"""All ready pages as one PDF: selection, order, and the same bytes as the command writes."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from app.cli.pdf_pages import write_pdf
from app.formats.tiff import group_4
from app.image_processor import binarize_png
from testkit.browser.browsing import check_page, choose, scan
from testkit.network.http_requests import http_request
from testkit.png.scans import page_png, result_png
from testkit.root import ROOT
from testkit.timing.waiting import assert_within


@pytest.fixture
def pages(page: Page, tmp_path: Path) -> Page:
    """Three ready pages, a.png, b.png and c.png in the list."""
    choose(page, *(scan(tmp_path, f"{name}.png", page_png(40 + ord(name))) for name in "abc"))
    expect(page.locator("#cards > [data-state=processed]")).to_have_count(3)
    return page


def ask_for_pdf(page: Page) -> Locator:
    page.get_by_role("button", name="Download one PDF").click()
    return page.get_by_role("dialog")


def names(place: Page | Locator, rows: str) -> list[str]:
    return [name[0] for name in place.locator(rows).all_text_contents()]


def download(dialog: Locator) -> tuple[str, bytes]:
    with dialog.page.expect_download() as started:
        dialog.get_by_role("button", name=re.compile("^Download a PDF of")).click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def results(page: Page, url: str) -> dict[str, bytes]:
    ids = page.evaluate("JSON.parse(localStorage['alvura.images'])")
    images = [http_request("GET", f"{url}/images/{each}").json() for each in ids]
    return {
        image["original"]["filename"][0]: http_request("GET", url + image["processed"]["href"]).data
        for image in images
    }


def test_all_ready_pages_are_one_pdf_in_the_order_of_the_list(
    pages: Page, url: str, tmp_path: Path
) -> None:
    found = results(pages, url)

    dialog = ask_for_pdf(pages)
    check_page(pages, "one-pdf")
    name, pdf = download(dialog)

    assert name == "alvura.pdf"
    assert pdf == write_pdf([found["a"], found["b"], found["c"]])
    expect(dialog).to_be_hidden()
    check(pdf, tmp_path, [(40 + ord(name), 30) for name in "abc"])


def check(pdf: bytes, folder: Path, sizes: list[tuple[int, int]]) -> None:
    """Check *pdf* with programs of others: Debian's qpdf and poppler-utils."""
    path = folder / "pages.pdf"
    path.write_bytes(pdf)
    subprocess.run(["qpdf", "--check", path], check=True, capture_output=True)
    listed = subprocess.run(
        ["pdfimages", "-list", path], check=True, capture_output=True, text=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()[2:]]
    assert [(int(row[3]), int(row[4])) for row in rows] == sizes
    for row in rows:
        assert row[5:9] == ["gray", "1", "1", "image"]
        assert row[12:14] == ["300", "300"]


def test_other_programs_read_the_pages_of_binarize(tmp_path: Path) -> None:
    made = binarize_png((ROOT / "image.png").read_bytes()).png
    path = tmp_path / "pages.pdf"
    path.write_bytes(write_pdf([made, made], group_4))

    subprocess.run(["qpdf", "--check", path], check=True, capture_output=True)
    subprocess.run(["pdfimages", "-png", path, tmp_path / "page"], check=True)

    for found in (tmp_path / "page-000.png", tmp_path / "page-001.png"):
        with Image.open(found) as image, Image.open(io.BytesIO(made)) as page:
            assert image.convert("1").tobytes() == page.tobytes()


def test_pages_moved_by_buttons_and_keys_have_the_same_order_in_the_list_and_the_zip(
    pages: Page, url: str
) -> None:
    found = results(pages, url)
    dialog = ask_for_pdf(pages)
    up = dialog.get_by_role("button", name="Move c.png up")

    up.press("Enter")

    expect(up).to_be_focused()
    expect(dialog.locator(".says")).to_have_text("c.png is now page 2 of 3.")
    expect(dialog.get_by_role("status")).to_contain_text("c.png is now page 2 of 3.")
    dialog.get_by_role("checkbox", name="a.png").press("Alt+ArrowDown")
    dialog.get_by_role("checkbox", name="b.png").uncheck()
    assert names(dialog, "li label span") == ["c", "a", "b"]
    _, pdf = download(dialog)
    assert pdf == write_pdf([found["c"], found["a"]])
    assert names(pages, "h3") == ["c", "a", "b"]
    with pages.expect_download() as started:
        pages.get_by_role("button", name="Download 3 as a zip").click()
    with zipfile.ZipFile(started.value.path()) as archive:
        assert [name[0] for name in archive.namelist()] == ["c", "a", "b"]
    pages.reload()
    expect(pages.locator("#cards > [data-state=processed]")).to_have_count(3)
    assert names(pages, "h3") == ["c", "a", "b"]


def test_a_page_is_dragged_by_its_handle(pages: Page) -> None:
    dialog = ask_for_pdf(pages)
    handles = dialog.locator(".grip")
    start, end = handles.nth(0).bounding_box(), handles.nth(2).bounding_box()
    assert start
    assert end

    pages.mouse.move(start["x"] + 10, start["y"] + 20)
    pages.mouse.down()
    pages.mouse.move(end["x"] + 10, end["y"] + end["height"] - 2, steps=5)
    pages.mouse.up()

    assert names(dialog, "li label span") == ["b", "c", "a"]
    expect(dialog.locator(".says")).to_have_text("a.png is now page 3 of 3.")


def test_a_pdf_of_fifty_pages_takes_less_than_a_second(page: Page) -> None:
    png = result_png(2480, 3508)

    took_ms, size = page.evaluate(
        """async (png) => {
            const { pdf } = await import("/static/save/pdf.js");
            const pages = Array.from({ length: 50 }, () => Uint8Array.from(png));
            const began = performance.now();
            const made = pdf(pages);
            await made.arrayBuffer();
            return [performance.now() - began, made.size];
        }""",
        list(png),
    )

    print(f"50 pages in {took_ms:.0f} ms")
    assert size == len(write_pdf([png] * 50))
    assert_within(took_ms / 1000, 1)


@pytest.mark.parametrize("dots", [None, (1, 1), (5906, 11811)])
def test_script_and_command_write_the_same_pdf_for_any_resolution(
    page: Page, dots: tuple[int, int] | None
) -> None:
    pages = [result_png(1237 + n, 991, dots_per_metre=dots) for n in range(3)]

    made = page.evaluate(
        """async (pages) => {
            const { pdf } = await import("/static/save/pdf.js");
            const made = pdf(pages.map((page) => Uint8Array.from(page)));
            return [...new Uint8Array(await made.arrayBuffer())];
        }""",
        [list(png) for png in pages],
    )

    assert bytes(made) == write_pdf(pages)


def test_a_page_that_cannot_be_fetched_is_reported_and_no_pdf_is_made(pages: Page) -> None:
    dialog = ask_for_pdf(pages)
    pages.route("**/processed", lambda route: route.fulfill(status=404, body="{}"))

    dialog.get_by_role("button", name="Download a PDF of 3 pages").click()

    expect(dialog.locator(".says")).to_contain_text("The PDF could not be made")
    expect(dialog).to_be_visible()
