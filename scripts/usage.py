"""Check the command line of a script: print its help, refuse unknown arguments.

Standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import NoReturn


def check(
    doc: str | None, *, least: int = 0, most: int = 0, options: Collection[str] = ()
) -> list[str]:
    """The arguments of the command line: *least* to *most* words, and any of *options*.

    Prints *doc* and exits for --help; exits with code 2 for everything else.
    """
    given = sys.argv[1:]
    if given[:1] in (["-h"], ["--help"]):
        print((doc or "").strip())
        sys.exit(0)
    words = [argument for argument in given if argument not in options]
    if len(words) > most or any(word.startswith("-") for word in words):
        refuse(f"unknown arguments: {' '.join(words)}")
    if len(words) < least:
        refuse("arguments are missing")
    return given


def refuse(reason: str) -> NoReturn:
    """Exit with code 2 after one line."""
    print(f"{reason}; --help has the usage", file=sys.stderr)
    sys.exit(2)
