"""What a script answers to --help, and to arguments that it does not know.

Standard library only.
"""

from __future__ import annotations

import sys


def check(doc: str | None, *, most: int = 0) -> None:
    """Print *doc* and exit for --help; exit with code 2 for options, or over *most* arguments."""
    given = sys.argv[1:]
    if given[:1] in (["-h"], ["--help"]):
        print((doc or "").strip())
        sys.exit(0)
    if len(given) > most or any(argument.startswith("-") for argument in given):
        print(f"unknown arguments: {' '.join(given)}; --help has the usage", file=sys.stderr)
        sys.exit(2)
