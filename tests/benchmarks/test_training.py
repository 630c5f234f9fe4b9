"""The pages that `auto` is trained on: drawn, repeatable, and not those that judge it."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from benchmarks.training import drawing
from benchmarks.training.kinds import KINDS
from benchmarks.training.sheet import INK, NEITHER, PAPER

#: Of these nothing, or hardly anything, is ink.
EMPTY = {"blank"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_each_kind_has_ink_and_a_truth_for_each_pixel(kind: str) -> None:
    gray, truth = drawing.drawn(np.random.default_rng(1), kind)

    assert gray.dtype == truth.dtype == np.uint8
    assert gray.shape == truth.shape
    assert set(np.unique(truth)) <= {INK, NEITHER, PAPER}
    assert (truth == INK).any() or kind in EMPTY


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


def test_the_hash_of_the_drawing_code_is_that_of_what_it_does() -> None:
    assert drawing.drawing_code() == drawing.drawing_code()
    assert len(drawing.drawing_code()) == 16
