"""The state of the service: the line in the header, and the page /status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from testkit.browser.browsing import check_page, send_sample, visit

SERVICE = {"status": "up", "queue": {"waiting": 11, "held": 1}}
#: An earlier test's image may still be in progress.
UP = re.compile(r"^The service is up( · \d+ images? waiting)?$")


@contextmanager
def visit_with(browser: Browser, url: str, service: dict[str, Any] | None) -> Iterator[Page]:
    """A visit while the response of `/service` is *service*, or 404 for None."""

    def fulfil(route: Route) -> None:
        if service is None:
            route.fulfill(status=404, body="{}")
        else:
            route.fulfill(content_type="application/json", body=json.dumps(service))

    with visit(browser, "about:blank") as page:
        page.route("**/service", fulfil)
        page.goto(url)
        yield page


def test_the_line_shows_whether_the_service_is_up_and_how_many_images_wait(
    browser: Browser, url: str
) -> None:
    with visit_with(browser, url, SERVICE) as page:
        expect(page.locator("#service")).to_have_text("The service is up · 12 images waiting")
        check_page(page, "service-up")


def test_line_and_page_show_the_state_of_the_running_service(page: Page) -> None:
    """Without a stub: the page asks the running pipeline."""
    send_sample(page)
    expect(page.locator("#service")).to_have_text(UP)

    page.goto(f"{page.url}status")

    expect(page.locator("#now")).to_have_text(UP)


def test_problems_are_shown_by_a_word_and_a_shape(browser: Browser, url: str) -> None:
    with visit_with(browser, url, SERVICE | {"status": "degraded", "queue": None}) as page:
        expect(page.locator("#service")).to_contain_text("The service is having problems")
        check_page(page, "service-degraded")


def test_an_unknown_state_hides_the_line(browser: Browser, url: str) -> None:
    with visit_with(browser, url, None) as page:
        expect(page.locator("#service")).to_be_hidden()
        page.goto(f"{url}/status")
        expect(page.locator("#now")).to_have_text("There are no figures yet.")
        check_page(page, "status-unknown")


def test_the_page_shows_the_text_of_the_line(browser: Browser, url: str) -> None:
    with visit_with(browser, f"{url}/status", SERVICE) as page:
        expect(page.locator("#now")).to_have_text("The service is up · 12 images waiting")
        check_page(page, "status")


def test_the_page_fits_a_small_screen(browser: Browser, url: str) -> None:
    with visit_with(browser, f"{url}/status", SERVICE) as page:
        page.set_viewport_size({"width": 320, "height": 640})
        expect(page.locator("#now")).to_be_visible()

        assert page.evaluate("document.documentElement.scrollWidth") == 320
        check_page(page, "status-narrow")
