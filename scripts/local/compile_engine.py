"""Compile the engine's loops, unless a cache has them: `python -m scripts.local.compile_engine`.

Processes that start together without a cache would each compile all of them.
"""

from __future__ import annotations

import os
import signal

from scripts import usage
from scripts.local import run_app


def main() -> None:
    usage.check(__doc__)
    os.setsid()  # so that `run_app.end` also ends the second process that compiles
    signal.signal(signal.SIGTERM, run_app.end)
    with run_app.compiling_beside():
        pass


if __name__ == "__main__":
    main()
