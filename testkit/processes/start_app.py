"""Run ./start_app.sh as a user does, and find the processes that it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from testkit.network.ports import free_port
from testkit.processes.command_lines import command_of
from testkit.timing.waiting import is_ready, wait_until


@dataclass
class RunningApp:
    """A start_app.sh on ports of its own."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    port: int
    localstack_port: int
    started_at: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.localstack_port}"

    @property
    def text(self) -> str:
        self.output.seek(0)
        return self.output.read().decode()

    @property
    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"start_app.sh ended with {self.process.returncode}: {self.text}")
        return is_ready(self.url)

    @property
    def application(self) -> psutil.Process:
        """The Python process that serves, a child of the script."""
        children = psutil.Process(self.process.pid).children()
        (python,) = [child for child in children if "scripts.local.run_app" in command_of(child)]
        return python

    def wait_until_ready(self, *, within_s: float) -> float:
        """Seconds from the start to the first ready answer and the invitation."""
        wait_until(
            lambda: self.is_ready and "The pipeline is ready" in self.text, within_s=within_s
        )
        return time.monotonic() - self.started_at

    def send(self, signum: int) -> float:
        """Send *signum* to the whole process group, as a terminal does; seconds until its end."""
        started_at = time.monotonic()
        os.killpg(self.process.pid, signum)
        self.process.wait(60)
        return time.monotonic() - started_at


@contextmanager
def start_app(tree: Path, **variables: str) -> Iterator[RunningApp]:
    """A block with *tree*/start_app.sh, run from another directory and stopped at the end."""
    port, localstack_port = free_port(), free_port()
    environment = os.environ | {"PORT": str(port), "LOCALSTACK_PORT": str(localstack_port)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as elsewhere:
        process = subprocess.Popen(
            [tree / "start_app.sh"],
            cwd=elsewhere,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_hear_interrupts,
        )
        app = RunningApp(process, output, port, localstack_port, time.monotonic())
        try:
            yield app
        finally:
            if process.poll() is None:
                app.send(signal.SIGTERM)


def _hear_interrupts() -> None:
    """Accept SIGINT again: children of a test run in the background would inherit ignoring it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def processes_of(tree: Path) -> dict[int, str]:
    """The id and command line of every process that runs from *tree*."""
    found = {}
    for process in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        inside = str(tree) in line or (process.info["cwd"] or "").startswith(str(tree))
        if inside and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[process.info["pid"]] = line
    return found
