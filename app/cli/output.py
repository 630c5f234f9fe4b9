"""Print the output of a command, and labels for the person at the terminal."""

from __future__ import annotations

import json
import sys


def say(sentence: str) -> None:
    """Print *sentence* as one line of output, with ? for what could control the terminal.

    A message of another producer may contain anything.
    """
    shown = "".join(char if char.isprintable() else "?" for char in sentence)
    _print(shown.encode(_encoding(), errors="replace").decode(_encoding()))


def say_json(document: str) -> None:
    """Print the JSON *document* as one line, with escapes for what `say` would replace."""
    _print(document if _is_plain(document) else "".join(map(_escaped, document)))


def _escaped(char: str) -> str:
    if char in "\n\r\t":
        return " "  # they stand between the tokens: a JSON string cannot contain them
    return char if _is_plain(char) else json.dumps(char)[1:-1]


def _is_plain(text: str) -> bool:
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        return False
    return text.isprintable()


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def label(sentence: str) -> None:
    """Print *sentence* to stderr, for the person at the terminal; programs read stdout only."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
