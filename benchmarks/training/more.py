"""Further kinds, thought of before anything was trained; those held out judge and never train."""

# Longer than 300 lines: one function for each kind of page; a move changes the hash in the weights.

from __future__ import annotations

import cv2
import numpy as np

from .kinds import kind
from .office import black, pen, sheet, some_print
from .sheet import (
    INK,
    NEITHER,
    PAPER,
    Rng,
    Sheet,
    blurred,
    handwriting,
    inked,
    polyline,
    signature,
    smooth,
)


@kind(weight=1.0)
def carbon_copy(rng: Rng) -> Sheet:
    """The second sheet of a form: soft, unevenly pressed writing and print."""
    page = sheet(rng)
    ink = np.zeros_like(page.gray)
    text = Sheet(rng, page.width, page.height, 255)
    text.print((30, 20, page.width - 30, page.height * 0.6), rng.uniform(16, 34), 0)
    ink = np.maximum(ink, (255 - text.gray) / 255)
    image, draw = page.drawing()
    signature(draw, rng, 60, page.height * 0.8, rng.uniform(2, 5))
    ink = np.maximum(ink, page.coverage(image))
    page.truth[inked(ink, page.bold)] = INK
    pressed = smooth(rng, ink.shape, rng.uniform(20, 120), rng.uniform(0.45, 0.8), 1)
    ink = blurred(ink, rng.uniform(0.7, 1.7)) * pressed
    page.gray = page.gray * (1 - ink * rng.uniform(0.3, 0.65))
    return page


@kind(weight=0.9)
def dot_matrix(rng: Rng) -> Sheet:
    """Letters of dots from a needle printer with a worn ribbon."""
    page = sheet(rng)
    size = rng.uniform(18, 40)
    text = Sheet(rng, page.width, page.height, 255)
    text.print((20, 20, page.width - 20, page.height - 10), size, 0, lead=1.5)
    pitch = max(2, round(size / 9))
    y, x = np.mgrid[0 : page.height, 0 : page.width]
    dots = ((y % pitch - (pitch - 1) / 2) ** 2 + (x % pitch - (pitch - 1) / 2) ** 2) <= (
        pitch * 0.55
    ) ** 2
    ink = (255 - text.gray) / 255
    page.lay(ink * dots, page.gray[0, 0] * rng.uniform(0.2, 0.6))
    page.truth[(ink >= 0.3) & ~dots & (page.truth != INK)] = NEITHER
    return page


@kind(weight=0.7)
def fax(rng: Rng) -> Sheet:
    """Coarse and jagged: set in a low resolution, two values only, with lost and added dots."""
    page = sheet(rng, dark=0)
    some_print(page)
    share = rng.uniform(0.4, 0.7)
    small = cv2.resize(page.gray, None, fx=share, fy=share * 0.8, interpolation=cv2.INTER_AREA)
    hard = np.where(small + rng.normal(0, 12, small.shape) < 190, 20, 245).astype(np.float32)
    page.gray = cv2.resize(hard, (page.width, page.height), interpolation=cv2.INTER_NEAREST)
    page.truth = np.where(page.gray < 128, INK, PAPER).astype(np.uint8)
    return page


@kind(weight=0.8)
def graph_paper(rng: Rng) -> Sheet:
    """Notes on squared or ruled paper; whether the pale grid stays is all one, the notes stay."""
    page = sheet(rng, dark=0.05)
    grid, draw = page.drawing()
    step = rng.uniform(18, 60)
    for y in np.arange(step, page.height, step):
        polyline(draw, [(0, y), (page.width, y)], rng.uniform(1, 2))
    for x in np.arange(step, page.width, step) if rng.random() < 0.6 else ():
        polyline(draw, [(x, 0), (x, page.height)], rng.uniform(1, 2))
    page.lay(grid, page.gray[0, 0] * rng.uniform(0.74, 0.92), counts=False)
    page.truth[blurred(page.coverage(grid), 1) > 0.04] = NEITHER
    gray = pen(rng, page)
    if rng.random() < 0.5:
        page.lay(handwriting(rng, page.height, page.width), gray)
    else:
        page.print(
            (40, 20, page.width - 40, page.height), step * 0.9, gray, font=page.font(hand=True)
        )
    return page


@kind(weight=1.0)
def logo(rng: Rng) -> Sheet:
    """Large solid shapes, some with light letters, beside print."""
    page = sheet(rng)
    for _ in range(int(rng.integers(1, 4))):
        image, draw = page.drawing()
        wide, high = rng.uniform(80, 420, 2)
        left, top = rng.uniform(0, page.width - wide), rng.uniform(0, page.height - high)
        box = (left * 2, top * 2, (left + wide) * 2, (top + high) * 2)
        shape = rng.random()
        if shape < 0.4:
            draw.ellipse(box, fill=255)
        elif shape < 0.7:
            draw.rounded_rectangle(box, radius=float(rng.uniform(0, 60)), fill=255)
        else:
            draw.polygon(
                [(box[0], box[3]), (box[2], box[3]), ((box[0] + box[2]) / 2, box[1])], fill=255
            )
        if rng.random() < 0.5:
            page.words(
                draw,
                left + wide * 0.25,
                top + high * 0.4,
                str(rng.choice(["ACME", "Sul", "A1", "&Co"])),
                wide * rng.uniform(0.1, 0.25),
                page.font(),
                0,
            )
        page.lay(image, page.gray[0, 0] * rng.uniform(0.06, 0.6))
    some_print(page, top=page.height * rng.uniform(0.5, 0.8))
    return page


@kind(weight=0.7)
def redacted(rng: Rng) -> Sheet:
    """Black bars over words."""
    page = sheet(rng)
    some_print(page)
    image, draw = page.drawing()
    for _ in range(int(rng.integers(2, 14))):
        x, y, high = (
            rng.uniform(10, page.width - 90),
            rng.uniform(10, page.height - 30),
            rng.uniform(14, 44),
        )
        draw.rectangle((x * 2, y * 2, (x + rng.uniform(30, 400)) * 2, (y + high) * 2), fill=255)
    page.lay(image, black(rng) * 0.8)
    return page


@kind(weight=0.8, hard=1.0)
def book_gutter(rng: Rng) -> Sheet:
    """A page that sinks into the dark at its binding."""
    page = sheet(rng, dark=0.3)
    some_print(page)
    x = np.linspace(0, 1, page.width, dtype=np.float32)
    light = 1 - rng.uniform(0.4, 0.85) * np.exp(-x / rng.uniform(0.03, 0.2))
    page.gray *= light[::-1] if rng.random() < 0.5 else light
    return page


@kind(weight=0.8)
def line_drawing(rng: Rng) -> Sheet:
    """Plans and maps: thin lines of many grays, hatching, small letters."""
    page = sheet(rng)
    for _ in range(int(rng.integers(4, 16))):
        image, draw = page.drawing()
        kind_ = rng.random()
        x, y = rng.uniform(0, page.width), rng.uniform(0, page.height)
        if kind_ < 0.4:
            points = np.cumsum(rng.normal(0, 40, (8, 2)), 0) + np.array([x, y])
            polyline(draw, points, rng.uniform(1, 4))
        elif kind_ < 0.7:
            side = rng.uniform(40, 260)
            draw.rectangle(
                (x * 2, y * 2, (x + side) * 2, (y + side * 0.7) * 2),
                outline=255,
                width=int(rng.integers(2, 8)),
            )
        else:
            for k in np.arange(0, rng.uniform(40, 200), rng.uniform(5, 14)):
                polyline(draw, [(x + k, y), (x + k + 60, y + 90)], rng.uniform(1, 2))
        page.words(draw, x + 4, y + 4, f"{rng.integers(1, 900)}", rng.uniform(10, 22), page.font())
        page.lay(image, page.gray[0, 0] * rng.uniform(0.08, 0.72))
    return page


@kind(weight=0.7)
def dark_in_part(rng: Rng) -> Sheet:
    """A page of which a part lies in deep shadow or under a tint, with print in both."""
    page = sheet(rng)
    some_print(page, gray=rng.uniform(10, 60))
    left, top = int(rng.uniform(0, page.width * 0.7)), int(rng.uniform(0, page.height * 0.7))
    mask = np.zeros_like(page.gray)
    mask[top : top + int(rng.uniform(120, 700)), left : left + int(rng.uniform(120, 800))] = 1
    page.gray *= 1 - rng.uniform(0.2, 0.65) * blurred(mask, rng.uniform(0.6, 12))
    return page


@kind(weight=0.6)
def punched(rng: Rng) -> Sheet:
    """Punch holes, staples and black scanner edges, none of which counts."""
    page = sheet(rng)
    some_print(page)
    for k in range(int(rng.integers(1, 5))):
        r = int(rng.uniform(10, 24))
        x, y = int(rng.uniform(24, 60)), int(80 + k * rng.uniform(120, 200))
        hole = np.zeros_like(page.gray)
        cv2.circle(hole, (x, y), r, 1.0, -1, cv2.LINE_AA)
        page.lay(hole, rng.uniform(5, 90), counts=False)
        page.ignore(x - r - 3, y - r - 3, x + r + 3, y + r + 3)
    edge = int(rng.uniform(6, 90))
    page.gray[:, :edge] = rng.uniform(3, 70)
    page.ignore(0, 0, edge + 3, page.height)
    return page


@kind(weight=0.8, hard=1.0)
def faded_in_part(rng: Rng) -> Sheet:
    """Sun or glare took the ink of a part: what still shows stays."""
    page = sheet(rng)
    some_print(page)
    paper = float(np.percentile(page.gray, 90))
    lost = smooth(rng, page.gray.shape, rng.uniform(90, 400), -0.3, rng.uniform(0.4, 0.8)).clip(
        0, 0.8
    )
    page.gray = page.gray * (1 - lost) + paper * lost
    return page


@kind(weight=0.5)
def security_paper(rng: Rng) -> Sheet:
    """A cheque or certificate: print and pens over a pale pattern of waves, which is to go."""
    page = sheet(rng, dark=0)
    y, x = np.mgrid[0 : page.height, 0 : page.width].astype(np.float32)
    period = rng.uniform(5, 16)
    waves = np.sin(
        (y + rng.uniform(4, 30) * np.sin(x / rng.uniform(20, 70))) * 6.28 / period
    ) > rng.uniform(-0.2, 0.6)
    page.gray *= 1 - rng.uniform(0.03, 0.13) * blurred(waves, 0.7)
    some_print(page, bottom=page.height * 0.7)
    image, draw = page.drawing()
    signature(draw, rng, 100, page.height * 0.85, rng.uniform(2, 5))
    page.lay(image, pen(rng, page) * 0.8)
    return page


# --- held out --------------------------------------------------------------------


@kind(is_held_out=True)
def music_score(rng: Rng) -> Sheet:
    """Staves, note heads full and empty, beams."""
    page = sheet(rng)
    image, draw = page.drawing()
    gap = rng.uniform(7, 15)
    for top in np.arange(40, page.height - gap * 6, gap * 11):
        for k in range(5):
            polyline(
                draw, [(30, top + k * gap), (page.width - 30, top + k * gap)], max(1, gap * 0.12)
            )
        for x in np.arange(60, page.width - 60, gap * 3.2):
            y = top + rng.integers(-1, 9) * gap / 2
            box = (
                (x - gap * 0.6) * 2,
                (y - gap * 0.45) * 2,
                (x + gap * 0.6) * 2,
                (y + gap * 0.45) * 2,
            )
            draw.ellipse(
                box, **({"fill": 255} if rng.random() < 0.7 else {"outline": 255, "width": 3})
            )
            polyline(
                draw, [(x + gap * 0.55, y), (x + gap * 0.55, y - gap * 3.2)], max(1, gap * 0.13)
            )
            if rng.random() < 0.4:
                polyline(
                    draw, [(x + gap * 0.55, y - gap * 3), (x + gap * 3.7, y - gap * 3)], gap * 0.5
                )
    page.lay(image, black(rng))
    return page


@kind(is_held_out=True)
def sticky_note(rng: Rng) -> Sheet:
    """A darker note stuck on print, with pencil on it: the note goes, the words stay."""
    page = sheet(rng, dark=0)
    some_print(page)
    side = int(rng.uniform(180, 340))
    left, top = (
        int(rng.uniform(20, page.width - side - 10)),
        int(rng.uniform(20, page.height - side - 10)),
    )
    spot = (slice(top, top + side), slice(left, left + side))
    page.gray[spot] = rng.uniform(165, 220)
    page.truth[spot] = PAPER
    page.ignore(left - 3, top - 3, left + side + 3, top + 3)
    page.ignore(left - 3, top + side - 3, left + side + 3, top + side + 3)
    page.ignore(left - 3, top, left + 3, top + side)
    page.ignore(left + side - 3, top, left + side + 3, top + side)
    page.print(
        (left + 14, top + 14, left + side - 10, top + side),
        34,
        rng.uniform(60, 120),
        font=page.font(hand=True),
    )
    return page


@kind(is_held_out=True, hard=1.0)
def typewriter(rng: Rng) -> Sheet:
    """Each letter struck harder or softer than the next, through a tired ribbon."""
    page = sheet(rng)
    image, draw = page.drawing()
    page.paragraph(
        draw, (30, 20, page.width - 30, page.height - 10), rng.uniform(18, 30), page.font()
    )
    cover = page.coverage(image)
    struck = smooth(rng, cover.shape, 14, 0.5, 1) * smooth(rng, cover.shape, 3, 0.75, 1)
    page.truth[inked(cover, page.bold)] = INK
    page.gray *= 1 - cover * struck * rng.uniform(0.6, 0.9)
    return page


@kind(is_held_out=True)
def crossword(rng: Rng) -> Sheet:
    """Black squares, thin lines, small numbers, letters in pencil."""
    page = sheet(rng)
    side, lines = rng.uniform(32, 56), page.drawing()
    pencil = page.drawing()
    image, draw = lines
    font, hand = page.font(), page.font(hand=True)
    for i, y in enumerate(np.arange(30, page.height - side, side)):
        for j, x in enumerate(np.arange(30, page.width - side, side)):
            box = (x * 2, y * 2, (x + side) * 2, (y + side) * 2)
            draw.rectangle(
                box, **({"fill": 255} if rng.random() < 0.25 else {"outline": 255, "width": 3})
            )
            if rng.random() < 0.3:
                page.words(draw, x + 3, y + 2, str(i * 9 + j), side * 0.24, font)
            elif rng.random() < 0.5:
                page.words(
                    pencil[1],
                    x + side * 0.3,
                    y + side * 0.2,
                    str(rng.choice(list("AEIOSRT"))),
                    side * 0.6,
                    hand,
                )
    written = page.coverage(pencil[0]) * (page.coverage(image) < 0.1)
    page.lay(written, rng.uniform(90, 160))
    page.lay(image, black(rng))
    return page


@kind(is_held_out=True, hard=1.0)
def whiteboard(rng: Rng) -> Sheet:
    """Broad markers of several colours on a glossy board, glare and smears."""
    page = Sheet(rng, 832, 704, rng.uniform(170, 235))
    for _ in range(int(rng.integers(3, 8))):
        image, draw = page.drawing()
        x, y = rng.uniform(20, 500), rng.uniform(30, 620)
        if rng.random() < 0.6:
            page.words(
                draw,
                x,
                y,
                " ".join(
                    str(rng.choice(["plan", "A > B", "Q3 +12%", "todo", "ok?"])) for _ in range(3)
                ),
                rng.uniform(30, 60),
                page.font(hand=True),
            )
        else:
            points = np.cumsum(rng.normal(0, 70, (5, 2)), 0) + np.array([x, y])
            polyline(draw, points, rng.uniform(4, 9))
        page.lay(image, page.gray[0, 0] * rng.uniform(0.2, 0.65))
    page.gray += rng.uniform(0, 40) * smooth(rng, page.gray.shape, 200, 0, 1)
    page.gray *= smooth(rng, page.gray.shape, 40, 0.93, 1)
    return page


@kind(is_held_out=True)
def taped(rng: Rng) -> Sheet:
    """Clear tape across print: a darker strip with sharp sides, which is to go."""
    page = sheet(rng, dark=0)
    some_print(page)
    x, wide = int(rng.uniform(40, page.width - 200)), int(rng.uniform(50, 130))
    page.gray[:, x : x + wide] *= rng.uniform(0.72, 0.92)
    return page
