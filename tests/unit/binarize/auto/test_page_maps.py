"""The maps that the network sees, computed a second time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.binarize.auto.page_maps import BLOCK_PX, CELL_PX, cells_of


def in_cells(page: Any) -> Any:
    """(rows, CELL_PX, columns, CELL_PX) of whole numbers."""
    rows, columns = (side // CELL_PX for side in page.shape)
    return page.astype(np.int64).reshape(rows, CELL_PX, columns, CELL_PX)


def mirrored(page: Any) -> Any:
    """*page* to whole blocks of BLOCK_PX."""
    return np.pad(page, [(0, -side % BLOCK_PX) for side in page.shape], mode="symmetric")


@pytest.mark.parametrize("shape", [(64, 128), (61, 67), (1, 70), (90, 1), (3, 2)])
def test_cells_have_the_darkest_the_mean_and_the_brightest_of_16_pixels(
    shape: tuple[int, int],
) -> None:
    page = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    wide = in_cells(mirrored(page))

    cells = cells_of(page)

    assert (cells.low == wide.min((1, 3))).all()
    assert (cells.mean == (wide.sum((1, 3)) + 8) // 16).all()
    assert (cells.high == wide.max((1, 3))).all()


@pytest.mark.parametrize("shape", [(64, 128), (61, 67), (2, 70), (90, 1)])
def test_the_step_of_a_cell_is_the_greatest_difference_to_the_right_and_down_in_its_second_row(
    shape: tuple[int, int],
) -> None:
    page = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    wide = np.pad(page.astype(np.int64), [(0, -shape[0] % BLOCK_PX), (0, 0)], mode="symmetric")
    row, down = wide[1::CELL_PX], wide[2::CELL_PX]
    steps = np.maximum(abs(row[:, :-1] - row[:, 1:]), abs(row - down)[:, :-1])
    steps = np.pad(steps, [(0, 0), (0, 1)])
    steps = np.pad(steps, [(0, 0), (0, -shape[1] % BLOCK_PX)], "symmetric")

    step = cells_of(page).step

    assert (step == steps.reshape(len(steps), -1, CELL_PX).max(2)).all()
