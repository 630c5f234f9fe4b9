"""A line of the log: its shape, what it carries, and what never gets into it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest

from app.observability import logs
from testkit.observability.logged import Event, events
from testkit.root import ROOT

logger = logs.get_logger("app.test")


@pytest.fixture(autouse=True)
def _nothing_is_bound() -> Iterator[None]:
    logs.begin()
    yield
    logs.begin()


def said(caplog: pytest.LogCaptureFixture) -> Event:
    (event,) = events(caplog)
    return event


# --- one event, one line -------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028"])
def test_no_line_of_text_can_be_forged_by_what_an_exception_quotes(
    end: str, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "2026-11-28T12:00:00.000000Z [info     ] image processed [app.worker]"
    try:
        try:
            raise KeyError(1)
        except KeyError:
            raise ValueError(f"no method {end}{forged}") from None
    except ValueError:
        logger.exception("internal error", stack_info=True)
        logging.getLogger("library").exception("error of a library")

    for record in caplog.records:
        first, *rest = logs.formatter(logs.TEXT).format(record).splitlines()
        assert "error" in first
        assert forged in "".join(rest)
        # structlog puts a line of "=" between a stack and an exception.
        assert {line[:4] for line in rest if line.strip("=")} == {"  | "}


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b2J", "a\u2028b", "a\rb", "\u202egnp"])
def test_no_line_of_text_contains_control_characters(
    evil: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger.warning("event", of=evil)
    logging.getLogger("library").warning(evil)

    lines = [logs.formatter(logs.TEXT).format(record) for record in caplog.records]

    assert [line for line in lines if not line.isprintable()] == []


def test_a_value_that_json_does_not_know_is_written_as_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger.warning("odd", of=ROOT, surrogate="\ud800")

    assert (said(caplog)["of"], said(caplog)["surrogate"]) == (str(ROOT), "\ud800")
    assert logs.formatter(logs.JSON).format(caplog.records[0]).isascii()


def test_events_below_the_level_are_not_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    logger.info("small talk")

    assert caplog.records == []


# --- what the lines of a piece of work carry -----------------------------------------------------


def test_bound_fields_are_in_every_line_of_their_thread_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logs.begin(request_id="r-1")
    other = threading.Thread(target=lambda: logger.warning("other"))
    other.start()
    other.join()
    with logs.bound(image_id="i-1"):
        logger.warning("inside")
    logger.warning("after")
    logs.begin(request_id="r-2")
    logger.warning("next")

    ids = [(e["event"], e.get("request_id"), e.get("image_id")) for e in events(caplog)]
    assert ids == [
        ("other", None, None),
        ("inside", "r-1", "i-1"),
        ("after", "r-1", None),
        ("next", "r-2", None),
    ]


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hush",
        "'Authorization': b'AWS4-HMAC-SHA256 Credential=hush, SignedHeaders=host, Signature=hush'",
        '{"authorization": "Basic hush"}',
        "bearer hush",
        "a token ipt_hush here",
        "x-amz-security-token:hush",
        "'X-Amz-Security-Token': b'hush'",
        "https://bucket/key?X-Amz-Credential=hush&X-Amz-Signature=hush&x=1",
        "AWS_SECRET_ACCESS_KEY=hush",
        "aws_session_token = hush",
        "IDEMPOTENCY_SECRET='hush'",
        "<SignatureProvided>hush</SignatureProvided><StringToSign>hush</StringToSign>",
        # As SQS quotes the request that it has got when its signature is wrong.
        "should have been 'POST\n/\n\nhost:sqs\nx-amz-security-token:hush\n\nhost'",
        "two lines\nipt_hush",
        repr("two lines\nipt_hush"),
        "token%3Dipt_hush",
        "headers\r\nAuthorization: hush",
        "headers\nBearer hush",
        "[('Authorization', 'Basic hush'), ('X-Amz-Security-Token', 'hush')]",
        "{'HTTP_AUTHORIZATION': 'Basic hush'}",
        "to=https%3A%2F%2Fbucket%2F%3FX-Amz-Security-Token%3Dhush%26X-Amz-Signature%3Dhush",
        "<SecretAccessKey>hush</SecretAccessKey><SessionToken>hush</SessionToken>",
    ],
)
@pytest.mark.parametrize("style", [logs.JSON, logs.TEXT])
def test_a_secret_is_hidden_anywhere_in_a_line(
    text: str, style: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("library").warning(text)
    logger.warning("event", field=text, nested={"inner": [text]})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logger.exception("event")

    lines = [logs.formatter(style).format(record) for record in caplog.records]

    assert len(lines) == 3
    assert [line for line in lines if "hush" in line or "[hidden]" not in line] == []
    if style == logs.JSON:
        assert all(json.loads(line)["event"] for line in lines)


@pytest.mark.parametrize("end", ["authorization:", "Authorization>", "secret_key", "signature="])
def test_a_line_stays_json_where_a_value_ends_like_the_name_of_a_secret(
    end: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger.warning(end, field=end, nested={"inner": [end]}, last=end)

    event = said(caplog)

    assert (event["event"], event["field"], event["last"]) == (end, end, end)
    assert event["nested"] == {"inner": [end]}


@pytest.mark.parametrize(
    "text",
    ["no-secret", "the signature is wrong", "the bearer", "script_name", "authorization, too"],
)
def test_text_that_is_no_secret_is_unchanged(text: str, caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("event", field=text)

    assert said(caplog)["field"].startswith(text[:10])


def test_a_library_that_repeats_itself_is_written_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("app.observability.logs.time.monotonic", lambda: clock[0])
    seldom = logs._OnceAMinute()
    complaint = logging.makeLogRecord({"name": "opentelemetry.exporter", "msg": "away"})
    ours = logging.makeLogRecord({"name": "app.worker", "msg": "away"})

    passed = []
    for clock[0] in (1000.0, 1030.0, 1059.0, 1061.0):
        passed.append((seldom.filter(complaint), seldom.filter(ours)))

    assert passed == [(True, True), (False, True), (False, True), (True, True)]
