"""Forms that people fill in: boxes, bars, dotted lines, bubbles and squares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.quality.unseen.sheet import EITHER, PEN, Box, Color, Sheet, by_name

#: Tints of forms: neutral, green, blue, pink and yellow.
CASTS: Final = ((1, 1, 1), (0.95, 1, 0.95), (0.95, 0.98, 1), (1, 0.94, 0.95), (1, 0.99, 0.9))


def light_tint(sheet: Sheet, least: float = 0.74, most: float = 0.93) -> Color:
    """A tint that leaves *least* to *most* of the light."""
    share = 255 * sheet.between(least, most)
    red, green, blue = sheet.one_of((CASTS[0], sheet.one_of(CASTS)))
    return share * red, share * green, share * blue


def boxes(sheet: Sheet, title: str) -> Iterator[Box]:
    """Tinted boxes below their labels, 30 to 300 pixels high, outlined or not."""
    sheet.start(1240, 1000)
    sheet.text((60, 50), title, 34, style="bold")
    tint, outline, top = light_tint(sheet), sheet.whole(0, 3), 152
    for high in sheet.rng.permutation([30, 36, 44, 60, 90, 160, 300]).tolist():
        if top + high > 980:
            continue
        for left, right in ((60, 560), (620, 1180)) if high < 100 else ((60, 1180),):
            sheet.text((left, top - 30), sheet.line(300, 18), 18)
            sheet.tinted((left, top, right, top + high), tint)
            if outline:
                sheet.frame((left, top, right, top + high), outline)
            yield left, top, right, top + high
        top += high + 56


def tinted_boxes_empty(sheet: Sheet) -> None:
    list(boxes(sheet, "Application for a parking permit"))


def tinted_boxes_half_filled(sheet: Sheet) -> None:
    """A few words stand on the left of each box; the rest is empty."""
    for left, top, right, _ in boxes(sheet, "Change of address"):
        width = (right - left) * sheet.between(0.2, 0.6)
        if sheet.chance(0.5):
            sheet.write((left + 12, top + 4, left + width, top + 26))
        else:
            sheet.text((left + 12, top + 3), sheet.line(width, 20), 20)


def section_bars(sheet: Sheet) -> None:
    """Tinted bars across the page with a black heading, as on tax forms."""
    tint, high = light_tint(sheet), sheet.whole(32, 60)
    for part, y in enumerate(range(50, 840, 200)):
        sheet.tinted((50, y, 1190, y + high), tint)
        title = f"{part + 1}  {sheet.line(400, 22, 'bold')}"
        sheet.text((64, y + high // 2 - 13), title, 22, style="bold")
        sheet.paragraph((64, y + high + 14, 1150, y + 190), 20)


def dotted_leader_forms(sheet: Sheet) -> None:
    """Lines of dots to write on, of which some are written on."""
    pitch, dot = sheet.whole(6, 9), sheet.whole(2, 3)
    for y in range(80, 860, 62):
        label = sheet.line(260, 22, "serif")
        sheet.text((60, y), label, 22, style="serif")
        start = 80 + int(sheet.font(22, "serif").getlength(label))
        with sheet.ink() as draw:
            for x in range(start, 1180, pitch):
                draw.rectangle((x, y + 20, x + dot - 1, y + 19 + dot), fill=255)
        if sheet.chance(0.6):
            sheet.write((start + 20, y - 12, start + 420, y + 14))


def ballot_bubbles(sheet: Sheet) -> None:
    """Questions with five ovals each, one of them filled by pen, and timing marks beside them."""
    for row, y in enumerate(range(60, 860, 40)):
        sheet.text((90, y), f"{row + 1}. {sheet.line(420, 18)}", 18)
        filled = 603 + 90 * sheet.whole(0, 4)
        with sheet.ink(PEN) as draw:
            draw.ellipse((filled, y + 3, filled + 37, y + 18), fill=255)
        with sheet.ink() as draw:
            draw.rectangle((40, y + 4, 66, y + 15), fill=255)
            for x in range(600, 1050, 90):
                draw.ellipse((x, y, x + 43, y + 21), outline=255, width=2)


def payment_slip(sheet: Sheet) -> None:
    """A giro slip: the ground is tinted, the fields are white, digits for machines below."""
    sheet.start(1240, 700)
    grounds = ((248, 214, 186), (244, 205, 205), (208, 228, 240))
    sheet.tinted((0, 0, 1239, 600), sheet.one_of(grounds))
    for row, y in enumerate(range(70, 560, 100)):
        for left, right in ((60, 760), (820, 1180))[: 1 + row % 2]:
            sheet.text((left, y - 24), sheet.line(260, 15), 15)
            with sheet.cut() as draw:
                draw.rectangle((left, y, right, y + 52), fill=255)
            sheet.write((left + 10, y + 8, left + 0.6 * (right - left), y + 42))
    digits = sheet.digits(40)
    sheet.text((80, 630), f"{digits[:27]}>{digits[27:]}+", 30, style="mono")


def crossword_grid(sheet: Sheet) -> None:
    """Black cells, small numbers, some letters by pen, clues beside."""
    side, black = 50, sheet.rng.random((15, 15)) < 0.2
    with sheet.ink() as draw:
        for row, column in np.ndindex(15, 15):
            x, y, fill = 50 + side * column, 60 + side * row, 255 * int(black[row, column])
            draw.rectangle((x, y, x + side, y + side), fill=fill, outline=255, width=2)
            if not fill and sheet.chance(0.3):
                draw.text((x + 5, y + 3), str(row + column), font=sheet.font(13), fill=255)
    for row, column in np.argwhere(~black & (sheet.rng.random(black.shape) < 0.4)).tolist():
        letter = chr(sheet.whole(65, 90))
        sheet.text((66 + side * column, 72 + side * row), letter, 30, PEN)
    sheet.paragraph((850, 60, 1200, 840), 17, style="serif")


def squared_exercise_book(sheet: Sheet) -> None:
    """Sums by pen on pale blue squares, which may come out black or white."""
    pitch = sheet.whole(34, 42)
    with sheet.ink((190, 212, 238), EITHER) as draw:
        for x in range(pitch // 2, 1240, pitch):
            draw.line((x, 0, x, 900), fill=255)
            draw.line((0, x, 1240, x), fill=255)
        draw.line((110, 0, 110, 900), fill=255, width=2)
    for y in range(60, 860, 78):
        sheet.write((150, y, sheet.between(350, 1130), y + 34))


KINDS: Final = by_name(
    *(tinted_boxes_empty, tinted_boxes_half_filled, section_bars, dotted_leader_forms),
    *(ballot_bubbles, payment_slip, crossword_grid, squared_exercise_book),
)
