"""The comparison of `binarize` with other programs runs, and names what is not installed."""

from __future__ import annotations

import sys

import pytest

from benchmarks.engine import binarize


def test_the_table_has_a_row_for_each_program_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--pages", "1", "--rounds", "1", "--kind", "gray", "--only", "otsu", "unpaper"]
    monkeypatch.setattr(sys, "argv", ["binarize", *given])
    monkeypatch.setattr(binarize, "MEGAPIXELS", 0.5)
    monkeypatch.setenv("PATH", "")

    binarize.main()

    captured = capsys.readouterr()
    rows = [line for line in captured.out.splitlines() if line.startswith("| `")]
    assert len(rows) == 1
    name, pages_a_second, cpu_ms, _, kilobytes = rows[0].strip("| ").split(" | ")
    assert name == "`./alvura binarize`, `otsu`"
    assert float(pages_a_second) > 0
    assert float(cpu_ms) > 100  # starting counts
    assert float(kilobytes) > 1
    assert "unpaper is left out: apt-get install unpaper" in captured.err
