"""Suppress the lines that libtiff prints to standard error, which do not name the file.

Pillow cannot turn these lines off, and its exceptions describe the same faults.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STANDARD_ERROR = 2


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """A block in which only Python writes to standard error; for the main thread of a command."""
    kept = os.dup(_STANDARD_ERROR)
    python_stderr, encoding = sys.stderr, sys.stderr.encoding
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        if _is_standard_error(python_stderr):
            sys.stderr = open(  # noqa: SIM115 (closed below)
                kept, "w", buffering=1, encoding=encoding, errors="backslashreplace", closefd=False
            )
        os.dup2(nowhere, _STANDARD_ERROR)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, _STANDARD_ERROR)
        sys.stderr = python_stderr
        os.close(kept)
        os.close(nowhere)


def _is_standard_error(stream: object) -> bool:
    try:
        return getattr(stream, "fileno", lambda: -1)() == _STANDARD_ERROR
    except OSError:  # a test has replaced it
        return False
