"""Accessibility of the page: two languages, keyboard, screen reader, small screens; and tokens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FileChooser, Page, expect

from app.access.tokens import hash_token
from app.settings import Settings
from scripts.generate.draw_page import walk_by_keyboard
from testkit.browser.browsing import (
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
from testkit.processes.fleet import role
from testkit.timing.waiting import wait_until
from tests.browser.test_outages import address

# --- languages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "tag", "heading"),
    [
        ("pt-PT", "pt-BR", "Entra digitalização, sai página em preto e branco"),
        ("en-GB", "en", "Scans in, clean black and white out"),
        ("ja", "pt-BR", "Entra digitalização, sai página em preto e branco"),
    ],
)
def test_the_page_is_in_the_language_of_the_browser(
    browser: Browser, url: str, locale: str, tag: str, heading: str
) -> None:
    with visit(browser, url, locale=locale) as page:
        expect(page.locator("html")).to_have_attribute("lang", tag)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_a_chosen_language_is_remembered(browser: Browser, url: str) -> None:
    with visit(browser, url, locale="en-US") as page:
        assert page.context.cookies() == []
        page.get_by_role("link", name="Português").click()
        expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
        page.goto(url)
        expect(page.locator("html")).to_have_attribute("lang", "pt-BR")

        (cookie,) = page.context.cookies()
        assert (cookie["name"], cookie["value"], cookie["sameSite"]) == ("lang", "pt-BR", "Lax")


def test_texts_and_numbers_follow_the_language(browser: Browser, url: str, tmp_path: Path) -> None:
    with visit(browser, url, locale="pt-BR") as page:
        expect(page.get_by_text("até 2 MB, 40 megapixels e 20.000 pixels")).to_be_visible()

        choose(page, SAMPLE, scan(tmp_path, "carta.png", b"Prezada senhora"))

        sent = expect_state(page, "image.png", "Pronta")
        expect(sent.locator(".numbers")).to_contain_text("1,1 MB → ")
        expect(sent.locator(".numbers")).to_contain_text("expira em ")
        refused = expect_state(page, "carta.png", "Recusada")
        expect(refused).to_contain_text("Isto não é uma imagem que o serviço aceite.")
        check_page(page, "portuguese")


# --- keyboard and screen reader ------------------------------------------------------------------


def press_until(page: Page, key: str, selector: str, most: int = 40) -> None:
    """Press *key* until an element that matches *selector* has the focus; fails after *most*."""
    for _ in range(most):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{selector} is not reached by {key}")


def test_an_image_is_sent_compared_and_deleted_by_keyboard_alone(page: Page) -> None:
    # Listen from the start: Playwright would miss a dialog that opens before it listens.
    choosers: list[FileChooser] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    press_until(page, "Tab", "#upload [type=file]")
    page.keyboard.press("Enter")
    wait_until(lambda: page.evaluate("true") and choosers)  # a call lets Playwright deliver events
    press_until(page, "Tab", "#upload summary")
    page.keyboard.press("Enter")
    press_until(page, "Tab", "[name=method]")
    page.keyboard.press("ArrowDown")
    choosers[0].set_files(SAMPLE)
    sent = expect_state(page, "image.png", "Ready")
    expect(sent.locator(".numbers")).to_contain_text("Otsu")

    press_until(page, "Tab", "[data-act=compare]")
    page.keyboard.press("Enter")
    press_until(page, "Tab", ".slide input")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".slide input")).to_have_value("51")
    press_until(page, "Shift+Tab", "[data-act=erase]")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect_state(page, "image.png", "Deleted")


def test_the_steps_that_the_docs_show_need_no_pointer(page: Page) -> None:
    """docs/page.md shows pictures of the steps; scripts/generate/draw_page.py takes them."""
    ratios: dict[str, str | None] = {}

    def look(name: str) -> None:
        shown = page.locator(".ratio").first
        ratios[name] = shown.text_content() if shown.is_visible() else None

    walk_by_keyboard(page, look)

    assert [name for name, ratio in ratios.items() if ratio is None] == ["1-choose"]
    assert ratios["3-zoom"] == "100%"


def test_the_focus_stays_on_its_element_while_images_are_added(page: Page) -> None:
    page.get_by_role("link", name="English").focus()

    send_sample(page)

    expect(page.get_by_role("link", name="English")).to_be_focused()


def test_one_change_is_announced_once_and_many_changes_in_one_sentence(page: Page) -> None:
    page.evaluate(
        """() => {
            window.said = [];
            const region = document.querySelector("#announcements");
            new MutationObserver(() => said.push(region.textContent))
                .observe(region, { childList: true });
        }"""
    )
    send_sample(page)
    wait_until(lambda: page.evaluate("said.length === 1"))
    assert page.evaluate("said") == ["image.png: Ready."]

    # At once, by the script itself: on a busy machine nine refusals do not come within 600 ms.
    page.evaluate(
        """async () => {
            const { announce } = await import("/static/shared/announce.js");
            for (let n = 1; n <= 9; n += 1) announce(`letter ${n}.png: Refused.`);
        }"""
    )
    wait_until(lambda: page.evaluate("said.length === 2"))

    expected = "9 images have changed. The last one: letter 9.png: Refused."
    assert page.evaluate("said[1]") == expected
    assert page.locator("[role=status], [role=alert], [aria-live]").count() == 1


def test_every_control_has_at_least_24_by_24_pixels(page: Page) -> None:
    """WCAG 2.2, success criterion 2.5.8; CSS pixels."""
    sent = send_sample(page)
    act(sent, "Compare")
    page.locator("#upload summary").click()

    small = page.evaluate(
        """[...document.querySelectorAll("a, button, select, input, summary")]
            .filter((node) => node.checkVisibility() && !node.matches(".skip"))
            .map((node) => [node.outerHTML.slice(0, 60), node.closest("label") ?? node])
            .map(([what, node]) => [what, node.getBoundingClientRect()])
            .filter(([, { width, height }]) => width < 24 || height < 24)
            .map(([what]) => what)"""
    )

    assert small == []


# --- screens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "width", "height"), [("narrow", 320, 640), ("magnified", 320, 256)]
)
def test_nothing_is_cut_off_on_a_small_screen_or_at_400_percent(
    browser: Browser, url: str, name: str, width: int, height: int
) -> None:
    """WCAG 2.2, success criterion 1.4.10: 1280 by 1024 pixels at 400 % are 320 by 256."""
    with visit(browser, url, viewport={"width": width, "height": height}) as page:
        sent = send_sample(page)
        act(sent, "Compare")
        page.locator("#upload summary").click()
        pick(page, "sauvola")
        check_page(page, name)

        assert page.evaluate("document.documentElement.scrollWidth") == width
        outside = page.evaluate(
            """[...document.querySelectorAll("main *, header *, footer *")]
                .filter((node) => node.checkVisibility() && !node.closest(".unseen, .stage, .drop"))
                .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
                .map((node) => node.outerHTML.slice(0, 80))"""
        )
        assert outside == []


def test_a_state_has_a_sign_and_a_word_in_forced_colors(browser: Browser, url: str) -> None:
    with visit(browser, url, forced_colors="active") as page:
        sent = send_sample(page)
        act(sent, "Compare")
        expect(sent.locator(".state")).to_have_text("✓Ready")
        check_page(page, "forced-colours")


# --- tokens --------------------------------------------------------------------------------------


def test_images_wait_until_a_valid_token_is_entered_and_are_hidden_when_it_is_forgotten(
    browser: Browser, own_settings: Settings
) -> None:
    guarded = own_settings.model_copy(update={"api_tokens": f"ana:{hash_token('ipt_one')}"})
    with role("all", guarded), visit(browser, address(guarded)) as page:
        choose(page, SAMPLE)
        held = expect_state(page, "image.png", "Waiting for a valid token")
        expect(held.locator("code")).to_have_text("unauthorized")
        check_page(page, "token")

        for wrong in ("ipt_mistyped", "café"):
            page.get_by_label("Access token").fill(wrong)
            page.get_by_role("button", name="Use it").click()
            expect(page.get_by_text("This token is not accepted.")).to_be_visible()
            expect(page.get_by_label("Access token")).to_be_focused()
            assert page.evaluate("sessionStorage.length") == 0
        expect_state(page, "image.png", "Waiting for a valid token")
        page.get_by_label("Access token").fill("ipt_one")
        page.get_by_role("button", name="Use it").click()

        sent = expect_state(page, "image.png", "Ready")
        thumb = sent.locator(".thumb img")
        expect(thumb).to_be_visible()
        expect(thumb).to_have_attribute("src", re.compile("^blob:"))
        with page.expect_download() as download:
            sent.get_by_role("link", name="Download").click()
        assert download.value.suggested_filename == "image-bw.png"
        act(sent, "Compare")
        expect(sent.locator(".sheet img")).to_have_count(2)
        assert page.evaluate("Object.keys({...localStorage})") == ["alvura.names", "alvura.images"]
        assert page.evaluate("localStorage['alvura.names']") == "{}"
        page.reload()
        expect(card(page, "image.png").locator(".state")).to_contain_text("Ready")

        page.get_by_role("button", name="Forget it").click()
        expect(page.locator("#cards")).to_contain_text("Waiting for a valid token")
        expect(page.locator("#cards")).not_to_contain_text("image.png")
