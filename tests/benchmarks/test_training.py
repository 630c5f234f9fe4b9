"""The pages that `auto` is trained on: drawn, repeatable, and not those that judge it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training import drawing
from benchmarks.training.crops import FAR_PAPER, importance
from benchmarks.training.kinds import KINDS
from benchmarks.training.sheet import COVERED, INK, NEITHER, PAPER, inked

#: Of these nothing, or hardly anything, is ink.
EMPTY = {"blank"}
#: So many pages of a kind: what one shows depends on the fonts of the machine, and one in ten of
#: those with the other side bleeding through has nothing on this side.
SEEDS = 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_each_kind_has_ink_and_a_truth_for_each_pixel(kind: str) -> None:
    pages = [drawing.drawn(np.random.default_rng(seed), kind) for seed in range(SEEDS)]

    for gray, truth in pages:
        assert gray.dtype == truth.dtype == np.uint8
        assert gray.shape == truth.shape
        assert set(np.unique(truth)) <= {INK, NEITHER, PAPER}
    assert any((truth == INK).any() for _, truth in pages) or kind in EMPTY


def test_ink_is_darker_than_the_paper_beside_it_on_nearly_every_page() -> None:
    darker = [
        gray[truth == INK].mean() < gray[truth == PAPER].mean()
        for _, gray, truth in drawing.pages(3, 24)
        if (truth == INK).any()
    ]

    assert np.mean(darker) > 0.9


def test_the_same_seed_draws_the_same_pages_and_another_seed_others() -> None:
    (_, first, _), (_, again, _), (_, other, _) = (
        next(drawing.pages(seed, 5)) for seed in (4, 4, 5)
    )

    assert first.shape == again.shape
    assert (first == again).all()
    assert first.shape != other.shape or (first != other).any()


def test_at_least_five_kinds_are_held_out_of_what_is_trained_on() -> None:
    held_out = {name for name, kind in KINDS.items() if kind.is_held_out}
    trained = {name for name, _, _ in islice(drawing.pages(1, 120), 120)}

    assert len(held_out) >= 5
    assert not trained & held_out


def test_a_hairline_beside_a_stem_is_ink_and_the_rim_of_the_stem_is_paper() -> None:
    cover = np.zeros((20, 20), np.float32)
    cover[:, 8:11] = 1
    cover[:, 11] = 0.3
    cover[10, 12:] = 0.3

    ink = inked(cover, COVERED)

    assert ink[:, 8:11].all()
    assert ink[10, 12:].all()
    assert not ink[:8, 11].any()
    assert not ink[:, :8].any()


def test_small_marks_and_paper_far_from_ink_count_more() -> None:
    truth = np.full((200, 200), PAPER, np.uint8)
    truth[20:24, 20:24] = truth[60:80, 60:80] = INK

    weights = importance(truth)

    assert weights[21, 21] > 2
    assert weights[70, 70] == weights[70, 82] == 1
    assert weights[180, 180] == FAR_PAPER > 1


def test_docstrings_and_comments_leave_the_hash_of_the_drawing_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "__file__", str(tmp_path / "drawing.py"))
    (tmp_path / "plain.py").write_text("def f(): return 1")
    (tmp_path / "explained.py").write_text('"""M."""\ndef f():\n "F."\n return 1 # one')
    (tmp_path / "other.py").write_text("def f(): return 2")

    plain, explained, other = (drawing.hash_of([n]) for n in ("plain", "explained", "other"))

    assert plain == explained
    assert plain != other
    assert len(plain) == 16
