"""The benchmark of unseen kinds draws pages with ink and paper, the same for the same seed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.quality.unseen import KINDS, __main__, drawn
from benchmarks.quality.unseen.sheet import INK, PAPER


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_a_page_with_ink_and_paper(kind: str) -> None:
    sheet = drawn(kind, 0)

    assert sheet.rgb.shape == (*sheet.truth.shape, 3)
    assert (sheet.truth == INK).mean() > 0.01
    assert (sheet.truth == PAPER).mean() > 0.2


def test_a_seed_gives_the_same_page_each_time_and_another_seed_another() -> None:
    one, same, other = (drawn("section-bars", seed) for seed in (1, 1, 2))

    assert np.array_equal(one.truth, same.truth)
    assert np.array_equal(one.scanned(), same.scanned())
    assert not np.array_equal(one.truth, other.truth)


def test_the_table_has_a_row_for_each_kind_and_a_column_for_each_file_of_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(__main__.WEIGHTS_FILE)
    given = ["--kinds", "section-bars", "--seeds", "1", "--against", weights]
    monkeypatch.setattr(sys, "argv", ["unseen", *given])

    __main__.main()

    heading, _, row, mean = capsys.readouterr().out.splitlines()
    assert heading == f"| kind | auto: marks / F | {weights} |"
    name, shipped, against = row.strip("| ").split(" | ")
    assert name == "section-bars"
    assert shipped == against
    assert mean == row.replace("section-bars", "**mean**")
