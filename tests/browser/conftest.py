"""One Chromium and one pipeline for the folder; tests of outages start their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.settings import Settings
from testkit.browser.browsing import READY_MS, visit
from testkit.processes.fleet import role
from testkit.timing.waiting import is_ready, wait_until
from tests.conftest import provisioned


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing; ./run_tests.sh installs it"
    expect.set_options(timeout=READY_MS)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=flags)


@pytest.fixture(scope="package")
def url(endpoint: str) -> Iterator[str]:
    settings = provisioned(endpoint, max_upload_bytes=2_000_000)
    url = f"http://127.0.0.1:{settings.port}"
    with role("all", settings):
        wait_until(lambda: is_ready(url), within_s=120)
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with visit(browser, url) as page:
        yield page


@pytest.fixture
def own_settings(endpoint: str) -> Settings:
    """Settings for roles that a test starts and stops itself."""
    return provisioned(endpoint)
