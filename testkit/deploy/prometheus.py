"""Run Prometheus's programs, from PATH or from Debian's package, unpacked by ./run_tests.sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from testkit.root import ROOT

_UNPACKED: Final = ROOT / ".local" / "prometheus" / "usr" / "bin"


def has(program: str) -> bool:
    """Whether *program* is installed; always True in CI, where a missing program is a failure."""
    return _place(program) is not None or "CI" in os.environ


def find(program: str) -> str:
    """The path of *program*; outside CI the test is skipped if it is missing."""
    found = _place(program)
    if not has(program):
        pytest.skip(f"{program} is not here: install Debian's package prometheus, or a newer one")
    assert found, f"{program} is not here"
    return found


def promtool(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The result of promtool with *given* as its standard input."""
    command = [find("promtool"), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, timeout=120)
    said = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(command, done.returncode, *said)


def check_exposition(text: bytes) -> None:
    """Assert that promtool has no complaint about the response of /metrics.

    This includes the process_* metrics of prometheus-client.
    """
    said = promtool("check", "metrics", given=text)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def _place(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}{_UNPACKED}")
