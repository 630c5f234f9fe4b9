"""Drive the page in Chromium: choose files, read cards, check accessibility."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from testkit.png.scans import header, page_png, pixels, png
from testkit.root import ROOT

#: The folder for a screenshot of each state.
SCREENSHOTS = ROOT / ".local" / "screenshots"
READY_MS = 60_000
SAMPLE = ROOT / "image.png"
#: A PNG with valid chunks but too few rows, which only the worker detects.
SHORT = png(header(40, 30), pixels([b"\0" * 40] * 20))


@contextmanager
def visit(browser: Browser, url: str, *, outage: bool = False, **how: Any) -> Iterator[Page]:
    """A page in a new browser context; fails at the end if its console has errors.

    Violations of the content security policy are among the complaints. With *outage* the network
    may be as bad as the test makes it.
    """
    # Playwright sees no request that a service worker answers.
    usual = {"viewport": {"width": 1100, "height": 900}, "service_workers": "block"}
    context = browser.new_context(**usual | how)
    complaints: list[str] = []
    with closing(context):
        page = context.new_page()
        page.on("console", lambda message: note(complaints, message, outage))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        yield page
    assert complaints == []


@contextmanager
def closing(context: BrowserContext) -> Iterator[None]:
    try:
        yield
    finally:
        context.close()


def note(complaints: list[str], message: ConsoleMessage, outage: bool) -> None:
    # A refusal is no fault of the page, but Chromium reports both in the same way.
    is_network = message.text.startswith("Failed to load resource")
    is_answer = is_network and (outage or "status of 4" in message.text)
    is_ours = message.text.startswith("Service Worker registration blocked by Playwright")
    if message.type in ("error", "warning") and not is_answer and not is_ours:
        complaints.append(message.text)


def choose(page: Page, *files: Path) -> None:
    page.locator("#upload [name=image]").set_input_files(files)


def card(page: Page, name: str) -> Locator:
    return page.locator("#cards article").filter(
        has=page.get_by_role("heading", name=name, exact=True)
    )


def expect_state(page: Page, name: str, state: str | re.Pattern[str]) -> Locator:
    found = card(page, name)
    expect(found.locator(".state")).to_contain_text(state)
    return found


def send_sample(page: Page) -> Locator:
    """The card of image.png, with its result."""
    choose(page, SAMPLE)
    return expect_state(page, "image.png", "Ready")


def act(card: Locator, name: str) -> None:
    card.get_by_role("button", name=name, exact=True).click()


def try_now(card: Locator) -> None:
    """Click "Try now", unless the page has meanwhile tried again by itself."""
    with suppress(PlaywrightTimeoutError):
        card.get_by_role("button", name="Try now", exact=True).click(timeout=2_000)


def pick(place: Page | Locator, method: str) -> None:
    place.locator(f"[name=method][value={method}]").check()


def scan(folder: Path, name: str, content: bytes | None = None) -> Path:
    path = folder / name
    path.write_bytes(page_png() if content is None else content)
    return path


def check_page(page: Page, name: str, *, is_zoomed: bool = False) -> None:
    """Check accessibility with axe, contrasts in both themes; saves screenshots.

    The themes differ in colours only. With *is_zoomed* a contrast that axe cannot determine
    passes: axe ignores that the frame of an enlarged picture clips it, and assumes that the
    picture lies behind the texts around.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    _check(page, name, {"rules": {"color-contrast": {"enabled": False}}})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        with modal_alone(page):
            found = _check(page, f"{name}, {scheme}", {"runOnly": ["color-contrast"]})
        unsure = [] if is_zoomed else undecided(found)
        assert unsure == [], f"{name}, {scheme}: {unsure}"
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


def _check(page: Page, name: str, options: dict[str, Any]) -> dict[str, Any]:
    found = Axe().run(page, options=options)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    return found.response


SHOW_ALONE = """is_alone => {
  const modal = document.querySelector("dialog:modal");
  if (!modal) return;
  document.body.style.visibility = is_alone ? "hidden" : "";
  modal.style.visibility = is_alone ? "visible" : "";
}"""


@contextmanager
def modal_alone(page: Page) -> Iterator[None]:
    """Hide what lies behind a modal dialog, if one is open.

    axe does not know the top layer, and takes what lies behind for overlapping. Which texts it
    would complain about depends on the heights of the lines, thus on the fonts of the machine.
    """
    page.evaluate(SHOW_ALONE, True)
    yield
    page.evaluate(SHOW_ALONE, False)


#: Contrasts that axe need not determine: of signs, which are recognised by their shape and the
#: words beside them, and of texts in drawings and under the edge of a scrolling area.
SIGNS = {"nonBmp", "shortTextContent", "imgNode", "elmPartiallyObscured"}


def undecided(found: dict[str, Any]) -> list[str]:
    """The texts whose contrast axe could not determine, with the reason."""
    nodes = [
        node
        for rule in found["incomplete"]
        if rule["id"] == "color-contrast"
        for node in rule["nodes"]
    ]
    reasons = [(node["any"][0]["data"]["messageKey"], node["html"]) for node in nodes]
    return [f"{reason}: {html}" for reason, html in reasons if reason not in SIGNS]
