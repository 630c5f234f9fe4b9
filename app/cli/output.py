"""Print the output of a command, and labels for the person at the terminal."""

from __future__ import annotations

import sys


def say(sentence: str) -> None:
    """Print *sentence* as output of the command."""
    print(sentence, flush=True)  # noqa: T201


def label(sentence: str) -> None:
    """Print *sentence* to stderr, for the person at the terminal; programs read stdout only."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
