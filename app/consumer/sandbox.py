"""Process an image in a child process, isolated from the worker.

A redelivered message may name an image that has crashed a worker. In a child process such an image
can only crash the child. setrlimit(2) limits the memory and the CPU time of the child; macOS and
Windows have no limit of memory.
"""

from __future__ import annotations

import multiprocessing
import queue
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from ..domain.messages import Job
from ..domain.ports import Binarized, Process
from ..errors import InternalError, PipelineError, ProcessingCrashedError, TooExpensiveError
from ..observability import logs

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

logger = logs.get_logger(__name__)

#: An idle child exits after this time, to free its memory.
_IDLE_S: Final = 60.0
_SPAWN: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Caps:
    """The limits of one image: *memory_bytes* beyond those of an idle child, and CPU seconds."""

    memory_bytes: int
    #: The slowest known page takes a tenth of this.
    cpu_s: int = 30


class Sandbox:
    """A pool of child processes that run *process*, a picklable function. Thread-safe.

    A child processes one image after the other. The pool grows to the number of concurrent calls.
    """

    def __init__(self, process: Process, caps: Caps) -> None:
        self._process = process
        self._caps = caps
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        self._children: set[_Child] = set()
        self._is_closing = False

    def run(self, data: bytes, job: Job) -> Binarized:
        """The page that *process* returns; an exception of *process* propagates.

        Raises:
            ProcessingCrashedError: the child crashed, or exceeded its memory limit.
            TooExpensiveError: the child exceeded its CPU time.
            InternalError: the child was stopped.
        """
        try:
            return self._run(data, job)
        except _ChildGoneError as gone:
            if gone.exit_code != 0:
                raise self._error_of(gone.exit_code) from None
        # Exit code 0: the idle child had just exited. The next call starts a new one.
        try:
            return self._run(data, job)
        except _ChildGoneError as gone:
            raise self._error_of(gone.exit_code) from None

    def close(self) -> None:
        """Kill all children, busy or idle."""
        self._is_closing = True
        for child in list(self._children):
            child.kill()

    def _run(self, data: bytes, job: Job) -> Binarized:
        child = self._borrow()
        try:
            return child.run(data, job)
        finally:
            self._put_back(child)

    def _borrow(self) -> _Child:
        if self._is_closing:
            raise self._error_of(None)
        with suppress(queue.Empty):
            while True:
                child = self._idle.get_nowait()
                if child.is_alive:
                    return child
                self._children.discard(child)
        child = _Child(self._process, self._caps)
        self._children.add(child)
        return child

    def _put_back(self, child: _Child) -> None:
        if child.is_alive:
            self._idle.put(child)
        else:
            self._children.discard(child)

    def _error_of(self, exit_code: int | None) -> PipelineError:
        if self._is_closing or exit_code == -signal.SIGTERM:
            return InternalError("The worker was stopped while it processed the image.")
        if exit_code == -signal.SIGXCPU:
            return TooExpensiveError(f"The image took over {self._caps.cpu_s} s of CPU time.")
        logger.error("child process died while processing the image", exit_code=exit_code)
        return ProcessingCrashedError("The image crashed the process that worked on it.")


class _ChildGoneError(Exception):
    def __init__(self, exit_code: int | None) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class _Child:
    def __init__(self, process: Process, caps: Caps) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._child = _SPAWN.Process(
            target=_serve, args=(theirs, process, caps, logs.style()), name="sandbox", daemon=True
        )
        self._child.start()
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._child.is_alive()

    def kill(self) -> None:
        self._child.kill()
        self._child.join()

    def run(self, data: bytes, job: Job) -> Binarized:
        try:
            self._connection.send((data, job, logs.context()))
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._child.join()
            self._connection.close()
            raise _ChildGoneError(self._child.exitcode) from None
        if isinstance(answer, Exception):
            raise answer
        page: Binarized = answer
        return page


# --- in the child ------------------------------------------------------------------------------


def _serve(connection: Connection, process: Process, caps: Caps, style: logs.Style | None) -> None:
    # Ctrl-C signals every process of the terminal; the parent decides when the child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if style:
        logs.configure(style.level, style.format)
    _limit_memory(caps)
    while connection.poll(_IDLE_S):
        try:
            data, job, known = connection.recv()
        except EOFError:  # the parent is gone
            return
        logs.begin(**known)
        _limit_cpu(caps)
        connection.send(_answer(process, data, job))


def _answer(process: Process, data: bytes, job: Job) -> Binarized | Exception:
    try:
        return process(data, job)
    except MemoryError:
        return ProcessingCrashedError("The image needs more memory than one image may use.")
    except PipelineError as exc:
        return exc
    except Exception as exc:
        # Not every exception can be pickled.
        return RuntimeError(f"{type(exc).__name__}: {exc}")


def _limit_memory(caps: Caps) -> None:
    try:
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[0])
    except OSError:  # not Linux
        return
    _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + caps.memory_bytes)


def _limit_cpu(caps: Caps) -> None:
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + caps.cpu_s)


def _lower(what: int, limit: int) -> None:
    """Set the soft limit, but not above the existing hard limit."""
    _, hard = resource.getrlimit(what)
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(what, (soft, hard))
