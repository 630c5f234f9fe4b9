"""The page while a part of the pipeline is down, and after it is up again."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from app.aws import clients as aws
from app.settings import Settings
from testkit.aws.fault_proxy import FaultProxy, LoseAnswer, Rule
from testkit.browser.browsing import (
    SAMPLE,
    act,
    check_page,
    choose,
    expect_state,
    scan,
    try_now,
    visit,
)
from testkit.processes.fleet import role
from testkit.timing.waiting import is_alive, wait_until


def test_an_image_stays_in_the_queue_until_a_worker_runs(
    browser: Browser, own_settings: Settings
) -> None:
    with role("web", own_settings):
        url = address(own_settings)
        with visit(browser, url) as page:
            choose(page, SAMPLE)
            # The page shows the time in the queue, and no invented percentage.
            expect_state(page, "image.png", re.compile(r"In the queue · \d"))
            check_page(page, "queued")
            with role("worker", own_settings):
                expect_state(page, "image.png", "Ready")


def test_a_restart_of_the_api_is_reported_and_the_image_becomes_ready_after_it(
    browser: Browser, own_settings: Settings
) -> None:
    with (
        role("web", own_settings) as web,
        visit(browser, address(own_settings), outage=True) as page,
    ):
        choose(page, SAMPLE)
        expect_state(page, "image.png", "In the queue")
        web.kill()
        lost = expect_state(page, "image.png", "Connection lost, will look again")
        check_page(page, "lost")
        with role("all", own_settings):
            address(own_settings)
            act(lost, "Try now")
            expect_state(page, "image.png", "Ready")


def test_an_upload_during_an_outage_is_sent_when_the_api_is_back(
    browser: Browser, own_settings: Settings
) -> None:
    with (
        role("web", own_settings) as web,
        visit(browser, address(own_settings), outage=True) as page,
    ):
        web.kill()
        choose(page, SAMPLE)
        lost = expect_state(page, "image.png", "Connection lost, will send again")
        expect(lost.get_by_role("button", name="Try now", exact=True)).to_be_visible()
        with role("all", own_settings):
            address(own_settings)
            try_now(lost)
            expect_state(page, "image.png", "Ready")


def test_the_next_upload_starts_when_one_is_cancelled(
    browser: Browser, own_settings: Settings, tmp_path: Path
) -> None:
    scans = [scan(tmp_path, f"scan {n}.png") for n in range(4)]
    with (
        role("web", own_settings) as web,
        visit(browser, address(own_settings), outage=True) as page,
    ):
        web.kill()
        choose(page, *scans)
        expect_state(page, "scan 2.png", "Connection lost")
        last = expect_state(page, "scan 3.png", "Waiting for its turn")
        act(expect_state(page, "scan 0.png", "Connection lost"), "Cancel")

        expect(last.locator(".state")).not_to_contain_text("Waiting for its turn")
        expect(page.locator("#cards > li")).to_have_count(3)


def test_an_upload_whose_response_is_lost_is_repeated_and_makes_one_image(
    browser: Browser, own_settings: Settings
) -> None:
    with role("all", own_settings), FaultProxy(address(own_settings)) as proxy:
        with visit(browser, proxy.url, outage=True) as page:
            proxy.rules = [Rule(LoseAnswer(), path_contains="/upload", last=2)]
            choose(page, SAMPLE)
            expect_state(page, "image.png", "Ready")
        assert proxy.rules[0].matched == 3
    s3 = aws.s3_client(own_settings)
    assert s3.list_objects_v2(Bucket=own_settings.input_bucket)["KeyCount"] == 1


def test_an_upload_over_the_rate_limit_is_sent_again_later(
    browser: Browser, own_settings: Settings
) -> None:
    limited = own_settings.model_copy(update={"rate_limit": "1/second"})
    with role("all", limited), visit(browser, address(limited), outage=True) as page:
        choose(page, SAMPLE, SAMPLE.parent / "static" / "methods" / "auto.png")
        held = page.locator("#cards > [data-state=held]")
        expect(held).to_contain_text("Too many uploads in a short time.")
        expect(page.locator("#cards > [data-state=processed]")).to_have_count(2, timeout=20_000)


def address(settings: Settings) -> str:
    """The URL of the server, once it responds."""
    url = f"http://127.0.0.1:{settings.port}"
    wait_until(lambda: is_alive(url))
    return url
