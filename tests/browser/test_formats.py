"""Photographs, TIFFs and PDFs: the browser converts them to PNG or shows why it cannot."""

from __future__ import annotations

import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from testkit.browser.browsing import (
    READY_MS,
    act,
    card,
    check_page,
    choose,
    expect_state,
    scan,
    visit,
)
from testkit.images.photographs import (
    DPI,
    HEIGHT,
    WIDTH,
    jpeg,
    noisy,
    pdf_of,
    pdf_of_text,
    pictures,
    sheet,
    shows_sheet,
)
from testkit.network.http_requests import http_request
from testkit.timing.waiting import assert_within

#: A person notices a frame that is later than this.
LONGEST_TASK_S = 0.1


def originals(page: Page, url: str) -> dict[str, dict[str, Any]]:
    """The images that the service stores, by filename, each with the picture as `picture`."""
    found = {}
    for image_id in page.evaluate("JSON.parse(localStorage['alvura.images'])"):
        image = http_request("GET", f"{url}/images/{image_id}").json()
        data = http_request("GET", f"{url}/images/{image_id}/original").data
        found[image["original"]["filename"]] = image | {"picture": Image.open(BytesIO(data))}
    return found


def avif(path: Path, image: Image.Image) -> Path:
    """Write an AVIF with OpenCV: scripts/install/prune.py removes the AVIF codec of Pillow."""
    written, data = cv2.imencode(".avif", np.asarray(image.convert("RGB")))
    assert written
    path.write_bytes(data.tobytes())
    return path


def expect_ready(page: Page, count: int) -> None:
    ready = page.locator("#cards > [data-state=processed]")
    expect(ready).to_have_count(count, timeout=READY_MS + 5000 * count)
    expect(page.locator("#cards > li")).to_have_count(count)


def test_photographs_of_every_format_become_upright_gray_pngs(
    page: Page, url: str, tmp_path: Path
) -> None:
    upright, coloured = sheet(), sheet().convert("RGB")
    coloured.paste((200, 40, 40), (150, 200, 180, 240))
    files = [
        jpeg(tmp_path / "upright.jpg", dpi=(200, 200)),
        jpeg(tmp_path / "lying.JPG", orientation=6),
        jpeg(tmp_path / "over head.jpeg", orientation=3, dpi=(72, 72)),
    ]
    for kind in ("webp", "gif", "bmp"):
        upright.save(tmp_path / f"a.{kind}")
        files.append(tmp_path / f"a.{kind}")
    files.append(avif(tmp_path / "a.avif", upright))
    coloured.save(tmp_path / "coloured.bmp")

    choose(page, *files, tmp_path / "coloured.bmp")
    expect_ready(page, 8)

    sent = originals(page, url)
    coloured_sent = sent.pop("coloured.bmp")["picture"]
    assert [
        name
        for name, image in sent.items()
        if image["picture"].size != (WIDTH, HEIGHT) or not shows_sheet(image["picture"])
    ] == []
    assert {image["picture"].mode for image in sent.values()} == {"L"}
    assert coloured_sent.getpixel((160, 220)) == (9798 * 200 + 19235 * 40 + 3735 * 40 + 16384) >> 15
    # Scanners write the real resolution; cameras write 72 as a placeholder.
    assert sent["upright.jpg"]["original"]["dpi"] == 200
    assert sent["over head.jpeg"]["original"]["dpi"] is None
    expect(card(page, "a.webp").locator(".numbers")).to_contain_text(" · was WebP · ")
    check_page(page, "photographs")


def test_the_accepted_formats_stay_visible_while_the_page_shows_images(
    page: Page, url: str, tmp_path: Path
) -> None:
    choose(page, scan(tmp_path, "a.png"))
    expect_ready(page, 1)

    expect(page.locator(".drop").get_by_text("JPEG")).to_be_visible()


def test_every_page_of_a_tiff_is_an_image_of_its_own(page: Page, url: str, tmp_path: Path) -> None:
    first, bilevel = sheet(), sheet().point(lambda value: 255 * (value > 127)).convert("1")
    rest = [bilevel, sheet().convert("RGB")]
    first.save(
        tmp_path / "a.tif", save_all=True, append_images=rest, compression="tiff_adobe_deflate"
    )
    others = {
        "b": (bilevel, "group4"),
        "c": (first, "tiff_lzw"),
        "d": (first, "jpeg"),
        "e": (first.convert("RGB"), "jpeg"),
        "f": (bilevel, "group4"),
    }
    for name, (picture, compression) in others.items():
        tags = {262: 0} if name == "f" else {}  # 0 is white, as in faxes; Pillow inverts the pixels
        how = {"compression": compression, "dpi": (200, 200), "tiffinfo": tags}
        picture.save(tmp_path / f"{name}.tiff", **how)

    choose(page, tmp_path / "a.tif", *(tmp_path / f"{name}.tiff" for name in others))
    expect_ready(page, 8)

    names = ["a-p01.png", "a-p02.png", "a-p03.png", *(f"{name}-p01.png" for name in others)]
    assert page.locator("h3").all_text_contents() == names
    sent = originals(page, url)
    assert [name for name in names if not shows_sheet(sent[name]["picture"])] == []
    assert [sent[name]["original"]["dpi"] for name in names[3:]] == [200] * 5


def test_every_page_of_a_pdf_is_drawn_whatever_its_image_compression(
    page: Page, url: str, tmp_path: Path
) -> None:
    kinds = pictures()
    (tmp_path / "scans.pdf").write_bytes(pdf_of(*kinds.values()))
    (tmp_path / "letter.pdf").write_bytes(pdf_of_text("HHHHHHHH"))

    choose(page, tmp_path / "scans.pdf", tmp_path / "letter.pdf")
    expect_ready(page, 5)

    sent = originals(page, url)
    for n, kind in enumerate(kinds, 1):
        image = sent[f"scans-p0{n}.png"]
        assert shows_sheet(image["picture"]), kind
        assert image["picture"].size == (WIDTH, HEIGHT)
        assert image["original"]["dpi"] == DPI
    # The file does not contain the font, but about a tenth of the page must still be ink.
    letters = np.asarray(sent["letter-p01.png"]["picture"])
    assert 0.05 < (letters < 128).mean() < 0.4
    assert page.locator("h3").all_text_contents() == [
        *(f"scans-p0{n}.png" for n in range(1, 5)),
        "letter-p01.png",
    ]


def test_a_photograph_that_is_too_large_is_scaled_down_with_a_note(
    page: Page, url: str, tmp_path: Path
) -> None:
    jpeg(tmp_path / "large.jpg", page=noisy(2400, 3200), dpi=(300, 300))

    choose(page, tmp_path / "large.jpg")
    expect_ready(page, 1)

    image = originals(page, url)["large.jpg"]
    assert image["original"]["bytes"] < 2_000_000
    assert shows_sheet(image["picture"])
    width, height = image["picture"].size
    assert image["original"]["dpi"] == pytest.approx(300 * width / 2400, abs=1)
    note = f"was JPEG, scaled down to {width:,} \N{MULTIPLICATION SIGN} {height:,}"
    expect(card(page, "large.jpg").locator(".numbers")).to_contain_text(note)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
BROKEN = {
    "cut.jpg": (lambda: b"\xff\xd8\xff\xe0" + bytes(40), "unreadable-image"),
    "cut.tif": (lambda: b"II*\0" + bytes(40), "unreadable-tiff"),
    "cut.pdf": (lambda: b"%PDF-1.7\n1 0 obj\n", "unreadable-pdf"),
    "photo.heic": (lambda: HEIC, "heic-windows"),
    "letter.docx": (lambda: b"PK\x03\x04" + bytes(40), "not-a-png"),
}


def test_a_file_that_cannot_be_converted_shows_the_reason_and_the_others_are_sent(
    page: Page, tmp_path: Path
) -> None:
    for name, (content, _) in BROKEN.items():
        scan(tmp_path, name, content())
    scan(tmp_path, "plain.pdf", pdf_of_text("secret"))
    subprocess.run(
        ["qpdf", "--encrypt", "one", "two", "256", "--", "plain.pdf", "locked.pdf"],
        cwd=tmp_path,
        check=True,
    )
    damaged = pictures()["DCTDecode"]
    scan(tmp_path, "half.pdf", pdf_of(damaged, (damaged[0], damaged[1][:40])))

    names = [*BROKEN, "locked.pdf", "half.pdf"]
    choose(page, *(tmp_path / name for name in names), jpeg(tmp_path / "sound.jpg"))

    expect_state(page, "sound.jpg", "Ready")
    expect_state(page, "half-p01.png", "Ready")
    codes = {name: code for name, (_, code) in BROKEN.items()}
    for name, code in {
        **codes,
        "locked.pdf": "pdf-password",
        "half-p02.png": "unreadable-pdf",
    }.items():
        refused = expect_state(page, name, "Refused")
        expect(refused.locator(".reason code")).to_have_text(code)
    check_page(page, "not-converted")


def test_a_conversion_can_be_cancelled_page_by_page(page: Page, tmp_path: Path) -> None:
    pages = [noisy(1240, 1754, seed=n) for n in range(6)]
    pages[0].save(tmp_path / "long.pdf", save_all=True, append_images=pages[1:], resolution=150)

    choose(page, tmp_path / "long.pdf")
    last = card(page, "long-p06.png")
    expect(last).to_be_visible()
    act(last, "Cancel")

    expect(last).to_have_count(0)
    expect_ready(page, 5)


def test_the_page_responds_while_photographs_are_converted(page: Page, tmp_path: Path) -> None:
    photograph = noisy(4000, 3000)
    first = jpeg(tmp_path / "0.jpg", page=photograph)
    files = [scan(tmp_path, f"{n}.jpg", first.read_bytes()) for n in range(4)]
    page.evaluate(
        """() => {
            window.tasks_ms = [];
            const note = (list) => tasks_ms.push(...list.getEntries().map((task) => task.duration));
            new PerformanceObserver(note).observe({ type: "longtask" });
        }"""
    )

    choose(page, *files)
    expect_ready(page, 4)

    tasks_ms = page.evaluate("tasks_ms")
    print(f"tasks over 50 ms while 4 photographs of 12 megapixels were converted: {tasks_ms}")
    assert_within(max(tasks_ms, default=0) / 1000, LONGEST_TASK_S)


def test_the_content_security_policy_forbids_webassembly(page: Page) -> None:
    """So no conversion depends on it; the policy would have to allow it."""
    refused = page.evaluate(
        """async () => {
            const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
            return WebAssembly.compile(empty).then(() => "compiled", ({ name }) => name);
        }"""
    )

    assert refused == "CompileError"


def test_phones_offer_the_camera_and_every_format(browser: Browser, url: str) -> None:
    with visit(
        browser, url, has_touch=True, is_mobile=True, viewport={"width": 360, "height": 700}
    ) as page:
        take = page.get_by_label("Take photos")
        expect(take.locator("..")).to_be_visible()
        expect(take).to_have_attribute("capture", "environment")
        accepted = page.locator("#upload input[name=image]").get_attribute("accept")
        assert accepted
        assert {"image/jpeg", "image/tiff", "application/pdf"} <= set(accepted.split(","))
        # If HEIC were in the list, an iPhone would send HEIC instead of JPEG.
        assert "heic" not in accepted
        check_page(page, "phone")
    with visit(browser, url) as page:
        expect(page.get_by_label("Take photos").locator("..")).to_be_hidden()
    with visit(browser, url, java_script_enabled=False) as page:
        expect(page.locator("#upload input[name=image]")).to_have_attribute("accept", "image/png")
        expect(page.get_by_text(re.compile("this browser converts them to PNG"))).to_be_hidden()
