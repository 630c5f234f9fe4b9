"""Filters: undoing them does what the specification says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.errors import CorruptPngError
from app.png import filters as png_filters
from testkit.pngs import apply_filter, paeth
from testkit.root import ROOT


@pytest.mark.parametrize("pixel_bytes", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("kind", range(5))
def test_undoing_a_filter_gives_back_the_rows(kind, pixel_bytes) -> None:
    rows = np.random.default_rng(kind).integers(0, 256, (6, 24 * pixel_bytes), np.uint8)
    filtered = [
        [kind, *apply_filter(kind, row.tobytes(), above.tobytes(), pixel_bytes)]
        for above, row in pairwise(rows)
    ]
    restored = np.zeros_like(rows)
    restored[0] = rows[0]

    png_filters.undo_filters(np.array(filtered, np.uint8), restored, pixel_bytes)

    assert (restored == rows).all()


def test_the_short_form_of_paeth_agrees_with_the_specification() -> None:
    values = [*range(0, 256, 15), 1, 2, 3, 127, 128, 254]

    for left in values:
        for above in values:
            for corner in values:
                nearest = png_filters._nearest(left, above, corner)
                assert nearest == paeth(left, above, corner)


def test_a_filter_type_over_4_is_corrupt() -> None:
    filtered = np.zeros((3, 5), np.uint8)
    filtered[1, 0] = 5

    with pytest.raises(CorruptPngError, match="filter type 5"):
        png_filters.undo_filters(filtered, np.zeros((4, 4), np.uint8), 1)


def hits_of_a_new_process(cache: Path, **variables: str) -> int:
    """How much of the machine code a process that starts now finds in *cache*."""
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


def test_a_later_process_finds_the_machine_code_made_and_none_trips_over_a_damaged_one(
    tmp_path: Path,
) -> None:
    assert [hits_of_a_new_process(tmp_path) for _ in range(2)] == [0, 1]

    for file in tmp_path.rglob("*.nb*"):
        file.write_bytes(b"")
    assert hits_of_a_new_process(tmp_path) == 0


def test_without_a_place_to_keep_it_the_machine_code_is_made_each_time() -> None:
    only_there = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}

    assert hits_of_a_new_process(Path("/dev/null/nowhere"), **only_there) == 0


def test_machine_code_of_other_loops_is_not_taken_over(tmp_path: Path) -> None:
    """A function has in it what it calls, so a change of any module with loops makes all anew."""
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
