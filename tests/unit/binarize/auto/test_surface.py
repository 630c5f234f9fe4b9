"""The learned threshold: its arithmetic, and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from app.binarize import dithering
from app.binarize.auto import (
    compare,
    layers,
    old_paper,
    page_features,
    page_maps,
    surface,
)
from app.binarize.auto.corrections import focus, solids, tints
from app.binarize.auto.surface import WEIGHTS_FILE, weights
from benchmarks.training.weights import reader_digest
from testkit.images.pages import noise, scanned, shadowed_page

#: Sums of whole numbers are exact in float32 below this.
EXACT_BELOW = 2**24
#: int16 ends here.
KEPT_BELOW = 2**15


# --- the arithmetic, written down a second time, in whole numbers of 64 bits ------


def whole(name: str) -> Any:
    return weights()[name].astype(np.int64)


def rounded(values: Any, parts: int) -> Any:
    return np.rint(values / parts).astype(np.int64)


def mixed(x: Any, name: str) -> Any:
    """(channels, rows, columns) through a layer, not yet rounded."""
    bias = whole(f"{name}.bias") if f"{name}.bias" in weights() else np.zeros(1, np.int64)
    return np.einsum("ck,krx->crx", whole(f"{name}.weight"), x) + bias[:, None, None]


def activated(sums: Any) -> Any:
    return np.maximum(rounded(sums, 256), 0)


def block(x: Any, name: str) -> Any:
    framed = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    _, rows, columns = x.shape
    filters = whole(f"{name}.filter.weight").reshape(-1, 3, 3)
    sums = sum(
        filters[:, i, j, None, None] * framed[:, i : i + rows, j : j + columns]
        for i in range(3)
        for j in range(3)
    )
    return x + activated(mixed(rounded(sums, 256), f"{name}.mix"))


def narrowed(x: Any, name: str) -> Any:
    quarters = x[:, ::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, ::2] + x[:, 1::2, 1::2]
    return activated(mixed(rounded(quarters, 4), name))


def twice(x: Any) -> Any:
    """16 times x, twice as large: three parts of the nearest and one of the next, both ways."""
    for axis in (1, 2):
        before = np.concatenate([x.take([0], axis), x.take(range(x.shape[axis] - 1), axis)], axis)
        after = np.concatenate([x.take(range(1, x.shape[axis]), axis), x.take([-1], axis)], axis)
        pairs = np.stack([3 * x + before, 3 * x + after], axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])
    return x


def outputs(found: Any) -> Any:
    x = [activated(mixed(found, "enter"))]
    x[0] = block(x[0], "first.0")
    x.append(block(narrowed(x[0], "down.0"), "first.1"))
    x.append(narrowed(x[1], "down.1"))
    x[2] = block(block(x[2], "first.2.0"), "first.2.1")
    y = narrowed(x[2], "down.2")
    for name in ("deep.0", "deep.1", "deep.2"):
        y = block(y, name)
    for i, last in ((2, ["last.2"]), (1, ["last.1"]), (0, ["last.0.0", "last.0.1"])):
        y = rounded(16 * x[i] + twice(rounded(mixed(y, f"up.{i}"), 256)), 16)
        for name in last:
            y = block(y, name)
    return np.clip(rounded(mixed(y, "leave"), 32), -4096, 4096)


def enlarged(small: Any, factor: int, like: Any) -> Any:
    wide = page_features.widened(small, factor)
    out = np.empty((like.shape[0], wide.shape[1]), np.float32)
    for y, row in enumerate(out):
        page_features.enlarged_row(wide, y, factor, row)
    return out[:, : like.shape[1]].astype(np.int64)


def test_the_network_in_vectors_equals_integer_arithmetic() -> None:
    maps = page_maps.page_maps(page_maps.cells_of(shadowed_page()))
    found, contrast = page_features.features(maps)

    threshold, sharpness = surface.surface(maps, weights())

    o = outputs(found.transpose(1, 0, 2).astype(np.int64))
    paper, contrast = maps.paper.astype(np.int64), contrast.astype(np.int64)
    far, farther = enlarged(maps.paper_32, 4, paper), enlarged(maps.paper_128, 16, paper)
    at_8 = (
        512 * paper + o[7] * (far - paper) + o[8] * (farther - paper) - o[6] * (paper - maps.dark)
    )
    cells = np.kron(np.ones((2, 2), np.int64), np.zeros_like(paper))
    for j in range(4):
        spot = (slice(j // 2, None, 2), slice(j % 2, None, 2))
        low = at_8 - contrast * o[j] - o[4] * (paper - maps.cell_dark[spot])
        cells[spot] = low - o[5] * (paper - maps.cell_darkest[spot])
    assert (threshold == rounded(np.clip(cells, -128 * 512, 383 * 512), 16)).all()
    assert (sharpness == np.clip(rounded(o[9], 25), -82, 82)).all()


def test_no_sum_of_the_network_exceeds_the_exact_integers_of_float32_or_int16() -> None:
    learned = weights()
    for name in learned:
        assert name.endswith("bias") or np.abs(learned[name]).max() < KEPT_BELOW, name
        if not name.endswith(".weight") or "filter" in name:
            continue
        bias = learned.get(name.replace("weight", "bias"), np.zeros(len(learned[name])))
        most = 1.0
        if name.endswith("mix.weight"):
            filters = np.abs(learned[name.replace("mix", "filter")]).sum(1).max()
            assert filters * layers.MOST_ACTIVATION < EXACT_BELOW
            # What is filtered may be larger than what went in.
            most = max(1.0, filters / layers.WEIGHT_STEPS)
            assert most * layers.MOST_ACTIVATION < KEPT_BELOW
        largest = most * layers.largest_sum(learned[name], bias)
        assert largest < EXACT_BELOW, name
        # The others end at MOST_ACTIVATION before they are kept.
        assert "up." not in name or largest / layers.WEIGHT_STEPS < KEPT_BELOW


def test_the_comparison_of_each_pixel_equals_integer_arithmetic() -> None:
    rng = np.random.default_rng(3)
    gray = rng.integers(0, 256, (61, 70), np.uint8)
    threshold = rng.integers(-128 * 32, 383 * 32, (32, 32)).astype(np.float32)
    sharpness = rng.integers(-82, 83, (16, 16)).astype(np.float32)
    dark = rng.integers(0, 90, (16, 16), np.uint8)
    limits = compare.Limits(threshold, sharpness, dark)

    white = compare.binarized(gray, limits)

    def enlarge(values: Any, factor: int) -> Any:
        """(2 * factor)^2 times the values."""
        at = 2 * np.arange(factor * len(values)) + 1 - factor
        near = np.clip(at, 0, 2 * factor * (len(values) - 1)) // (2 * factor)
        share = np.clip(at, 0, 2 * factor * (len(values) - 1)) - 2 * factor * near
        after = np.minimum(near + 1, len(values) - 1)
        v = values.astype(np.int64)
        rows = v[near] * (2 * factor - share)[:, None] + v[after] * share[:, None]
        return rows[:, near] * (2 * factor - share) + rows[:, after] * share

    v = np.pad(gray, 2, mode="edge").astype(np.int64)
    around = sum(v[i : i + 61, j : j + 70] for i in range(5) for j in range(5))
    v = v[2:-2, 2:-2]
    sharp = rounded(enlarge(sharpness, 8)[:61, :70], 16)
    over = 8192 * v + sharp * (around - 25 * v) > 4 * enlarge(threshold, 4)[:61, :70]
    is_dark = v < np.kron(dark, np.ones((8, 8), np.int64))[:61, :70]
    assert ((white == 255) == (over & ~is_dark)).all()
    assert (over & is_dark).any()
    assert (compare.sampled(gray, limits) == white[::4, ::4]).all()


def dark_ink(page: Any) -> Any:
    return surface.dark_ink(page_maps.page_maps(page_maps.cells_of(scanned(page))))


def test_pixels_as_dark_as_the_ink_nearby_are_told_from_noise_and_from_shadow() -> None:
    shape = (256, 320)
    squares = np.kron(np.indices((22, 27)).sum(0) % 2, np.ones((12, 12)))[:256, :320]
    falling = np.tile(np.linspace(235, 60, 320), (256, 1))

    assert (dark_ink(235 - 200 * squares + noise(shape, 4)) > 0).all()
    assert (dark_ink(150 - 75 * squares + noise(shape, 25)) == 0).all()
    assert (dark_ink(falling + noise(shape, 2)) == 0).all()
    assert (dark_ink(235 - 60 * squares) == 0).all()


# --- the same everywhere ----------------------------------------------------------


def test_only_exact_operations_may_be_fused() -> None:
    fused = {
        name
        for module in (
            compare,
            dithering,
            *(focus, solids, tints),
            layers,
            old_paper,
            page_features,
            page_maps,
            surface,
        )
        for name, function in vars(module).items()
        if getattr(function, "targetoptions", {}).get("fastmath")
    }

    assert fused == {"compare_row", "eight_times", "four_times"}


# --- where the weights come from --------------------------------------------------


def test_the_weights_file_is_small_and_records_its_provenance() -> None:
    told = json.loads(surface.provenance())

    assert WEIGHTS_FILE.stat().st_size < 300_000
    assert sum(array.size for array in weights().values()) == 17_786
    assert {"stages", "steps", "seconds", "torch", "numpy", "opencv"} <= set(told)
    assert told["reader"] == reader_digest(weights()), "The reader has changed: train it anew."
    for stage in told["stages"]:
        assert stage["command"].startswith("python -m benchmarks.training.train ")
        assert stage["pages"] > 0
        assert stage["drawing_code"]
