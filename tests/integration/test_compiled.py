"""The cache of machine code: later processes use it, but never code of other sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from testkit.root import ROOT


def hits_of_a_new_process(cache: Path, **variables: str) -> int:
    """The number of functions whose machine code a new process loads from *cache*."""
    program = "from app.png.filters import _undo; print(_undo.stats.cache_hits.total())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return int(done.stdout)


def test_a_later_process_loads_the_cached_machine_code_and_replaces_damaged_files(
    tmp_path: Path,
) -> None:
    assert [hits_of_a_new_process(tmp_path) for _ in range(2)] == [0, 1]

    for file in tmp_path.rglob("*.nb*"):
        file.write_bytes(b"")
    assert hits_of_a_new_process(tmp_path) == 0


def test_without_a_writable_cache_each_process_compiles() -> None:
    only_there = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}

    assert hits_of_a_new_process(Path("/dev/null/nowhere"), **only_there) == 0


def test_machine_code_of_other_sources_is_not_used(tmp_path: Path) -> None:
    """A compiled function contains those it calls, so any change invalidates the whole cache."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from app.numeric.compiled import numba; print(numba.config.CACHE_DIR)"
    )
    seen = set()
    for added in ("", "# changed\n"):
        shutil.copytree(ROOT / "app", tmp_path / "app", dirs_exist_ok=True)
        with (tmp_path / "app" / "binarize" / "auto" / "layers.py").open("a") as module:
            module.write(added)
        run = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(run.stdout)

    assert len(seen) == 2
