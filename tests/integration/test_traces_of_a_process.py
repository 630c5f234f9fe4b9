"""Traces of a whole process: the loaded packages, errors, and the console exporter."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from testkit.root import ROOT


def test_the_sdk_of_opentelemetry_is_not_loaded_without_an_exporter() -> None:
    program = (
        "import sys, app.main, app.server.server\n"
        "from testkit.in_memory.site import Site\n"
        "from app.settings import Settings\n"
        "from app.observability import tracing\n"
        "with tracing.recording('web', Settings().trace_exporter):\n"
        "    site = Site(Settings()); assert site.upload().status_code == 202; site.work()\n"
        "assert site.announced.messages\n"
        "sdk = ('opentelemetry.sdk', 'opentelemetry.exporter', 'opentelemetry.proto', 'requests')\n"
        "print([name for name in sys.modules if name.startswith(sdk)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"])
def test_a_variable_that_the_sdk_rejects_is_reported_in_one_sentence(name: str) -> None:
    variables = {"OTEL_TRACES_EXPORTER": "console", name: "-1"}
    done = subprocess.run(
        [sys.executable, "-m", "app.main", "worker"],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "wrong settings: OTEL_" in done.stderr


def test_the_console_exporter_writes_one_line_a_span() -> None:
    program = (
        "from app.observability import tracing\n"
        "with tracing.recording('web', 'console'), tracing.serving('GET', '/a', {}):\n"
        "    pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    (line,) = done.stdout.splitlines()
    assert json.loads(line)["attributes"]["url.path"] == "/a"
