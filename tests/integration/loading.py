"""Run the command line in this process, and list the loaded modules at its end.

    python -m tests.integration.loading FILE COMMAND ...

The names go to FILE, one a line. A role ends on SIGTERM, as in production.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    target, *arguments = sys.argv[1:]
    from app.main import main as run

    try:
        return run(arguments)
    finally:
        Path(target).write_text("\n".join(sorted(sys.modules)))


if __name__ == "__main__":
    sys.exit(main())
