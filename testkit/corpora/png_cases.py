"""One case of a corpus of PNGs: a file, its purpose and the expected verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: ACCEPT must be processed, REJECT must be refused; EITHER is a choice, but never a crash.
ACCEPT, REJECT, EITHER = "accept", "reject", "either"


@dataclass(frozen=True)
class Case:
    name: str
    expect: str
    why: str
    data: bytes


def write_cases(found: Iterable[Case]) -> None:
    """Write each case, and a manifest of all, to the folder that the command line names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    manifest = []
    for case in found:
        (folder / f"{case.name}.png").write_bytes(case.data)
        row = {"name": case.name, "expect": case.expect, "why": case.why, "size": len(case.data)}
        manifest.append(row)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=0))
