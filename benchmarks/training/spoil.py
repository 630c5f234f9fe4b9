"""Spoil a clean page as paper, light, lens and file do."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .sheet import NEITHER, Rng, Sheet, between, blurred, inked, smooth


def scanned(sheet: Sheet, *, hard: float = 1.0) -> tuple[Any, Any]:
    """(gray, truth) as a scanner or camera sees the page; *hard* 0 is clean, 1 anything."""
    rng, page = sheet.rng, sheet.gray
    if rng.random() < 0.12 * hard:
        page = _warped(rng, page, sheet)
    page = page * _light(rng, page.shape, hard)
    if not sheet.is_blurred and rng.random() < 0.75:
        page = blurred(
            page, rng.uniform(0.3, 0.9) if rng.random() < 0.65 else rng.uniform(0.8, 1.9)
        )
    if rng.random() < 0.1 * hard:
        page = _resampled(rng, page)
    page = page + _noise(rng, page.shape, hard)
    page = np.clip(np.rint(page), 0, 255).astype(np.uint8)
    if rng.random() < 0.35 * hard:
        page = jpeg(page, int(rng.integers(12, 95)))
    return page, sheet.truth


def jpeg(page: Any, quality: int) -> Any:
    data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def _light(rng: Rng, shape: tuple[int, ...], hard: float) -> Any:
    height, width = shape
    light = np.ones(shape, np.float32)
    if rng.random() < 0.3 * hard:
        x = between(rng, 0.45, 1.05, width)
        y = between(rng, 0.7, 1.05, height)
        light *= x[None, :] * y[:, None]
    if rng.random() < 0.2 * hard:
        light *= smooth(rng, shape, rng.uniform(200, 600), rng.uniform(0.5, 1), 1)
    if rng.random() < 0.12 * hard:
        light *= 1 - rng.uniform(0.15, 0.5) * _cut(rng, shape, rng.uniform(3, 40))
    if rng.random() < 0.15 * hard:
        light *= smooth(rng, shape, rng.uniform(6, 60), rng.uniform(0.85, 1), 1)
    return light


def _cut(rng: Rng, shape: tuple[int, ...], soft_px: float) -> Any:
    """A half plane with a soft rim: the shadow of a hand or of the camera."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    away = (x - rng.uniform(0, width)) * np.cos(angle) + (y - rng.uniform(0, height)) * np.sin(
        angle
    )
    return 1 / (1 + np.exp(np.clip(-away / soft_px, -30, 30)))


def _noise(rng: Rng, shape: tuple[int, ...], hard: float) -> Any:
    shares = [0.14, 0.22, 0.28, 0.2, 0.1, 0.06] if hard > 0.5 else [0.3, 0.3, 0.3, 0.1, 0, 0]
    deviation = rng.choice([0, 1, 2.5, 5, 9, 18], p=shares) * rng.uniform(0.6, 1.3)
    noise = rng.standard_normal(shape, np.float32)
    if rng.random() < 0.4:
        noise = blurred(noise, rng.uniform(0.5, 1.5))
        noise /= max(float(noise.std()), 1e-3)
    return deviation * noise


def _resampled(rng: Rng, page: Any) -> Any:
    """As if scanned at a lower resolution and enlarged."""
    height, width = page.shape
    share = rng.uniform(0.45, 0.9)
    small = cv2.resize(page, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST]))
    return cv2.resize(small, (width, height), interpolation=how)


def _warped(rng: Rng, page: Any, sheet: Sheet) -> Any:
    """Bent or turned a little, with its truth."""
    height, width = page.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bend, lean = rng.uniform(0, 6), rng.uniform(-0.05, 0.05)
    x = x + bend * smooth(rng, page.shape, 120, -1, 1) - lean * (y - height / 2)
    y = y + bend * smooth(rng, page.shape, 120, -1, 1) + lean * (x - width / 2)
    x, y = x.astype(np.float32), y.astype(np.float32)
    kept = np.stack([sheet.truth == 0, sheet.truth == NEITHER]).astype(np.float32)
    ink, neither = (
        cv2.remap(k, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for k in kept
    )
    sheet.truth = np.where(neither > 0.3, NEITHER, np.where(inked(ink, sheet.bold), 0, 255)).astype(
        np.uint8
    )
    return cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def dirty(sheet: Sheet, share: float = 0.3) -> None:
    """Stains, folds and show-through: none of it is ink."""
    rng = sheet.rng
    if rng.random() < share:
        for _ in range(int(rng.integers(1, 4))):
            sheet.gray *= 1 - rng.uniform(0.05, 0.4) * _stain(rng, sheet.gray.shape)


def _stain(rng: Rng, shape: tuple[int, ...]) -> Any:
    height, width = shape
    mask = np.zeros(shape, np.float32)
    centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
    kind = rng.random()
    if kind < 0.5:
        axes = tuple(int(v) for v in rng.integers(20, 220, 2))
        thick = -1 if rng.random() < 0.7 else int(rng.integers(4, 25))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, thick)
    elif kind < 0.75:
        end = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.line(mask, centre, end, 1, int(rng.integers(2, 14)))
    else:
        cv2.fillPoly(mask, [rng.integers(0, min(shape), (4, 2)).astype(np.int32)], 1)
    mask = blurred(mask, rng.uniform(1.5, 12))
    return mask * smooth(rng, shape, 30, 0.6, 1) if rng.random() < 0.5 else mask
