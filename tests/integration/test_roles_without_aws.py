"""The roles as processes while AWS refuses, hangs or is absent: they keep running, and log why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3

from app.settings import Settings
from testkit.aws.aws_errors import CASES, RefusingAws, refusing
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.processes.fleet import Role, role
from testkit.timing.waiting import assert_within, is_alive, wait_until

ROLES = ("all", "web", "worker")
#: Counted from the process's first response.
SAID_WITHIN_S = 8.0


@dataclass
class Running:
    name: str
    role: Role
    #: The URL of METRICS_PORT, where all three roles answer probes.
    url: str

    def ready(self) -> urllib3.BaseHTTPResponse:
        return http_request("GET", f"{self.url}/readyz", retries=False)

    def has_said(self, words: str) -> bool:
        return words in self.role.output

    def complaints(self, since: int = 0) -> list[str]:
        lines = self.role.output[since:].splitlines()
        return [line for line in lines if '"unhealthy"' in line]


@contextmanager
def roles(**settings: Any) -> Iterator[list[Running]]:
    """All three roles at the same time."""
    with ExitStack() as stack:
        running = []
        for name in ROLES:
            own = Settings(
                port=free_port(), metrics_port=free_port(), log_format="json", **settings
            )
            process = stack.enter_context(role(name, own))
            running.append(Running(name, process, f"http://127.0.0.1:{own.metrics_port}"))
        yield running


@pytest.fixture(scope="module")
def refused() -> Iterator[tuple[RefusingAws, str, list[Running]]]:
    with refusing() as (server, url), roles(aws_endpoint_url=url) as running:
        for each in running:
            wait_until(partial(is_alive, each.url))
        yield server, url, running


@pytest.mark.parametrize("name", CASES)
def test_each_role_logs_each_fault_and_hides_it_from_probes(
    refused: tuple[RefusingAws, str, list[Running]], name: str
) -> None:
    server, url, running = refused
    case = CASES[name]
    since = {each.name: len(each.role.output) for each in running}
    server.s3, server.sqs, server.clock_ahead_s = case.s3, case.sqs, case.clock_ahead_s

    for each in running:
        wait_until(partial(is_told, each, since[each.name], case.words))

        # On a busy machine the process may have no recent check of either yet.
        wait_until(partial(tells_which_does_not_answer, each))

        answer = each.ready()
        assert (answer.status, answer.json()["status"]) == (503, 503)
        assert url not in answer.data.decode()
        assert is_alive(each.url)
        assert url in "".join(each.complaints(since[each.name]))


def tells_which_does_not_answer(each: Running) -> bool:
    detail = each.ready().json()["detail"]
    return detail in ("Storage does not answer.", "The queue does not answer.")


def is_told(each: Running, since: int, words: tuple[str, ...]) -> bool:
    """Whether the process complains of the queue in these *words* after a readiness request."""
    said = [line for line in each.complaints(since) if "queue" in line]
    return each.ready().status == 503 and any(all(w in line for w in words) for line in said)


@pytest.mark.parametrize(
    ("endpoint", "unset", "words"),
    [
        ("http://127.0.0.1:9", (), "the connection was refused"),
        ("http://s3.invalid:4566", (), "the host of the endpoint is not known"),
        (None, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "there are no AWS credentials"),
    ],
)
def test_each_role_starts_and_logs_the_fault_within_seconds(
    endpoint: str | None,
    unset: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for variable in unset:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with roles(aws_endpoint_url=endpoint) as running:
        for each in running:
            wait_until(partial(is_alive, each.url))
            began_at = time.monotonic()
            wait_until(partial(each.has_said, words))
            assert_within(time.monotonic() - began_at, SAID_WITHIN_S)
            assert each.has_said("AWS_ENDPOINT_URL is unset") == (endpoint is None)
            assert each.role.process.poll() is None


def test_a_silent_endpoint_is_logged_before_the_timeouts_end() -> None:
    with refusing() as (server, url):
        server.is_silent = True
        with roles(aws_endpoint_url=url) as running:
            for each in running:
                wait_until(partial(each.has_said, "no answer yet from S3 or SQS"))
                assert not each.has_said("did not answer in time")


def test_a_flood_of_readiness_requests_causes_no_more_aws_calls_than_the_monitors_pace() -> None:
    """The monitor checks at most every 1.8 s, with at most five calls, each tried three times."""
    with refusing() as (server, url):
        settings = Settings(aws_endpoint_url=url, port=free_port(), metrics_port=free_port())
        probe = f"http://127.0.0.1:{settings.metrics_port}"
        with role("web", settings):
            wait_until(partial(is_alive, probe))
            wait_until(lambda: http_request("GET", f"{probe}/readyz").status == 503)
            calls, times, began_at = server.calls, 0, time.monotonic()
            while time.monotonic() - began_at < 6:
                http_request("GET", f"{probe}/readyz")
                times += 1
            took_s = time.monotonic() - began_at
            api = http_request("GET", f"http://127.0.0.1:{settings.port}/readyz")

    assert times > 100

    assert server.calls - calls <= (took_s / 1.8 + 2) * 5 * 3
    assert api.status == 404
