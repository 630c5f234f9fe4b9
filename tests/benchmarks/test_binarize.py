"""The comparison of `binarize` with other programs runs, and names what is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.engine import binarize
from benchmarks.report import saved


def test_the_table_has_a_row_for_each_program_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["--pages", "1", "--rounds", "1", "--kind", "gray", "--only", "otsu", "unpaper"]
    given.append("--save")
    monkeypatch.setattr(saved, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["binarize", *given])
    monkeypatch.setattr(binarize, "MEGAPIXELS", 0.5)
    monkeypatch.setenv("PATH", "")

    binarize.main()

    captured = capsys.readouterr()
    rows = [line for line in captured.out.splitlines() if line.startswith("| `")]
    assert len(rows) == 1
    name, pages_a_second, cpu_ms, kilobytes = rows[0].strip("| ").split(" | ")
    assert name == "`./alvura binarize`, `otsu`"
    assert float(pages_a_second) > 0
    assert float(cpu_ms) > 100  # starting counts
    assert float(kilobytes) > 1
    assert "unpaper is left out: apt-get install unpaper" in captured.err
    assert [line for line in saved.saved("binarize-gray") if line.startswith("| `")] == rows


def test_two_tables_are_shown_in_one_by_the_rows_of_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(saved, "RESULTS", tmp_path)
    saved.save("gray", ("gray", "a", "b"), [("x", "1", "2"), ("y", "3", "4")])
    saved.save("color", ("colour", "a", "b"), [("y", "5", "6")])

    assert [*saved.saved_beside("gray", "color")] == [
        "|  | gray: a | b | colour: a | b |",
        "|---|---:|---:|---:|---:|",
        "| x | 1 | 2 |  |  |",
        "| y | 3 | 4 | 5 | 6 |",
    ]


def test_the_pages_a_second_of_all_jobs_are_compared_round_by_round_with_those_of_one() -> None:
    def runs(*rates: float) -> list[binarize.Figures]:
        return [binarize.Figures(rate, cpu_ms=100, kilobytes=70) for rate in rates]

    together, alone = binarize.ours("auto").name, binarize.ours("auto", *binarize.ONE_JOB).name

    said = binarize.scaling({together: runs(6, 20, 1.9), alone: runs(4, 10, 1)})

    assert alone == "`./alvura binarize`, `auto`, `--jobs 1`"
    assert said == "`auto` makes 1.90 times the pages a second of `--jobs 1`"
    assert binarize.scaling({together: runs(6)}) is None
