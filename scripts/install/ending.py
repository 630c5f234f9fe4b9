"""End the processes of an installation when a signal ends the installer.

Python drops an exception that a signal handler raises inside a finalizer, and one inside Popen
leaves the process that Popen has just started. So the handler ends them itself, and waits while one
is being started. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Process = subprocess.Popen[Any]


class _State:
    """What the handler has to know; only the main thread starts processes."""

    stops: dict[int, Callable[[], None]] = {}  # noqa: RUF012 (one for the whole program)
    is_starting = False
    signum = 0


def on_signals() -> None:
    """At SIGTERM, SIGINT and SIGHUP end all processes, and this one with 128 + the number."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as for jobs in the background
            signal.signal(signum, _end)


def _end(signum: int, _: object = None) -> None:
    _State.signum = signum
    if _State.is_starting:
        return
    for stop in list(_State.stops.values()):
        stop()
    for pid in list(_State.stops):
        _reap(pid)
    os._exit(128 + signum)


@contextmanager
def started(start: Callable[[], Process], stop: Callable[[Process], None]) -> Iterator[Process]:
    """A block with the process of *start*; *stop* ends it if the block fails or a signal comes."""
    _State.is_starting = True
    try:
        process = start()
        _State.stops[process.pid] = lambda: stop(process)
    finally:
        _State.is_starting = False
        if _State.signum:
            _end(_State.signum)
    try:
        yield process
    except BaseException:
        stop(process)
        _reap(process.pid)
        raise
    finally:
        del _State.stops[process.pid]


def kill_group(process: Process) -> None:
    """Kill a process that leads a session, with its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS, if it is a zombie
        os.killpg(process.pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    # Not Popen.wait: its lock may be held by the code that the signal has interrupted.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
