#!/usr/bin/env python3
"""Take the screenshots in docs/images/ of a running service, in Debian's Chromium.

With requirements/dev.txt and ./start_app.sh running: python -m scripts.generate.draw_page [URL]
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, expect, sync_playwright

from scripts import usage
from testkit.images.desks import Scene, scenes

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = ROOT / "docs" / "images"
SAMPLE: Final = ROOT / "image.png"
SIZE: Final = ViewportSize(width=1100, height=960)
PHONE: Final = ViewportSize(width=390, height=780)
WALK_SIZE: Final = ViewportSize(width=1100, height=720)
READY_MS: Final = 20_000
#: Enough for flat colours and gray pages; the files have a third of the bytes.
COLOURS: Final = 24
MOST_STEPS: Final = 60

#: Called after each step with a short caption, while the page shows the step.
Show = Callable[[str], None]


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        draw_fronts(chromium, url)
        draw_walk(chromium, url)
        draw_photo_walk(chromium, url)


def draw_fronts(browser: Browser, url: str) -> None:
    """Take screenshots of the page with two scans, one of them compared, in both languages."""
    scan = SAMPLE.read_bytes()
    for tag, letter in (("en", "letter"), ("pt-BR", "carta")):
        page = browser.new_page(viewport=SIZE, locale=tag)
        page.goto(url)
        names = [f"{letter}-{n}.png" for n in (1, 2)]
        scans = [FilePayload(name=name, mimeType="image/png", buffer=scan) for name in names]
        page.locator("#upload [name=image]").set_input_files(scans)
        ready = page.locator("#cards > [data-state=processed]")
        expect(ready).to_have_count(2, timeout=READY_MS)
        ready.first.locator("[data-act=compare]").click()
        page.locator(".viewer[data-laid]").wait_for()
        page.evaluate("scrollTo(0, 0)")
        save(page.screenshot(), f"page-{tag}.png")
        page.close()


def draw_walk(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport=WALK_SIZE, locale="en")
    page.goto(url)
    walk_by_keyboard(page, lambda name: save(page.screenshot(), f"keyboard-{name}.png"))
    page.close()


def walk_by_keyboard(page: Page, show: Show) -> None:
    """Process a scan and then improve its result, by keyboard alone."""
    # Set first: Playwright does not wait for the handler, so the first file chooser would open.
    page.on("filechooser", lambda _: None)
    _tab_to(page, "#upload [name=image]")
    show("1-choose")
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(SAMPLE)
    expect(page.locator("#cards .state")).to_contain_text("Ready", timeout=READY_MS)

    _tab_to(page, "[data-act=compare]")
    page.keyboard.press("Enter")
    page.locator(".viewer[data-laid]").wait_for()
    _tab_to(page, ".stage")
    show("2-compare")
    for key in ("1", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    show("3-zoom")

    _tab_to(page, "[data-act=again]", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open] [name=method]").first).to_be_visible(timeout=READY_MS)
    _tab_to(page, "dialog [name=method]:checked")
    while not page.evaluate("document.activeElement.value === 'sauvola'"):
        page.keyboard.press("ArrowDown")
    expect(page.locator("dialog .preview > p")).to_contain_text("Approximate", timeout=READY_MS)
    show("4-again")
    _tab_to(page, "dialog [value=go]")
    page.keyboard.press("Enter")
    expect(page.locator("h3").first).to_be_focused(timeout=READY_MS)
    expect(page.locator("#cards > [data-state=processed]")).to_have_count(2, timeout=READY_MS)
    expect(page.locator(".numbers").first).to_contain_text("Sauvola")
    _tab_to(page, "[data-act=save]")
    show("5-download")
    with page.expect_download():
        page.keyboard.press("Enter")


def draw_photo_walk(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport=PHONE, locale="pt-BR", has_touch=True)
    page.goto(url)
    walk_with_photos(page, lambda name: save(page.screenshot(), f"photos-{name}.png"))
    page.close()


def walk_with_photos(page: Page, show: Show) -> None:
    """Convert twenty photographs to one PDF, the first of them straightened."""
    photos = [_photo(number, scene) for number, scene in enumerate(scenes(5), 1)]
    more = [_renamed(photos[n % 5], f"foto-{n + 1:02}.jpg") for n in range(5, 20)]
    page.get_by_label("Endireitar e cortar cada foto").check()
    page.locator("#upload [name=image]").set_input_files([*photos, *more])
    dialog = page.get_by_role("dialog", name="Endireitar e cortar")
    propose = dialog.get_by_role("button", name="Usar a proposta")
    expect(propose).to_be_visible(timeout=READY_MS)
    show("1-straighten")
    propose.click()
    show("2-proposal")
    dialog.get_by_role("button", name="Endireitar e enviar").click()
    expect(dialog.locator("b")).to_have_text("foto-02.jpg", timeout=READY_MS)
    dialog.get_by_role("button", name="Esta e as próximas como estão").click()
    expect(page.locator("#cards > [data-state=processed]").nth(4)).to_be_visible(timeout=READY_MS)
    show("3-progress")
    ready = page.locator("#cards > [data-state=processed]")
    expect(ready).to_have_count(20, timeout=10 * READY_MS)
    page.get_by_role("button", name="Baixar um PDF").click()
    pdf = page.get_by_role("dialog", name="Um PDF com todas as páginas")
    pdf.get_by_role("button", name="Descer foto-01.jpg").click()
    pdf.get_by_role("button", name="Subir foto-01.jpg").click()
    show("4-one-pdf")
    with page.expect_download() as saved:
        pdf.get_by_role("button", name="Baixar PDF com 20 páginas").click()
    if saved.value.suggested_filename != "alvura.pdf":
        raise RuntimeError(saved.value.suggested_filename)


def _photo(number: int, scene: Scene) -> FilePayload:
    made = BytesIO()
    Image.fromarray(scene.pixels).save(made, "JPEG", quality=88)
    return FilePayload(name=f"foto-{number:02}.jpg", mimeType="image/jpeg", buffer=made.getvalue())


def _renamed(photo: FilePayload, name: str) -> FilePayload:
    return FilePayload(name=name, mimeType=photo["mimeType"], buffer=photo["buffer"])


def _tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    for _ in range(MOST_STEPS):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise RuntimeError(f"{selector} is not reached by {key}")


def save(png: bytes, name: str) -> None:
    picture = Image.open(BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(IMAGES / name, optimize=True)
    print(f"docs/images/{name}: {(IMAGES / name).stat().st_size} bytes")


if __name__ == "__main__":
    usage.check(__doc__, most=1)
    main()
