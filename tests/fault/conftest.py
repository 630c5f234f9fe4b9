"""New buckets and queues for each test, with the attributes that the pipeline gives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.settings import Settings
from testkit.aws.fault_proxy import FaultProxy
from tests.conftest import provisioned


@pytest.fixture
def fault_settings(endpoint: str) -> Settings:
    return provisioned(endpoint)


@pytest.fixture
def proxy(settings: Settings) -> Iterator[FaultProxy]:
    with FaultProxy(settings.aws_endpoint_url) as proxy:
        yield proxy
