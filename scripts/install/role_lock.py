"""Print the part of a lock that one role of the image needs: `role_lock.py LOCK ROLE`.

Standard library only. ROLE is `web`, `worker` (and the operators' verbs) or `all`. The comments of
the lock say which package needs which, so no dependency is listed here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)

_ENGINE: Final = frozenset(("numba", "numpy", "opencv-python-headless"))
_PAGES: Final = frozenset(("babel", "flask", "flask-cors", "waitress"))
#: For `binarize` and `upload`; tqdm also for the operators' verbs.
_CLIENT: Final = frozenset(("pillow", "tqdm"))
#: Packages that pyproject.toml requires and the role never loads.
UNUSED: Final[Mapping[str, frozenset[str]]] = {
    "all": frozenset(),
    "web": _ENGINE | _CLIENT,
    "worker": _PAGES | {"pillow"},
}
_PROJECT: Final = "(pyproject.toml)"


def main() -> int:
    lock, role = usage.check(__doc__, least=2, most=2)
    if role not in UNUSED:
        usage.refuse(f"unknown role {role!r}, not one of {', '.join(UNUSED)}")
    sys.stdout.write(lock_of(Path(lock).read_text(), role))
    return 0


def lock_of(lock: str, role: str) -> str:
    """The blocks of *lock* that *role* needs, unchanged."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    dependents: dict[str, set[str]] = {}
    for block in blocks:
        dependents.setdefault(name_of(block), set()).update(dependents_of(block))
    needed: set[str] = set()
    while more := {
        name
        for name in dependents.keys() - needed
        if is_needed(name, dependents[name], needed, role)
    }:
        needed |= more
    return "".join(block for block in blocks if name_of(block) in needed)


def is_needed(name: str, dependents: set[str], needed: set[str], role: str) -> bool:
    return bool(dependents & needed) or (_PROJECT in dependents and name not in UNUSED[role])


def name_of(block: str) -> str:
    return block.partition("==")[0]


def dependents_of(block: str) -> set[str]:
    """The names in the comment `# via` of *block*: packages, and _PROJECT."""
    comments = re.findall(r"^ +#(?: +via)? *(.*)$", block, re.MULTILINE)
    return {each.rpartition(" ")[2] for each in comments if each}


if __name__ == "__main__":
    sys.exit(main())
