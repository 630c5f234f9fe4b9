"""The log of a whole process: its streams, uncaught exceptions, child processes, lost lines."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from app.observability import logs
from testkit.observability.logged import parsed
from testkit.root import ROOT

#: Each line logs in another way; Python itself writes the output of the last two.
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
    logger.exception("internal error")
warnings.warn("old")
thread = threading.Thread(target=lambda: 1 / 0, name="poller")
thread.start()
thread.join()
raise KeyError("the end")
"""


def run(style: str | None) -> str:
    program = PROGRAM.format(style=style)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""
    return done.stderr


def test_every_line_is_one_json_object_without_a_terminal() -> None:
    found = parsed(run(None))

    assert [(e["level"], e["event"]) for e in found] == [
        ("info", "image queued"),
        ("warning", "two\nlines of it"),
        ("error", "internal error"),
        ("warning", found[3]["event"]),
        ("critical", "uncaught exception in a thread"),
        ("critical", "uncaught exception"),
    ]
    assert "old" in found[3]["event"]
    assert found[0]["filename"] == 'a\n{"event": "forged"}\x1b[2J.png'
    assert "ValueError: of\nours" in found[2]["exception"]
    assert found[4]["thread"] == "poller"
    assert "KeyError: 'the end'" in found[5]["exception"]
    assert list(found[0])[:6] == ["time", "level", "event", "logger", "image_id", "request_id"]


def test_text_of_a_client_stays_in_its_line_and_cannot_control_a_terminal() -> None:
    text = run(logs.TEXT)

    first, second = text.splitlines()[:2]
    assert "[info     ] image queued" in first
    assert "image_id=i-1" in first
    assert "forged" in first
    assert "two\\nlines of it" in second
    assert "\x1b" not in text


def test_the_log_is_text_on_a_terminal() -> None:
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


def test_a_line_that_cannot_be_formatted_is_replaced_by_one_without_its_text() -> None:
    program = [sys.executable, "-c", LOSING, logs.JSON]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert [(e["logger"], e["event"]) for e in parsed(done.stderr)] == [
        ("app.test", "log line lost: ValueError"),
        ("library", "log line lost: TypeError"),
        ("app.test", "next"),
    ]
    assert done.stdout == "on\n"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_work_continues_if_the_log_cannot_be_written(redirection: str) -> None:
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, LOSING]

    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60)

    assert done.stdout == "on\n"


IN_A_CHILD = """
from app.observability import logs
from app.consumer.sandbox import Sandbox
from testkit.processes import sandboxed

logs.configure("INFO", "json")
sandbox = Sandbox(sandboxed.do, sandboxed.CAPS)
for number in "12":
    with logs.bound(image_id=number, request_id="r-" + number):
        sandbox.run(b"say:it", sandboxed.JOB)
sandbox.close()
"""


def test_log_lines_of_a_child_of_the_sandbox_have_the_image_id() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    found = [(e["event"], e["image_id"], e["request_id"]) for e in parsed(done.stderr)]
    assert found == [("said", "1", "r-1"), ("said", "2", "r-2")]


def test_a_malformed_header_for_the_collector_is_not_quoted() -> None:
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


@pytest.mark.parametrize(("level", "count"), [("INFO", 1), ("DEBUG", 3)])
def test_a_terminal_shows_a_repeated_warning_once_except_at_debug(level: str, count: int) -> None:
    ours, theirs = pty.openpty()
    program = (
        "from app.observability import logs\n"
        f"logs.configure({level!r})\n"
        "logger = logs.get_logger('app.test')\n"
        "for _ in range(3): logger.warning('polling failed', reason='r', endpoint='http://e')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    text = os.read(ours, 1 << 16).decode()
    os.close(ours)

    assert text.count("polling failed") == count
