"""The web server in a process of its own, with storage and queue in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until


@contextmanager
def serving(*limits: int, **variables: str) -> Iterator[Served]:
    """A block with a server process, stopped by a signal; *variables* are settings."""
    port = free_port()
    arguments = [str(number) for number in (port, *limits)]
    command = [sys.executable, "-m", "testkit.in_memory.memory_site", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables) as server:
        try:
            wait_until(lambda: is_alive(f"http://127.0.0.1:{port}"))
            yield Served(port, server)
        except BaseException:
            server.kill()
            raise
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


@dataclass(frozen=True)
class Served:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def memory_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)
