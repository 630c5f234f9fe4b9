"""Kinds of old pages: faded, stained, mottled, with the other side bleeding through.

The contests' people draw ink bolder than half coverage, so a pixel counts from BOLD on, softness
included.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from .kinds import kind
from .sheet import INK, Rng, Sheet, blurred, handwriting, inked, smooth
from .spoil import dirty

BOLD: Final = 0.38


def old_paper(rng: Rng) -> Sheet:
    """Gray or light paper that is mottled, foxed and darker at its rims."""
    page = Sheet(
        rng, int(rng.integers(9, 14)) * 64, int(rng.integers(9, 13)) * 64, rng.uniform(120, 240)
    )
    shape = page.gray.shape
    for grain, depth in ((300, 0.3), (40, 0.14), (6, 0.08)):
        if rng.random() < 0.7:
            page.gray *= smooth(
                rng, shape, grain * rng.uniform(0.6, 1.6), 1 - depth * rng.random(), 1
            )
    if rng.random() < 0.3:
        _foxing(page)
    if rng.random() < 0.25:
        _laid_lines(page)
    if rng.random() < 0.3:
        _folds(page)
    if rng.random() < 0.4:
        _blots(page)
    if rng.random() < 0.3:
        _dark_corner(page)
    if rng.random() < 0.25:
        y, x = np.mgrid[0 : page.height, 0 : page.width].astype(np.float32)
        edge = np.minimum(np.minimum(x, page.width - x), np.minimum(y, page.height - y))
        page.gray *= 1 - rng.uniform(0.1, 0.5) * np.exp(-edge / rng.uniform(10, 90))
    page.bold = BOLD
    return page


def _foxing(page: Sheet) -> None:
    spots = smooth(page.rng, page.gray.shape, page.rng.uniform(6, 24), 0, 1)
    page.gray *= 1 - page.rng.uniform(0.1, 0.4) * np.clip((spots - 0.85) * 7, 0, 1)


def _laid_lines(page: Sheet) -> None:
    """Lines of the sieve, or of a press: dark and light bands across the page."""
    rng = page.rng
    y = np.arange(page.height, dtype=np.float32)
    bands = np.sin(y * 6.28 / rng.uniform(4, 24) + rng.uniform(0, 6)) * 0.5 + 0.5
    ragged = 1 - rng.uniform(0.04, 0.3) * bands[:, None] * smooth(rng, page.gray.shape, 25, 0.2, 1)
    page.gray *= ragged if rng.random() < 0.6 else _transposed(ragged, page)


def _transposed(field: Any, page: Sheet) -> Any:
    return cv2.resize(np.ascontiguousarray(field.T), (page.width, page.height))


def _folds(page: Sheet) -> None:
    """Lines where the sheet was folded: soft, dark, from one side to the other."""
    rng = page.rng
    for _ in range(int(rng.integers(1, 3))):
        mask = np.zeros_like(page.gray)
        at = rng.uniform(0.1, 0.9, 2) * (page.width if rng.random() < 0.6 else page.height)
        ends = [(int(at[0]), 0), (int(at[0] + rng.normal(0, 12)), page.height)]
        if rng.random() < 0.4:
            ends = [(0, int(at[1])), (page.width, int(at[1] + rng.normal(0, 12)))]
        cv2.line(mask, ends[0], ends[1], 1.0, int(rng.integers(2, 22)))
        soft = blurred(mask, rng.uniform(1.5, 9)) * smooth(rng, mask.shape, 60, 0.3, 1)
        page.gray *= 1 - rng.uniform(0.15, 0.65) * soft


def _blots(page: Sheet) -> None:
    """Stains up to as dark as ink, soft at their rims and uneven inside."""
    rng = page.rng
    for _ in range(int(rng.integers(1, 7))):
        mask = np.zeros_like(page.gray)
        centre = (int(rng.integers(0, page.width)), int(rng.integers(0, page.height)))
        axes = tuple(int(v) for v in rng.uniform(8, 90, 2))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        mask = mask * smooth(rng, mask.shape, rng.uniform(6, 40), 0, 1.3)
        page.gray *= 1 - rng.uniform(0.2, 0.75) * np.clip(blurred(mask, rng.uniform(2.5, 14)), 0, 1)


def _dark_corner(page: Sheet) -> None:
    """Dirt and damp from a border or a corner inward, with ragged rims."""
    rng = page.rng
    y, x = np.mgrid[0 : page.height, 0 : page.width].astype(np.float32)
    away = np.hypot(
        x - rng.choice([0, 0.5, 1]) * page.width, y - rng.choice([0, 0.5, 1]) * page.height
    )
    reach = rng.uniform(60, 320) * smooth(rng, page.gray.shape, 60, 0.5, 1.2)
    dark = 1 / (1 + np.exp(np.clip((away - reach) / rng.uniform(4, 40), -30, 30)))
    page.gray *= 1 - rng.uniform(0.2, 0.6) * dark * smooth(rng, page.gray.shape, 12, 0.7, 1)


def writing(rng: Rng, page: Sheet, *, hand: float = 0.6) -> Any:
    """Coverage of print or handwriting all over the page."""
    if rng.random() < hand:
        if rng.random() < 0.5:
            return handwriting(rng, page.height, page.width)
        font = page.font(hand=True)
    else:
        font = page.font()
    image, draw = page.drawing()
    left = rng.uniform(0, 60)
    page.paragraph(
        draw,
        (left, rng.uniform(-20, 40), page.width - left, page.height + 30),
        rng.uniform(16, 70),
        font,
    )
    return page.coverage(image)


def lay_faded(page: Sheet, cover: Any, share: float, evenness: float) -> None:
    """Ink that is paler here and there, and soft at its rim."""
    rng = page.rng
    fade = smooth(rng, cover.shape, rng.uniform(15, 260), evenness, 1)
    if rng.random() < 0.5:
        fade = fade * smooth(rng, cover.shape, rng.uniform(2, 8), rng.uniform(0.55, 1), 1)
    if rng.random() < 0.3:
        # Ink runs to the rim of a stroke: broad ones are paler inside.
        fade = fade * (1 - rng.uniform(0.2, 0.75) * blurred(cover, rng.uniform(1.5, 3)) ** 2)
    soft = np.clip(blurred(cover, rng.uniform(0.4, 1.5)) * rng.uniform(1, 1.15), 0, 1)
    page.truth[inked(soft, page.bold)] = INK
    page.gray *= 1 - soft * fade * share


def bleed(page: Sheet, most: float) -> None:
    """The other side's ink, mirrored: softer, but up to nearly as dark as this side's."""
    rng = page.rng
    other = writing(rng, page, hand=0.75)[:, ::-1]
    if rng.random() < 0.25:
        other = _transposed(other, page)
    spread = smooth(rng, other.shape, rng.uniform(60, 300), rng.uniform(0, 0.7), 1)
    other = np.clip(blurred(other, rng.uniform(1.1, 5)) * rng.uniform(1, 1.5), 0, 1) * spread
    page.gray *= 1 - other * rng.uniform(0.06, most)


@kind(weight=6.0, hard=0.7)
def old_hand(rng: Rng) -> Sheet:
    """A manuscript in fading ink."""
    page = old_paper(rng)
    lay_faded(page, writing(rng, page, hand=1), rng.uniform(0.25, 0.85), rng.uniform(0.3, 1))
    dirty(page, 0.5)
    return page


@kind(weight=4.0, hard=0.7)
def old_print(rng: Rng) -> Sheet:
    """Printed with worn type on rough paper."""
    page = old_paper(rng)
    cover = writing(rng, page, hand=0)
    if rng.random() < 0.5:
        rough = smooth(rng, cover.shape, rng.uniform(2, 5), -0.5, 0.5)
        cover = np.clip(blurred(cover, 0.8) + rough * rng.uniform(0, 0.5) * (cover > 0.02), 0, 1)
    lay_faded(page, cover, rng.uniform(0.4, 0.9), rng.uniform(0.6, 1))
    dirty(page, 0.4)
    return page


@kind(weight=1.5, hard=0.6)
def two_hands(rng: Rng) -> Sheet:
    """Two inks on a page, one of them much paler."""
    page = old_paper(rng)
    lay_faded(page, writing(rng, page, hand=1), rng.uniform(0.5, 0.85), 0.7)
    lay_faded(page, writing(rng, page, hand=1), rng.uniform(0.28, 0.5), 0.8)
    return page


@kind(weight=6.0, hard=0.7)
def bleeding(rng: Rng) -> Sheet:
    """The other side shows as dark as the ink of this side, but softer."""
    page = old_paper(rng)
    bleed(page, 0.42)
    cover = writing(rng, page)
    if rng.random() < 0.5:
        top, bottom = np.sort(rng.uniform(-0.3, 1.3, 2)) * page.height
        cover[max(0, int(top)) : max(0, int(bottom))] = 0
    lay_faded(page, cover, rng.uniform(0.45, 0.9), rng.uniform(0.5, 1))
    dirty(page, 0.3)
    return page


@kind(weight=1.0, hard=0.4)
def low_contrast(rng: Rng) -> Sheet:
    """Ink hardly darker than brown paper."""
    page = old_paper(rng)
    page.gray *= rng.uniform(0.5, 1)
    lay_faded(page, writing(rng, page), rng.uniform(0.2, 0.4), rng.uniform(0.6, 1))
    return page


@kind(weight=3.0, hard=0.4)
def pale_hand(rng: Rng) -> Sheet:
    """Broad strokes of a pale and even ink on light paper."""
    page = old_paper(rng)
    cover = handwriting(rng, page.height, page.width, broad=True)
    lay_faded(page, cover, rng.uniform(0.18, 0.5), rng.uniform(0.7, 1))
    return page
