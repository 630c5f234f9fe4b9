"""The functions that tests run in a sandbox; a child process loads this module quickly.

    python -m testkit.processes.sandboxed [busy]

runs a sandbox of its own, prints the process id of its child, and waits.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from uuid import UUID

from app.consumer import sandbox
from app.domain.messages import Job
from app.domain.ports import Binarized
from app.errors import TooManyPixelsError
from app.observability import logs

JOB = Job(image_id=UUID(int=1), bucket="b", key="k.png", method="otsu")
logger = logs.get_logger(__name__)
CAPS = sandbox.Caps(memory_bytes=128 * 1024 * 1024, cpu_s=1)


class StubbornError(Exception):
    """An exception that cannot be pickled, like many real ones."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first}, {second}")
        self.lock = threading.Lock()


def do(data: bytes, job: Job) -> Binarized:
    """Perform the action in *data*, a verb and its argument."""
    verb, _, argument = data.decode().partition(":")
    _VERBS[verb](argument)
    return Binarized(str(os.getpid()).encode(), 4, 3, 300, job.method or "", {}, 99, 0.5, 1)


def _refuse(argument: str) -> None:
    raise TooManyPixelsError(f"It has {argument}.", actual=int(argument), limit=5)


def _raise(argument: str) -> None:
    raise StubbornError("this", argument)


def _say(argument: str) -> None:
    logger.warning("said", what=argument)


def _loop(argument: str) -> None:
    if argument:
        Path(argument).write_text(str(os.getpid()))
    while True:
        pass


def _hold(argument: str) -> None:
    """Block until another process has opened the FIFO for writing and closed it again."""
    Path(argument).read_bytes()


def _leave_soon(argument: str) -> None:
    sandbox._IDLE_S = float(argument)  # type: ignore[misc]


def _exit_twice(argument: str) -> None:
    with Path(argument).open("a+") as log:
        log.write(".")
        if log.tell() < 3:
            sys.exit(0)


_VERBS = {
    "say": _say,
    "pass": lambda argument: None,
    "refuse": _refuse,
    "raise": _raise,
    "signal": lambda argument: os.kill(os.getpid(), int(argument)),
    "exit": lambda argument: os._exit(int(argument)),
    "take": lambda argument: bytearray(int(argument)),
    "loop": _loop,
    "hold": _hold,
    "leave-soon": _leave_soon,
    "exit-twice": _exit_twice,
}


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    children = sandbox.Sandbox(do, CAPS)
    pid = children.run(b"pass", JOB).png.decode()
    if sys.argv[1:] == ["busy"]:
        threading.Thread(target=children.run, args=(b"loop", JOB), daemon=True).start()
    print(pid, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
