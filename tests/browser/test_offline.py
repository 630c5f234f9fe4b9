"""The page without a network: it opens from the cache, reports the outage, and caches no image."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from app.settings import Settings
from testkit.browser.browsing import (
    SAMPLE,
    act,
    card,
    check_page,
    choose,
    expect_state,
    try_now,
    visit,
)
from testkit.processes.fleet import role
from testkit.root import ROOT
from testkit.timing.waiting import wait_until
from tests.browser.test_outages import address

#: For the comparison, which the test opens; without the network it is not available.
LOADED_ON_DEMAND = {
    "/static/shared/dialogs.js",
    "/static/upload/compare.css",
    "/static/upload/compare.js",
    "/static/upload/stage.js",
}


def kept(page: Page) -> list[str]:
    """The paths in the browser's caches."""
    found: list[str] = page.evaluate(
        """async () => {
            const paths = [];
            for (const name of await caches.keys()) {
                for (const { url } of await (await caches.open(name)).keys()) {
                    paths.push(url.replace(location.origin, ""));
                }
            }
            return paths.sort();
        }"""
    )
    return found


def check_shell(page: Page, shell: list[str]) -> None:
    """Check that the browser keeps what the page needs to start, and nothing else."""
    loaded = page.evaluate(
        """performance.getEntriesByType("resource")
            .map(({ name }) => new URL(name).pathname)
            .filter((path) => /^[/]static[/]\\w+[/][\\w-]+[.](js|css)$/.test(path))"""
    )
    assert set(loaded) - set(shell) == LOADED_ON_DEMAND
    assert [path for path in shell if path != "/" and not path.startswith("/static/")] == []
    assert page.context.new_cdp_session(page).send("Page.getAppManifest")["errors"] == []


def test_the_page_opens_during_an_outage_and_sends_chosen_images_after_it(
    browser: Browser, own_settings: Settings
) -> None:
    url = f"http://127.0.0.1:{own_settings.port}"
    how = {"outage": True, "service_workers": "allow"}
    with role("all", own_settings) as service:
        address(own_settings)
        with visit(browser, url, **how) as page:
            choose(page, SAMPLE)
            sent = expect_state(page, "image.png", "Ready")
            act(sent, "Compare")
            expect(sent.locator(".sheet img")).to_have_count(2)
            page.evaluate("async () => { await navigator.serviceWorker.ready; }")
            shell = kept(page)
            check_shell(page, shell)

            service.kill()
            page.reload()
            expect(page.locator("#notice")).to_contain_text("The service cannot be reached.")
            expect(page.locator("#service")).to_have_text("The service cannot be reached")
            expect_state(page, "image.png", re.compile("Connection lost, will look again"))
            check_page(page, "offline")
            choose(page, ROOT / "static" / "methods" / "auto.png")
            expect_state(page, "auto.png", "Connection lost, will send again")

            with role("all", own_settings):
                address(own_settings)
                try_now(card(page, "auto.png"))
                expect_state(page, "auto.png", "Ready")
                expect(page.locator("#notice")).to_be_hidden(timeout=20_000)
                assert kept(page) == shell


def test_paths_that_an_earlier_release_cached_are_removed(browser: Browser, url: str) -> None:
    with visit(browser, url, service_workers="allow") as page:
        page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        shell = kept(page)
        page.evaluate(
            """async () => {
                await (await caches.open("alvura")).put("/static/page.js", new Response("old"));
                await (await navigator.serviceWorker.getRegistration()).unregister();
            }"""
        )
        assert "/static/page.js" in kept(page)

        page.reload()
        wait_until(lambda: kept(page) == shell)
