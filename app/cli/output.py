"""Print the output of a command, and labels for the person at the terminal."""

from __future__ import annotations

import json
import os
import sys

_LAST_STANDARD_STREAM = 2


def open_missing_streams() -> None:
    """Open the standard streams that the caller has closed (`2>&-`), on the null device.

    Python sets a closed stream to None, and the next opened file would get the stream's number: a
    library that prints to standard error would write into a result.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD_STREAM:
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (kept)


def discard_output() -> None:
    """Redirect standard output to the null device: its reader has gone, as in `watch | head -1`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(sentence: str) -> None:
    """Print *sentence* as one line, with ? for characters that could control the terminal.

    A message of another producer may contain anything.
    """
    shown = "".join(char if char.isprintable() else "?" for char in sentence)
    _print(shown.encode(_encoding(), errors="replace").decode(_encoding()))


def say_json(document: str) -> None:
    """Print the JSON *document* as one line, with escapes for what `say` would replace."""
    _print(document if _is_plain(document) else "".join(map(_escaped, document)))


def _escaped(char: str) -> str:
    if char in "\n\r\t":
        return " "  # white space between tokens: a JSON string cannot contain these characters
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
