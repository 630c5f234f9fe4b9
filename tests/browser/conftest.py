"""One Chromium and one pipeline for the folder; tests of outages start their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.browsing import visit
from testkit.ports import free_port
from testkit.processes import start_app
from testkit.root import ROOT


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing; ./run_tests.sh installs it"
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=flags)


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    with start_app(ROOT, MAX_UPLOAD_BYTES="2000000") as app:
        app.wait_until_ready(within_s=120)
        yield app.url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with visit(browser, url) as page:
        yield page


@pytest.fixture
def own_settings(aws_settings: Settings) -> Settings:
    """For roles that a test starts and stops itself."""
    settings = aws_settings.model_copy(update={"port": free_port()})
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings
