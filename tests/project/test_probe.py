"""scripts/local/probe.py waits for a start as long as it advances; one that hangs is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest

from scripts.local import compiling, probe
from testkit.network.http_servers import serving
from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "READY_DEADLINE_S", 1.0)
    monkeypatch.setattr(probe, "TICK_S", 0.3)
    monkeypatch.setattr(probe, "END_DEADLINE_S", 0.5)


class Compiling(BaseHTTPRequestHandler):
    """Not ready for thirty requests, each of which finds another part compiled."""

    asked = 0

    def do_GET(self) -> None:
        Compiling.asked += 1
        compiling.tell(f"part {Compiling.asked} of 30")
        if Compiling.asked > 30:
            compiling.tell_end()
        self.send_response(200 if Compiling.asked > 30 else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_start_may_compile_for_longer_than_the_deadline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compiling, "asked", 0)
    with serving(HTTPServer(("127.0.0.1", 0), Compiling)) as url:
        probe.wait_until_ready("127.0.0.1", urlparse(url).port or 0, os.getpid())

    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("Compiling the engine, part ")]
    assert compiling.progress_of(os.getpid()) == ""


def test_a_start_that_hangs_is_ended_and_says_where_it_hangs(tmp_path: Path) -> None:
    # While LLVM compiles, the stack has more frames than faulthandler prints.
    subprocess.run([sys.executable, "-m", "scripts.local.compile_engine"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "scripts.local.run_app", str(free_port())]
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        # It waits for LocalStack, which never comes.
        wait_until(lambda: os.getsid(process.pid) == process.pid, within_s=30)
        try:
            with pytest.raises(SystemExit, match=r"not ready after \d+ s; its log is above"):
                probe.wait_until_ready("127.0.0.1", free_port(), process.pid)
            wait_until(lambda: "run_app.py" in (tmp_path / "log").read_text())
            assert process.wait(30) != 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_tree_that_is_read_only_has_no_progress_and_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiling, "FOLDER", tmp_path / "file")

    compiling.tell("part 1 of 2")
    compiling.tell_end()

    assert compiling.progress_of(os.getpid()) == ""
