"""Resources of its own for each test, with the attributes that the pipeline gives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.fault_proxy import FaultProxy


@pytest.fixture
def fault_settings(aws_settings: Settings) -> Settings:
    ensure_resources(aws_settings, s3=aws.s3_client(aws_settings), sqs=aws.sqs_client(aws_settings))
    return aws_settings


@pytest.fixture
def proxy(settings: Settings) -> Iterator[FaultProxy]:
    with FaultProxy(settings.aws_endpoint_url) as proxy:
        yield proxy
