"""A line of the log: its shape, what it carries, and what never gets into it."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from app.observability import logs
from testkit.logged import Event, events, parsed
from testkit.root import ROOT

logger = logs.get_logger("app.test")

#: Each says something in another way; the last two are what Python writes by itself.
PROGRAM = """
import logging, threading, warnings
from app.observability import logs

logs.configure("DEBUG", {style!r})
logger = logs.get_logger("app.test")
logs.begin(request_id="r-1")
logger.info("image queued", image_id="i-1", filename='a\\n{{"event": "forged"}}\\x1b[2J.png')
logging.getLogger("library").warning("two\\nlines of %s", "it")
logging.getLogger("botocore.auth").debug("StringToSign")
try:
    raise ValueError("of\\nours")
except ValueError:
    logger.exception("a fault of ours")
warnings.warn("old")
thread = threading.Thread(target=lambda: 1 / 0, name="poller")
thread.start()
thread.join()
raise KeyError("the end")
"""


@pytest.fixture(autouse=True)
def _nothing_is_bound() -> Iterator[None]:
    logs.begin()
    yield
    logs.begin()


def run(style: str | None) -> str:
    program = PROGRAM.format(style=style)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""
    return done.stderr


def said(caplog: pytest.LogCaptureFixture) -> Event:
    (event,) = events(caplog)
    return event


# --- one event, one line -------------------------------------------------------------------------


def test_away_from_a_terminal_all_that_is_said_is_one_json_object_a_line() -> None:
    found = parsed(run(None))

    assert [(e["level"], e["event"]) for e in found] == [
        ("info", "image queued"),
        ("warning", "two\nlines of it"),
        ("error", "a fault of ours"),
        ("warning", found[3]["event"]),
        ("critical", "an error ended a thread"),
        ("critical", "nobody caught an error"),
    ]
    assert "old" in found[3]["event"]
    assert found[0]["filename"] == 'a\n{"event": "forged"}\x1b[2J.png'
    assert "ValueError: of\nours" in found[2]["exception"]
    assert found[4]["thread"] == "poller"
    assert "KeyError: 'the end'" in found[5]["exception"]
    assert list(found[0])[:6] == ["time", "level", "event", "logger", "image_id", "request_id"]


def test_text_keeps_what_a_client_sent_within_its_line_and_harmless_to_a_terminal() -> None:
    text = run(logs.TEXT)

    first, second = text.splitlines()[:2]
    assert "[info     ] image queued" in first
    assert "image_id=i-1" in first
    assert "forged" in first
    assert "two\\nlines of it" in second
    assert "\x1b" not in text


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
        logger.exception("a fault of ours", stack_info=True)
        logging.getLogger("library").exception("a fault of theirs")

    for record in caplog.records:
        first, *rest = logs.formatter(logs.TEXT).format(record).splitlines()
        assert "a fault of" in first
        assert forged in "".join(rest)
        # structlog puts a line of "=" between a stack and an exception.
        assert {line[:4] for line in rest if line.strip("=")} == {"  | "}


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b2J", "a\u2028b", "a\rb", "\u202egnp"])
def test_nothing_in_a_line_of_text_is_obeyed_by_a_terminal(
    evil: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger.warning("event", of=evil)
    logging.getLogger("library").warning(evil)

    lines = [logs.formatter(logs.TEXT).format(record) for record in caplog.records]

    assert [line for line in lines if not line.isprintable()] == []


def test_a_terminal_gets_text() -> None:
    ours, theirs = pty.openpty()
    program = (
        "from app.observability import logs; logs.configure('INFO'); print(logs.style().format)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, timeout=60
    )
    os.close(ours)
    os.close(theirs)

    assert done.stdout.decode().strip() == logs.TEXT


def test_a_value_that_json_does_not_know_is_written_as_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger.warning("odd", of=ROOT, surrogate="\ud800")

    assert (said(caplog)["of"], said(caplog)["surrogate"]) == (str(ROOT), "\ud800")
    assert logs.formatter(logs.JSON).format(caplog.records[0]).isascii()


LOSING = """
import logging, sys
from app.observability import logs

class Odd:
    def __str__(self):
        raise ValueError("hush")

logs.configure("INFO", sys.argv[1] if len(sys.argv) > 1 else None)
logs.get_logger("app.test").warning("Bearer hush", of=Odd())
logging.getLogger("library").warning("Bearer hush %d", "x")
logs.get_logger("app.test").info("next")
if sys.stderr:
    sys.stderr.close()
logs.get_logger("app.test").info("into the void")
print("on")
"""


def test_a_line_that_cannot_be_made_is_one_line_without_its_words() -> None:
    program = [sys.executable, "-c", LOSING, logs.JSON]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert [(e["logger"], e["event"]) for e in parsed(done.stderr)] == [
        ("app.test", "a line of the log was lost: ValueError"),
        ("library", "a line of the log was lost: TypeError"),
        ("app.test", "next"),
    ]
    assert done.stdout == "on\n"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_without_a_place_for_the_log_the_work_goes_on(redirection: str) -> None:
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, LOSING]

    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60)

    assert done.stdout == "on\n"


def test_what_is_below_the_level_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    logger.info("small talk")

    assert caplog.records == []


# --- what the lines of a piece of work carry -----------------------------------------------------


def test_what_is_bound_is_in_each_line_of_its_thread_and_of_no_other(
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


IN_A_CHILD = """
from app.observability import logs
from app.consumer.sandbox import Sandbox
from testkit import sandboxed

logs.configure("INFO", "json")
sandbox = Sandbox(sandboxed.do, sandboxed.CAPS)
for number in "12":
    with logs.bound(image_id=number, request_id="r-" + number):
        sandbox.run(b"say:it", sandboxed.JOB)
sandbox.close()
"""


def test_lines_of_a_sandbox_s_child_carry_the_image_it_works_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    found = [(e["event"], e["image_id"], e["request_id"]) for e in parsed(done.stderr)]
    assert found == [("said", "1", "r-1"), ("said", "2", "r-2")]


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
def test_a_secret_is_hidden_wherever_it_stands(
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


def test_a_header_for_the_collector_that_cannot_be_read_is_not_quoted() -> None:
    program = """
from app.observability import logs
from app.observability.telemetry import make_exporter

logs.configure("DEBUG", "json")
make_exporter("otlp")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"OTEL_EXPORTER_OTLP_HEADERS": "x-key: hush"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0
    assert "hush" not in done.stderr


@pytest.mark.parametrize(
    "text",
    ["no-secret", "the signature is wrong", "the bearer", "script_name", "authorization, too"],
)
def test_other_words_stay_as_they_are(text: str, caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("event", field=text)

    assert said(caplog)["field"].startswith(text[:10])


def test_a_library_that_repeats_itself_is_written_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: clock[0])
    seldom = logs._Seldom()
    complaint = logging.makeLogRecord({"name": "opentelemetry.exporter", "msg": "away"})
    ours = logging.makeLogRecord({"name": "app.worker", "msg": "away"})

    passed = []
    for clock[0] in (1000.0, 1030.0, 1059.0, 1061.0):
        passed.append((seldom.filter(complaint), seldom.filter(ours)))

    assert passed == [(True, True), (False, True), (False, True), (True, True)]
