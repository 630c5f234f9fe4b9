"""The log on a terminal: what a person sees of a pipeline at work, and of one that is cut off."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from app.observability import logs, terminal
from testkit.root import ROOT

logger = logs.get_logger("app.test")
HERE = "http://127.0.0.1:4566"


@pytest.fixture(autouse=True)
def _nothing_is_bound() -> Iterator[None]:
    logs.begin()
    yield
    logs.begin()


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture) -> Terminal:
    caplog.set_level(logging.INFO)
    return Terminal(caplog)


class Terminal:
    """The lines that a terminal shows of what was logged, without the time of day."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def lines(self) -> list[str]:
        quiet, formatter = terminal.Quiet(), logs.formatter(logs.TEXT, is_short=True)
        lines = [formatter.format(r) for r in self._caplog.records if quiet.filter(r)]
        assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
        return [line[9:] for line in lines]


def answer(method: str, path: str, status: int, route: str = "", **more: object) -> None:
    facts = {"route": route or path, "duration_ms": 15.4, "bytes": 9, "request_id": "r"}
    logger.info("request answered", method=method, path=path, status=status, **facts, **more)


def test_a_request_is_a_line_of_a_few_words(shown: Terminal) -> None:
    answer("POST", "/upload", 202)
    answer("GET", "/images/1/processed", 200, "/images/<uuid:image_id>/processed")
    answer("POST", "/upload", 415, code="not-a-png")

    assert shown.lines == [
        "POST /upload 202 15 ms",
        "GET /images/1/processed 200 15 ms",
        "POST /upload 415 not-a-png 15 ms",
    ]


def test_routine_requests_of_a_browser_are_shown_only_if_they_fail(shown: Terminal) -> None:
    polls = ("/images/1", "/images/<uuid:image_id>")
    for status in (200, 304, 404):
        answer("GET", *polls[:1], status, polls[1])
    answer("DELETE", polls[0], 204, polls[1])
    for path in ("/static/shared/style.css", "/favicon.ico", "/sw.js"):
        answer("GET", path, 200)

    assert shown.lines == ["GET /images/1 404 15 ms", "DELETE /images/1 204 15 ms"]


def test_an_image_is_a_line_with_its_id_and_without_ids_of_machines(shown: Terminal) -> None:
    with logs.bound(image_id="i-1", request_id="r-1", trace_id="t-1", message_id="m-1"):
        logger.info("image processed", image_method="auto", duration_ms=101)
        logger.error("image failed", code="corrupt-png", detail="It breaks off.")

    assert shown.lines == [
        "image processed duration_ms=101 i-1",
        "ERROR image failed code=corrupt-png detail=It breaks off. i-1",
    ]


def poll(endpoint: str = HERE, times: int = 1) -> None:
    for _ in range(times):
        logger.warning("polling failed", delay_s=1, reason="q: nobody listens", endpoint=endpoint)


def check(*whats: str, endpoint: str = HERE, reason: str = "nobody listens") -> None:
    for what in whats:
        logger.warning("unhealthy", of=what, reason=reason, endpoint=endpoint)


def recover(*whats: str, endpoint: str = HERE) -> None:
    for what in whats:
        logger.info("healthy again", after=what, endpoint=endpoint)


def test_an_outage_is_one_line_at_its_begin_and_one_at_its_end(shown: Terminal) -> None:
    poll(times=3)
    check("queue", "dead letters", "bucket")
    logger.error("S3 or SQS is down; nothing is received until they answer")
    logger.warning("message will be retried", delay_s=1, reason="bucket: nobody listens")
    logger.error("request failed", code="storage-unavailable", detail="Storage is away")
    poll(times=50)
    logger.warning("S3 or SQS is still down", reason="q")
    logger.warning("S3 and SQS are back")
    logger.info("polling works again", endpoint=HERE)
    recover("bucket", "queue", "dead letters")
    answer("POST", "/upload", 202)

    assert shown.lines == [
        f"WARNING polling failed: {HERE}: q: nobody listens",
        f"healthy again: {HERE}",
        "POST /upload 202 15 ms",
    ]


def test_a_worker_without_its_queue_is_not_reported_as_another_fault(
    shown: Terminal,
) -> None:
    check("queue")
    logger.warning("unhealthy", of="The worker.", reason="The queue has not answered it.")
    logger.info("healthy again", after="The worker.")
    recover("queue")
    logger.warning("unhealthy", of="The worker.", reason="2 images hang in it.")

    assert shown.lines == [
        f"WARNING unhealthy: {HERE}: nobody listens",
        f"healthy again: {HERE}",
        "WARNING unhealthy: The worker.: 2 images hang in it.",
    ]


def test_a_second_outage_is_shown_like_the_first(shown: Terminal) -> None:
    for _ in range(2):
        check("queue")
        recover("queue")

    assert (
        shown.lines
        == [
            f"WARNING unhealthy: {HERE}: nobody listens",
            f"healthy again: {HERE}",
        ]
        * 2
    )


def test_outages_of_two_endpoints_are_shown_separately(shown: Terminal) -> None:
    check("queue", endpoint="https://sqs")
    check("bucket", endpoint="https://s3")
    recover("queue", endpoint="https://sqs")

    assert shown.lines == [
        "WARNING unhealthy: https://sqs: nobody listens",
        "WARNING unhealthy: https://s3: nobody listens",
        "healthy again: https://sqs",
    ]


def test_a_new_reason_is_shown_during_an_outage(shown: Terminal) -> None:
    check("queue", "bucket")
    check("queue", "bucket", reason="AWS denies access")

    assert [line.rpartition(": ")[2] for line in shown.lines] == [
        "nobody listens",
        "AWS denies access",
    ]


def test_without_an_outage_a_retry_is_shown(shown: Terminal) -> None:
    logger.warning("message will be retried", delay_s=1, reason="a reason")

    assert shown.lines == ["WARNING message will be retried delay_s=1 reason=a reason"]


def test_lines_of_libraries_are_shown_and_tracebacks_are_marked(
    shown: Terminal,
) -> None:
    logging.getLogger("library").warning("two\nlines \x1b[2J")
    try:
        raise ValueError("12:00:00 image processed")
    except ValueError:
        logger.exception("internal error")

    first, second = shown.lines
    assert first == "WARNING two\\nlines \\x1b[2J"
    assert {line[:4] for line in second.splitlines()[1:]} == {"  | "}


def test_every_event_that_a_terminal_treats_differently_exists() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    known = {terminal.ANSWERED} | terminal.DOWN | terminal.UP | terminal.CONSEQUENCES

    # Once in terminal.py, and once where it is logged.
    assert [event for event in known if sources.count(f'"{event}"') < 2] == []
