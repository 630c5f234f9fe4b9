"""A test that was too slow on a busy machine gets a quiet one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from testkit.root import ROOT

TESTS = """
    import json
    import time
    from pathlib import Path

    import pytest

    from testkit.timing.waiting import TooSlowError

    FOLDER = Path(__file__).parent
    BUSY_S = 0.2


    def run(name):
        began_at = time.monotonic()
        while time.monotonic() < began_at + BUSY_S:
            pass
        (FOLDER / f"{name}.json").write_text(json.dumps([began_at, time.monotonic()]))


    def test_slow():
        first = not (FOLDER / "first.json").exists()
        run("first" if first else "repeated")
        if first:
            raise TooSlowError


    @pytest.mark.parametrize("n", range(12))
    def test_other(n):
        run(f"other-{n}")
"""


def test_a_repeated_test_runs_while_no_other_test_runs(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(dedent(TESTS))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-n", "2", "--dist", "load"]
    options = ["--reruns", "2", "--only-rerun", "TooSlowError", "--rootdir", str(tmp_path)]

    subprocess.run(
        [*command, *options, "-c", os.devnull, "-p", "no:cacheprovider", str(tmp_path)],
        check=True, cwd=ROOT, timeout=120, capture_output=True,
    )  # fmt: skip

    began_at, ended_at = json.loads((tmp_path / "repeated.json").read_text())
    others = [json.loads(path.read_text()) for path in tmp_path.glob("other-*.json")]
    assert len(others) == 12
    assert all(end <= began_at or begin >= ended_at for begin, end in others)
