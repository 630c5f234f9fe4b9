"""The command lines of processes, which may end while one looks."""

from __future__ import annotations

import psutil


def command_of(process: psutil.Process) -> str:
    """The command line of *process*, its words joined by spaces; empty if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def commands_below(pid: int) -> list[str]:
    """The command lines of the processes that this one started, and of those that they started."""
    return [command_of(child) for child in psutil.Process(pid).children(recursive=True)]
