"""Exit with 0 if this Python has all packages of a lock file: `has_lock.py LOCK`.

Needs the environment's pip, which evaluates the markers that limit a line to some machines.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)


def main() -> int:
    usage.check(__doc__, least=1, most=1)
    try:
        packaging = import_module("pip._vendor.packaging.requirements")
    except ImportError:
        return 1
    lines = re.findall(r"^[^\s#].*==[^\\\n]+", Path(sys.argv[1]).read_text(), re.MULTILINE)
    for wanted in map(packaging.Requirement, lines):
        is_needed_here = wanted.marker is None or wanted.marker.evaluate()
        if is_needed_here and version_of(wanted.name) not in wanted.specifier:
            return 1
    return 0


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "0"


if __name__ == "__main__":
    sys.exit(main())
