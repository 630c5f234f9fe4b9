"""Print the part of a lock that one role of the image needs: `role_lock.py LOCK ROLE`.

Standard library only. ROLE is `web`, `worker` (and the operators' verbs) or `all`. The lock's own
comments say which package needs which, so that nothing is listed twice.
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
#: What pyproject.toml requires and a role never loads.
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
    """The blocks of *lock* that *role* needs, as they are."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    asked_by: dict[str, set[str]] = {}
    for block in blocks:
        asked_by.setdefault(name_of(block), set()).update(askers_of(block))
    needed: set[str] = set()
    while more := {
        name for name in asked_by.keys() - needed if is_asked(name, asked_by[name], needed, role)
    }:
        needed |= more
    return "".join(block for block in blocks if name_of(block) in needed)


def is_asked(name: str, askers: set[str], needed: set[str], role: str) -> bool:
    return bool(askers & needed) or (_PROJECT in askers and name not in UNUSED[role])


def name_of(block: str) -> str:
    return block.partition("==")[0]


def askers_of(block: str) -> set[str]:
    """What the comment `# via` of *block* names: packages, and _PROJECT."""
    comments = re.findall(r"^ +#(?: +via)? *(.*)$", block, re.MULTILINE)
    return {each.rpartition(" ")[2] for each in comments if each}


if __name__ == "__main__":
    sys.exit(main())
