"""The findings of checks, and their output. Standard library only."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

EXIT_CODE_WHEN_FAILED: Final = 1


class State(Enum):
    """The outcome of a check."""

    OK = "ok"
    FAILED = "FAIL"
    #: Another finding or a setting makes the check impossible or unnecessary.
    SKIPPED = "-"


@dataclass(frozen=True)
class Finding:
    """One line: the *subject* of a check, and its result; a failed check also says what to do."""

    state: State
    subject: str
    said: str

    def __str__(self) -> str:
        return f"{self.state.value:4}  {self.subject:34}  {self.said}"


def ok(subject: str, said: str) -> Finding:
    """A check that passed."""
    return Finding(State.OK, subject, said)


def failed(subject: str, said: str) -> Finding:
    """A check that failed; *said* ends with what to do."""
    return Finding(State.FAILED, subject, said)


def skipped(subject: str, said: str) -> Finding:
    """A check that was not performed; *said* is the reason."""
    return Finding(State.SKIPPED, subject, said)


def show(findings: Iterable[Finding], *, only_failed: bool = False) -> int:
    """Print each of *findings* as soon as it is known; returns the exit code."""
    code = 0
    for finding in findings:
        is_failed = finding.state is State.FAILED
        code = max(code, EXIT_CODE_WHEN_FAILED if is_failed else 0)
        if only_failed and is_failed:
            say(f"doctor: {finding.subject}: {finding.said}")
        elif not only_failed:
            say(str(finding))
    return code


def say(line: str) -> None:
    """Print *line*, with ? for characters that the terminal cannot encode."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = " ".join(line.splitlines()).encode(encoding, errors="replace").decode(encoding)
    print(shown, flush=True)  # noqa: T201 (the command line's answer)
