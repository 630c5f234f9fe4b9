"""Filters: undoing them does what the specification says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from app.errors import CorruptPngError
from app.png import filters
from testkit.png.pngs import apply_filter, paeth


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

    filters.undo_filters(np.array(filtered, np.uint8), restored, pixel_bytes)

    assert (restored == rows).all()


def test_the_short_form_of_paeth_agrees_with_the_specification() -> None:
    values = [*range(0, 256, 15), 1, 2, 3, 127, 128, 254]

    for left in values:
        for above in values:
            for corner in values:
                nearest = filters._nearest(left, above, corner)
                assert nearest == paeth(left, above, corner)


def test_a_filter_type_over_4_is_corrupt() -> None:
    filtered = np.zeros((3, 5), np.uint8)
    filtered[1, 0] = 5

    with pytest.raises(CorruptPngError, match="filter type 5"):
        filters.undo_filters(filtered, np.zeros((4, 4), np.uint8), 1)
