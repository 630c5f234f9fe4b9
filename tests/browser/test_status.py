"""How the service is doing: the line in the header, and the plots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browsing import READY_MS, judge, send_sample, visit
from tests.support.waiting import wait_until


def samples(count: int) -> list[dict[str, Any]]:
    """A quiet quarter of an hour, a wave, and a gap in what is known."""
    began = datetime(2026, 11, 24, 12, tzinfo=UTC)
    found = []
    for n in range(count):
        wave = max(0, 8 - abs(n - 120) // 5)
        known = not 60 <= n < 70
        found.append(
            {
                "at": (began + timedelta(seconds=10 * n)).isoformat(),
                "uploads": wave,
                "processed": wave,
                "failed": int(n % 50 == 0),
                "waiting": 3 * wave if known else None,
                "p50_s": 0.2 + wave / 10 if wave else None,
                "p95_s": 0.4 + wave / 4 if wave else None,
            }
        )
    return found


SERVICE = {
    "status": "up",
    "queue": {"waiting": 11, "held": 1},
    "wait_s": 0.4,
    "interval_s": 10,
    "samples": samples(180),
}


@contextmanager
def visit_with(browser: Browser, url: str, service: dict[str, Any] | None) -> Iterator[Page]:
    """A visit while `/service` says *service*, or is not there."""

    def fulfil(route: Route) -> None:
        if service is None:
            route.fulfill(status=404, body="{}")
        else:
            route.fulfill(content_type="application/json", body=json.dumps(service))

    with visit(browser, "about:blank") as page:
        page.route("**/service", fulfil)
        page.goto(url)
        yield page


def test_the_line_says_whether_it_is_up_how_many_wait_and_how_long(
    browser: Browser, url: str
) -> None:
    with visit_with(browser, url, SERVICE) as page:
        expect(page.locator("#service")).to_have_text(
            "The service is up · 12 images waiting · about 400 ms per image"
        )
        judge(page, "service-up")


def test_the_service_itself_says_how_it_is_and_the_plots_draw_it(page: Page) -> None:
    """With nothing between the page and the running pipeline."""
    send_sample(page)
    strip = page.locator("#service")
    words = re.compile(r"^The service is up · about [\d.]+\s\w+ per image$")
    expect(strip).to_have_text(words, timeout=READY_MS)

    page.goto(f"{page.url}status")

    # The first interval has to be over before there is anything to draw.
    expect(page.get_by_role("img")).to_have_count(3, timeout=READY_MS)


def test_trouble_is_told_by_word_and_shape(browser: Browser, url: str) -> None:
    with visit_with(browser, url, SERVICE | {"status": "degraded", "queue": None}) as page:
        expect(page.locator("#service")).to_contain_text("The service is having problems")
        judge(page, "service-degraded")


def test_where_nothing_is_known_nothing_is_said(browser: Browser, url: str) -> None:
    with visit_with(browser, url, None) as page:
        expect(page.locator("#service")).to_be_hidden()
        page.goto(f"{url}/status")
        expect(page.locator("#now")).to_have_text("There are no figures yet.")
        judge(page, "status-unknown")


def test_the_plots_show_rate_latency_and_queue_and_say_them_in_words(
    browser: Browser, url: str
) -> None:
    with visit_with(browser, f"{url}/status", SERVICE) as page:
        pictures = page.get_by_role("img")
        expect(pictures).to_have_count(3)
        rate, latency, queue = (str(pictures.nth(n).get_attribute("aria-label")) for n in range(3))

        assert rate.startswith("Images a minute. processed: between 0 and 48, last 0.")
        assert "half of them within: between 0.3 and 1" in latency
        assert queue.endswith("waiting: between 0 and 24, last 0.")
        judge(page, "status")


def test_a_line_breaks_off_where_nothing_is_known(browser: Browser, url: str) -> None:
    with visit_with(browser, f"{url}/status", SERVICE) as page:
        expect(page.get_by_role("img")).to_have_count(3)
        queue = page.locator(".plot").nth(2).locator("path").get_attribute("d")

        assert str(queue).count("M") == 2


def test_the_plots_are_tables_too(browser: Browser, url: str) -> None:
    with visit_with(browser, f"{url}/status", SERVICE) as page:
        queue = page.locator(".plot").nth(2)
        queue.get_by_text("As a table").click()

        expect(queue.locator("tbody tr")).to_have_count(180)
        expect(queue.locator("tbody tr").nth(180 - 61)).to_contain_text("\N{EN DASH}")
        judge(page, "status-table")


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (0.03, 0.05), (1, 1), (7, 10), (48, 50), (101, 200)]
)
def test_an_axis_ends_at_a_round_number(page: Page, most: float, top: float) -> None:
    page.goto(f"{page.url}status")

    found = page.evaluate("async (most) => (await import('/static/plots.js')).ceiling(most)", most)

    assert found == pytest.approx(top)


def test_the_plots_fit_a_small_screen(browser: Browser, url: str) -> None:
    with visit_with(browser, f"{url}/status", SERVICE) as page:
        page.set_viewport_size({"width": 320, "height": 640})
        expect(page.get_by_role("img")).to_have_count(3)
        first = page.get_by_role("img").first
        wait_until(lambda: first.evaluate("svg => svg.viewBox.baseVal.width < 300"))

        assert page.evaluate("document.documentElement.scrollWidth") == 320
        judge(page, "status-narrow")
