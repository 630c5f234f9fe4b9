"""The compiled loops over pixels, wherever they are."""

from __future__ import annotations

from app.binarize import color, dithering
from app.binarize.auto import (
    channels,
    compare,
    layers,
    old_paper,
    page_features,
    page_maps,
    paper_depth,
    surface,
)
from app.png import filters


def test_every_loop_over_pixels_leaves_the_gil_free() -> None:
    modules = (
        channels, color, compare, dithering, layers, old_paper, page_features, page_maps,
        filters, paper_depth, surface,
    )  # fmt: skip
    loops = [f for module in modules for f in vars(module).values() if hasattr(f, "targetoptions")]

    assert len(loops) >= 20
    assert all(loop.targetoptions["nogil"] for loop in loops)
