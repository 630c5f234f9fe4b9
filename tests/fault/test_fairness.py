"""One client sends an endless group, nine send single images, to one web process and one worker."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3

from app.access.tokens import hash_token
from app.settings import Settings
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.processes.fleet import role, wait_until_empty
from testkit.timing.waiting import assert_within, is_alive, wait_until

GREEDY, OTHERS = "greedy", [f"client-{number}" for number in range(9)]
ROUNDS = 3


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    tokens = ",".join(f"{name}:{hash_token(name)}" for name in [GREEDY, *OTHERS])
    limits = {"max_group_depth": 20, "max_owner_depth": 60, "max_queue_depth": 60}
    changed = {"port": free_port(), "api_tokens": tokens, "rate_limit": "none", **limits}
    return fault_settings.model_copy(update=changed)


def upload(
    settings: Settings, name: str, *, wait_s: int = 0, **fields: str
) -> urllib3.BaseHTTPResponse:
    headers = {"Authorization": f"Bearer {name}"}
    if wait_s:
        headers["Prefer"] = f"wait={wait_s}"
    form = {"image": ("page.png", page_png(), "image/png"), **fields}
    url = f"http://127.0.0.1:{settings.port}/upload"
    return http_request("POST", url, fields=form, headers=headers, retries=False)


@contextmanager
def sending_a_book(settings: Settings) -> Iterator[Counter[str]]:
    """A client that sends the pages of one group as fast as allowed; yields counts of responses."""
    answers: Counter[str] = Counter()
    is_over = threading.Event()

    def send() -> None:
        while not is_over.is_set():
            answer = upload(settings, GREEDY, group="book")
            answers["accepted" if answer.status == 202 else answer.json()["code"]] += 1
            if answer.status != 202:
                is_over.wait(0.2)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield answers
    finally:
        is_over.set()
        thread.join()


def latencies_s(settings: Settings) -> list[float]:
    """The time from upload to result of each image of the other clients."""
    found = []
    for name in OTHERS * ROUNDS:
        began_at = time.monotonic()
        answer = upload(settings, name, wait_s=30)
        found.append(time.monotonic() - began_at)
        assert answer.status == 201, (name, answer.status, answer.data)
    return found


def test_the_group_of_one_client_neither_refuses_nor_delays_others(settings: Settings) -> None:
    with role("web", settings), role("worker", settings):
        wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))
        upload(settings, OTHERS[0], wait_s=30)  # returns once the worker has started
        alone = latencies_s(settings)
        with sending_a_book(settings) as answers:
            wait_until(lambda: answers["group-full"] > 0, within_s=60)
            beside = latencies_s(settings)
        wait_until_empty(settings)

    print(f"\nthe book's uploads: {dict(answers)}")
    for what, found in (("alone", alone), ("beside a full group", beside)):
        p95 = statistics.quantiles(found, n=20)[-1]
        print(f"{what}: median {statistics.median(found):.2f} s, p95 {p95:.2f} s")
    assert answers.keys() == {"accepted", "group-full"}
    # A wait behind the whole backlog would take several seconds; 1 s allows for a busy machine.
    assert_within(statistics.median(beside), statistics.median(alone) + 1)
