"""One Chromium and one pipeline for the folder; tests of outages start their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.browsing import visit
from testkit.fleet import role
from testkit.ports import free_port
from testkit.waiting import is_ready, wait_until
from tests.conftest import own_settings


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing; ./run_tests.sh installs it"
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=flags)


@pytest.fixture(scope="package")
def url(endpoint: str) -> Iterator[str]:
    with served(own_settings(endpoint).model_copy(update={"max_upload_bytes": 2_000_000})) as url:
        yield url


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Where a whole pipeline answers, with buckets and queues of its own."""
    settings = settings.model_copy(update={"port": free_port()})
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    url = f"http://127.0.0.1:{settings.port}"
    with role("all", settings):
        wait_until(lambda: is_ready(url), within_s=120)
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with visit(browser, url) as page:
        yield page


@pytest.fixture(name="own_settings")
def settings_of_its_own(aws_settings: Settings) -> Settings:
    """For roles that a test starts and stops itself."""
    settings = aws_settings.model_copy(update={"port": free_port()})
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings
