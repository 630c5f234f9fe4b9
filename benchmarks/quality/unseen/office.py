"""What an office prints: tables, charts, letterheads and slides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.quality.unseen.forms import light_tint
from benchmarks.quality.unseen.sheet import BLACK, EITHER, Box, Color, Sheet, by_name, gray

DEEP: Final[tuple[Color, ...]] = (
    *((25, 60, 120), (120, 30, 40), (20, 95, 70), (90, 50, 110)),
    *((200, 90, 30), (60, 60, 60), (0, 110, 150)),
)
COLUMNS: Final = (60, 460, 640, 820, 1010, 1180)


def rows(sheet: Sheet, top: int, high: int, size: int) -> Iterator[Box]:
    """Print the rows of a table down to the foot of the page, and yield the box of each."""
    for y in range(top, sheet.height - 30 - high, high):
        for left, right in itertools.pairwise(COLUMNS):
            text = sheet.line(right - left - 20, size) if left == 60 else sheet.word()
            sheet.text((left + 10, y + (high - size) // 2 - 2), text, size)
        yield 60, y, 1180, y + high


def rules(sheet: Sheet, boxes: list[Box], width: int, color: Color) -> None:
    """The lines around *boxes*, which are rows, and between the columns."""
    top, bottom = boxes[0][1], boxes[-1][3]
    with sheet.ink(color) as draw:
        for y in (top, *(box[3] for box in boxes)):
            draw.rectangle((60, y, 1180, y + width - 1), fill=255)
        for x in COLUMNS:
            draw.rectangle((x, top, x + width - 1, bottom), fill=255)


def table_header_shaded(sheet: Sheet) -> None:
    """The first row and the row of the total are shaded; there are rules or not."""
    tint, boxes = light_tint(sheet, 0.76, 0.9), [*rows(sheet, 80, sheet.whole(38, 52), 20)]
    for box in (boxes[0], boxes[-1]):
        sheet.tinted(box, tint)
    if sheet.chance(0.6):
        rules(sheet, boxes, 1, gray(0.2))


def zebra_table(sheet: Sheet) -> None:
    tint = light_tint(sheet, 0.88, 0.95)
    for box in [*rows(sheet, 60, sheet.whole(30, 46), 18)][::2]:
        sheet.tinted(box, tint)


def dark_header_white_words(sheet: Sheet) -> None:
    """The bar above a table is ink, the words in it are paper."""
    high = sheet.whole(44, 70)
    sheet.fill((60, 60, 1180, 60 + high), sheet.one_of((gray(sheet.between(0.2, 0.5)), *DEEP)))
    for x in COLUMNS[:-1]:
        sheet.white_text((x + 10, 60 + high // 2 - 14), sheet.word(), 22)
    list(rows(sheet, 70 + high, 44, 20))


def pale_rules(sheet: Sheet) -> None:
    """Black print between rules of 1 to 3 pixels that leave 0.75 to 0.88 of the light."""
    color = gray(sheet.between(0.75, 0.88))
    rules(sheet, [*rows(sheet, 60, 44, 20)], sheet.whole(1, 3), color)


def spreadsheet_hairlines(sheet: Sheet) -> None:
    """Small numbers between hairlines, below shaded letters of the columns."""
    sheet.tinted((60, 60, 1180, 86), gray(0.88))
    for x, letter in zip(COLUMNS, "ABCDE", strict=False):
        sheet.text((x + 50, 64), letter, 15)
    boxes = [(60, 60, 1180, 86), *rows(sheet, 86, 26, 15)]
    rules(sheet, boxes, 1, gray(sheet.between(0.4, 0.65)))


def letterhead_band(sheet: Sheet) -> None:
    """A band of a deep colour with the company's name, a letter, a thin band at the foot."""
    color, high = sheet.one_of(DEEP), sheet.whole(70, 170)
    sheet.fill((0, 0, 1240, high), color)
    sheet.white_text((70, high // 2 - 26), "Padaria & Söhne", 44)
    sheet.text((820, high + 20), "Rua do Carmo 12, 4050-164", 18, color)
    sheet.paragraph((90, high + 90, 1140, 820), 23, style="serif")
    sheet.fill((0, 868, 1240, 884), color)


def logo_solid(sheet: Sheet) -> None:
    """Two solid shapes of 60 to 400 pixels in grays of 0.1 to 0.6, with letters cut out of one."""
    side = sheet.whole(60, 400)
    with sheet.ink(gray(sheet.between(0.1, 0.6))) as draw:
        draw.ellipse((70, 60, 70 + side, 60 + side), fill=255)
        at, face = (70 + side * 0.2, 60 + side * 0.25), sheet.font(side // 2)
        draw.text(at, "ab", font=face, fill=0)
    x, wide = 1180 - side * 0.7, side * 0.7
    with sheet.ink(gray(sheet.between(0.1, 0.6))) as draw:
        draw.polygon((x, 60, x + wide, 60 + wide / 2, x, 60 + wide), fill=255)
    sheet.paragraph((70, side + 90, 1180, 860), 22)


def coloured_headings(sheet: Sheet) -> None:
    """A leaflet with headings in colours that are lighter than the black print."""
    colors = ((220, 90, 30), (0, 140, 190), (130, 160, 40), (200, 60, 120), (110, 110, 110))
    for y in range(40, 800, 170):
        color, size = sheet.one_of(colors), sheet.whole(26, 46)
        sheet.text((60, y), sheet.line(900, size, "bold"), size, color, "bold")
        sheet.paragraph((60, y + size + 16, 1180, y + 160), 20)


def bar_chart(sheet: Sheet) -> None:
    """Outlined bars with fills of 0.1 to 0.6, on axes with values."""
    sheet.text((120, 40), "Sales by region", 32, style="bold")
    for y in range(120, 780, 110):
        sheet.text((40, y - 12), str(780 - y), 20)
        sheet.fill((111, y, 1180, y), gray(0.7), EITHER)
    for x in range(160, 1100, 130):
        box = (x, sheet.whole(150, 680), x + 90, 778)
        with sheet.cut() as draw:
            draw.rectangle(box, fill=255)
        sheet.fill(box, gray(sheet.between(0.1, 0.6)))
        sheet.frame(box)
        sheet.text((x, 796), sheet.word()[:7], 20)
    with sheet.ink() as draw:
        draw.line((110, 100, 110, 780, 1180, 780), fill=255, width=3)


def pie_chart(sheet: Sheet) -> None:
    """Slices with fills of 0.1 to 0.6 between black lines, and a legend with small squares."""
    shares, sizes = sheet.rng.permutation(np.linspace(0.1, 0.6, 6)), sheet.rng.uniform(0.5, 1.5, 6)
    ends = [0, *(360 * np.cumsum(sizes) / sizes.sum())]
    circle = (80, 140, 720, 780)
    for i, (start, end) in enumerate(itertools.pairwise(ends)):
        with sheet.ink(gray(shares[i])) as draw:
            draw.pieslice(circle, start, end, fill=255)
            draw.rectangle((800, 200 + 80 * i, 836, 236 + 80 * i), fill=255)
        with sheet.ink() as draw:
            draw.pieslice(circle, start, end, outline=255, width=3)
        sheet.text((860, 204 + 80 * i), sheet.line(320, 22), 22)


def slide_handout(sheet: Sheet) -> None:
    """Three dark slides with white words, each beside lines for notes."""
    sheet.start(1240, 1300)
    color = sheet.one_of((gray(sheet.between(0.1, 0.4)), sheet.one_of(DEEP)))
    for y in range(60, 1200, 410):
        sheet.fill((70, y, 640, y + 330), color)
        sheet.white_text((100, y + 24), sheet.line(480, 34, "bold"), 34)
        for line in range(5):
            sheet.white_text((110, y + 100 + 42 * line), sheet.line(480, 22), 22, "sans")
        for line in range(y + 40, y + 330, 46):
            sheet.fill((690, line, 1180, line + 1), gray(0.3))


def draft_watermark(sheet: Sheet) -> None:
    """A contract over the word DRAFT in huge pale letters, which must vanish."""
    with sheet.tint(gray(sheet.between(0.88, 0.95))) as draw:
        draw.text((90, 280), "DRAFT", font=sheet.font(300, "bold"), fill=255)
    sheet.paragraph((90, 60, 1150, 860), sheet.whole(19, 27), style="serif")


def cover_solid(sheet: Sheet) -> None:
    """The cover of a brochure: half of it is one deep colour with a white title."""
    top = sheet.one_of((0, 450))
    sheet.fill((0, top, 1240, top + 449), sheet.one_of(DEEP))
    sheet.white_text((90, top + 110), "Annual report", 90)
    sheet.white_text((94, top + 250), "Facts and figures for members", 40, "sans")
    sheet.text((94, 540 - top), "Edition 12, 2024", 44, BLACK, "serif")
    sheet.paragraph((94, 630 - top, 900, 860 - top), 22)


KINDS: Final = by_name(
    *(table_header_shaded, zebra_table, dark_header_white_words, pale_rules),
    *(spreadsheet_hairlines, letterhead_band, logo_solid, coloured_headings, bar_chart),
    *(pie_chart, slide_handout, draft_watermark, cover_solid),
)
