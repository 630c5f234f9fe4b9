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

    ends: dict[int, Callable[[], None]] = {}  # noqa: RUF012 (one for the whole program)
    is_starting = False
    signum = 0


def on_signals() -> None:
    """End all processes, and this one with 128 + the signal's number, on SIGTERM and SIGINT."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as for jobs in the background
            signal.signal(signum, _end)


def _end(signum: int, _: object = None) -> None:
    _State.signum = signum
    if _State.is_starting:
        return
    for end in list(_State.ends.values()):
        end()
    os._exit(128 + signum)


@contextmanager
def started(start: Callable[[], Process], end: Callable[[Process], None]) -> Iterator[Process]:
    """A block with the process of *start*; *end* ends it if the block fails or a signal comes."""
    _State.is_starting = True
    try:
        process = start()
        _State.ends[process.pid] = lambda: end(process)
    finally:
        _State.is_starting = False
        if _State.signum:
            _end(_State.signum)
    try:
        yield process
    except BaseException:
        end(process)
        raise
    finally:
        del _State.ends[process.pid]


def kill_group(process: Process) -> None:
    """Kill a process that leads a session, with its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def terminate(process: Process) -> None:
    """Ask an installer to end, which ends its processes first, and wait for it."""
    process.terminate()
    process.wait()
