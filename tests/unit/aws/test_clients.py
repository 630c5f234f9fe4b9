"""The AWS clients name the program that calls."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from app.aws import clients
from app.observability.version import NAME, VERSION
from app.settings import Settings


def test_a_call_names_the_program_and_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's logs show it, and botocore need not assemble a text of its own for each call."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client: Any = clients.sqs_client(Settings(aws_endpoint_url="http://127.0.0.1:1"))
    sent = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request.headers["User-Agent"].decode())
        return AWSResponse(request.url, 200, {}, _Body())

    client.meta.events.register("before-send.sqs", answer)
    client.purge_queue(QueueUrl="http://127.0.0.1:1/queue")

    assert sent[0].startswith(f"{NAME}/{VERSION} Botocore/")


class _Body:
    """What an answer without a body reads as."""

    def stream(self) -> list[bytes]:
        return []
