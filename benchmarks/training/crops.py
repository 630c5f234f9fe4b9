"""Crops of drawn pages, enlarged, turned, darkened and spoiled at random, for training."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from app.binarize.auto.page_features import enlarged_row, features, widened
from app.binarize.auto.page_maps import CELL_PX, cells_of, page_maps

from .sheet import COVERED, INK, NEITHER, PAPER, Rng, inked, smooth
from .spoil import jpeg

SIDE: Final = 384
#: The share of crops that begin on the grid of cells, as pages do.
ON_GRID: Final = 0.5
#: Marks of fewer pixels count more, up to so many times.
SMALL_MARK_PX: Final = 80
MOST_IMPORTANCE: Final = 6
#: Paper farther from ink counts more: a speck there is read as a mark.
FAR_PX: Final = 12
FAR_PAPER: Final = 2
#: Pixels beside ink count so much less.
RIM_LENIENCY: Final = 0.2


def crop(rng: Rng, gray: Any, truth: Any) -> tuple[Any, Any]:
    """(gray, truth), SIDE x SIDE, uint8."""
    zoom = float(np.exp(rng.uniform(-0.55, 0.55))) if rng.random() < 0.55 else 1.0
    gray, truth = _cut(rng, gray, truth, round(SIDE / zoom))
    gray, truth = _turned(rng, _resized(gray), _resized_truth(truth))
    if rng.random() < 0.05:
        return _empty(rng), np.full_like(truth, PAPER)
    return _spoiled(rng, gray.astype(np.float32)), truth


def _empty(rng: Rng) -> Any:
    """Paper with noise of any grain."""
    noise = rng.standard_normal((SIDE, SIDE), np.float32)
    if rng.random() < 0.6:
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 4))
        noise /= noise.std()
    gray = rng.uniform(60, 255) + rng.uniform(0, 20) * noise
    if rng.random() < 0.4:
        gray *= smooth(rng, gray.shape, 200, 0.5, 1)
    gray = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
    return jpeg(gray, int(rng.integers(20, 95))) if rng.random() < 0.4 else gray


def _cut(rng: Rng, gray: Any, truth: Any, side: int) -> tuple[Any, Any]:
    side, on_grid = min(side, *gray.shape), rng.random() < ON_GRID
    for _ in range(3):
        y, x = (int(rng.integers(0, length - side + 1)) for length in gray.shape)
        if on_grid:
            y, x = y // CELL_PX * CELL_PX, x // CELL_PX * CELL_PX
        spot = (slice(y, y + side), slice(x, x + side))
        if (truth[spot] == INK).any() or rng.random() < 0.15:
            break
    return gray[spot], truth[spot]


def _resized(gray: Any) -> Any:
    if len(gray) == SIDE:
        return gray
    how = cv2.INTER_AREA if len(gray) > SIDE else cv2.INTER_CUBIC
    return cv2.resize(gray, (SIDE, SIDE), interpolation=how)


def _resized_truth(truth: Any) -> Any:
    if len(truth) == SIDE:
        return truth
    how = cv2.INTER_AREA if len(truth) > SIDE else cv2.INTER_LINEAR
    ink, neither = (
        cv2.resize((truth == value).astype(np.float32), (SIDE, SIDE), interpolation=how)
        for value in (INK, NEITHER)
    )
    return np.where(neither > 0.3, NEITHER, np.where(inked(ink, COVERED), INK, PAPER)).astype(
        np.uint8
    )


def _turned(rng: Rng, *arrays: Any) -> tuple[Any, ...]:
    turns, is_mirrored = int(rng.integers(0, 4)), rng.random() < 0.5
    turned = (np.rot90(a, turns) for a in arrays)
    return tuple(a[:, ::-1] if is_mirrored else a for a in turned)


def _spoiled(rng: Rng, gray: Any) -> Any:
    if rng.random() < 0.3:
        bright = np.percentile(gray[::8, ::8], 90)
        gray = bright + (gray - bright) * rng.uniform(0.4, 1.1)
    if rng.random() < 0.05:
        # Seldom: it moves the rim of ink away from half way, and nobody can tell.
        gray = 255 * (np.clip(gray, 0, 255) / 255) ** np.float32(rng.uniform(0.65, 1.5))
    if rng.random() < 0.5:
        gray = gray * rng.uniform(0.6, 1.08)
    if rng.random() < 0.15:
        gray = gray * smooth(rng, gray.shape, 160, rng.uniform(0.5, 0.9), 1)
    if rng.random() < 0.3:
        # More than a seventh of the contrast of the crop leaves nothing to read.
        contrast = np.ptp(np.percentile(gray[::4, ::4], (2, 98)))
        most = contrast * (0.05 if rng.random() < 0.7 else 0.14)
        gray = gray + rng.uniform(0, most) * rng.standard_normal(gray.shape, np.float32)
    if rng.random() < 0.1:
        specks = rng.random(gray.shape) < rng.uniform(0, 0.002)
        gray = np.where(specks, gray + rng.uniform(-140, 60), gray)
    return np.ascontiguousarray(np.clip(np.rint(gray), 0, 255).astype(np.uint8))


def importance(truth: Any) -> Any:
    """More for the pixels of small marks, as a full stop counts as much as a bar, and far paper."""
    _, labels = cv2.connectedComponents((truth == INK).astype(np.uint8), connectivity=8)
    areas = np.maximum(np.bincount(labels.ravel()), 1)
    weights = np.clip((SMALL_MARK_PX / areas) ** 0.5, 1, MOST_IMPORTANCE).astype(np.float32)
    away = cv2.distanceTransform((truth != INK).astype(np.uint8), cv2.DIST_L2, 3)
    return np.where(labels > 0, weights.take(labels), np.where(away > FAR_PX, FAR_PAPER, 1)).astype(
        np.float32
    )


def counted(truth: Any) -> Any:
    """1 for what counts, less beside ink, 0 for what does not.

    Where ink ends is a matter of taste by half a pixel; that a thin stroke is there is none.
    """
    near = cv2.dilate((truth == INK).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rim = near & (truth != INK)
    return np.where(truth == NEITHER, 0, np.where(rim, 1 - RIM_LENIENCY, 1)).astype(np.float32)


def seen(gray: Any) -> tuple[Any, ...]:
    """Features of a crop and the gray maps of `network.threshold`, as the engine makes them."""
    maps = page_maps(cells_of(gray))
    found, contrast = features(maps)
    far, farther = (
        _enlarged(m, f, contrast) for m, f in ((maps.paper_32, 4), (maps.paper_128, 16))
    )
    grays = (contrast, maps.paper, far, farther, maps.cell_dark, maps.cell_darkest, maps.dark)
    return found.transpose(1, 0, 2).astype(np.float32), *(g.astype(np.float32) for g in grays)


def _enlarged(small: Any, factor: int, like: Any) -> Any:
    out, wide = np.empty_like(like), widened(small, factor)
    for y, row in enumerate(out):
        enlarged_row(wide, y, factor, row)
    return out
