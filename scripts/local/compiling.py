"""Tell the probe how far the compilation of the engine is; on a slow machine it takes minutes.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".local"


def tell(progress: str) -> None:
    """Write *progress* where `progress_of` finds it; nothing in a tree that is read-only."""
    with contextlib.suppress(OSError):
        FOLDER.mkdir(exist_ok=True)
        _file(os.getpid()).write_text(progress)


def tell_end() -> None:
    with contextlib.suppress(OSError):
        _file(os.getpid()).unlink()


def progress_of(pid: int) -> str:
    """What the process *pid* has told; empty if it does not compile."""
    try:
        return _file(pid).read_text()
    except OSError:
        return ""


def _file(pid: int) -> Path:
    return FOLDER / f"compiling-{pid}"
