"""Line drawings, plans, notes of music, boards and thick pens."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from benchmarks.quality.unseen.sheet import (
    BLACK,
    INK,
    Color,
    Draw,
    Sheet,
    by_name,
    gray,
    handwriting,
    stroke,
)


def blob(sheet: Sheet, x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """Points of a closed, wavy outline around (x, y)."""
    angle = np.linspace(0, 2 * np.pi, 90)
    wave = [sheet.between(-0.12, 0.12) * np.sin(k * angle + sheet.between(0, 6)) for k in (2, 3, 5)]
    distance = radius * (1 + np.sum(wave, axis=0))
    return [*zip(x + distance * np.cos(angle), y + distance * np.sin(angle), strict=True)]


def comic(sheet: Sheet) -> None:
    """Four panels: outlines, flat light fills, solid blacks, hatching, a speech bubble."""
    for x, y in ((40, 40), (640, 40), (40, 460), (640, 460)):
        sheet.tinted((x, y, x + 560, y + 400), gray(sheet.between(0.78, 0.95)))
        figure(sheet, x + 200, y + 250)
        bubble(sheet, x + 330, y + 30)
        sheet.frame((x, y, x + 560, y + 400), 5)


def figure(sheet: Sheet, x: float, y: float) -> None:
    body, head = blob(sheet, x, y + 40, 95), blob(sheet, x, y - 90, 70)
    with sheet.tint((235, 205, 185)) as draw:
        draw.polygon(head, fill=255)
    with sheet.ink() as draw:
        draw.polygon(blob(sheet, x, y - 140, 48), fill=255)
        for points in (body, head):
            stroke(draw, points, 5)
        for k in range(0, 90, 9):
            draw.line((x - 80 + k, y + 60 + k // 3, x - 50 + k, y + 20 + k // 3), fill=255, width=2)
        for eye in (x - 24, x + 24):
            draw.ellipse((eye - 6, y - 96, eye + 6, y - 80), fill=255)


def bubble(sheet: Sheet, x: float, y: float) -> None:
    with sheet.cut() as draw:
        draw.ellipse((x, y, x + 210, y + 120), fill=255)
    with sheet.ink() as draw:
        draw.ellipse((x, y, x + 210, y + 120), outline=255, width=4)
        draw.line((x + 30, y + 105, x - 20, y + 140, x + 60, y + 116), fill=255, width=4)
    for line in (34, 62):
        words = sheet.line(150, 20, "bold").upper()[:11]
        sheet.text((x + 36, y + line), words, 20, style="bold")


def map_with_thin_lines(sheet: Sheet) -> None:
    """Contours in brown, rivers in blue, roads in black; woods are tinted in green."""
    with sheet.tint((205, 232, 195)) as draw:
        for _ in range(4):
            draw.polygon(blob(sheet, sheet.between(0, 1240), sheet.between(0, 900), 170), fill=255)
    heights = sheet.smooth(90)
    for level in np.linspace(0.2, 0.8, 12):
        outlines(sheet, heights > level, (165, 115, 75), 2)
    outlines(sheet, sheet.smooth(140) > 0.5, (60, 120, 190), 3)
    outlines(sheet, sheet.smooth(120) > 0.5, BLACK, 3)
    for _ in range(26):
        at = sheet.between(20, 1050), sheet.between(10, 870)
        sheet.text(at, sheet.word().title(), sheet.whole(15, 24), style="serif")


def outlines(sheet: Sheet, mask: Any, color: Color, width: int) -> None:
    found = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
    cover = np.zeros(mask.shape, np.uint8)
    cv2.polylines(cover, found, False, 255, width, cv2.LINE_AA)
    # Where the outline follows the edge of the page it is no line of the map.
    cover[:6], cover[-6:], cover[:, :6], cover[:, -6:] = 0, 0, 0, 0
    sheet.lay(cover, color)


def floor_plan(sheet: Sheet) -> None:
    """Thick walls, a door, hatching, dimensions, names of rooms; the bathroom is tinted."""
    wall, x, y = sheet.whole(8, 16), sheet.whole(450, 620), sheet.whole(350, 520)
    sheet.tinted((x, y, 1120, 800), gray(sheet.between(0.82, 0.93)))
    with sheet.ink() as draw:
        draw.rectangle((100, 100, 1120, 800), outline=255, width=wall)
        draw.rectangle((x, 100, x + wall - 1, 800), fill=255)
        draw.rectangle((x, y, 1120, y + wall - 1), fill=255)
        draw.rectangle((x, 220, x + wall - 1, 300), fill=0)
        draw.arc((x - 80, 220, x + 80, 380), 180, 270, fill=255, width=2)
        for left in range(110, 420, 14):
            draw.line((left, 790, left + 60, 700), fill=255, width=1)
        draw.line((100, 60, 1120, 60), fill=255, width=2)
        for tick in (100, x, 1120):
            draw.line((tick - 8, 68, tick + 8, 52), fill=255, width=2)
    for left, top, name in ((180, 300, "Living"), (x + 80, 200, "Küche"), (x + 80, y + 80, "Bath")):
        sheet.text((left, top), name, 26)
        sheet.text((left, top + 36), f"{sheet.between(5, 30):.2f} m²", 20)


def blueprint(sheet: Sheet) -> None:
    """White lines and words on blue: the lines are the ink."""
    blue = (sheet.between(20, 60), sheet.between(50, 90), sheet.between(120, 170))
    sheet.start(paper=blue)
    with sheet.layer((235, 240, 245), INK, is_opaque=True) as draw:
        draw.rectangle((60, 60, 1180, 840), outline=255, width=3)
        for left in range(100, 1000, 250):
            for top in (100, 380):
                detail(draw, left, top, sheet.whole(60, 170))
        draw.text((700, 660), "SECTION A - A", font=sheet.font(34, "bold"), fill=255)
        for y in (720, 756, 792):
            draw.text((700, y), sheet.line(450, 20), font=sheet.font(20), fill=255)


def detail(draw: Draw, x: int, y: int, side: int) -> None:
    """A square part with a bore, its axes and a dimension."""
    draw.rectangle((x, y, x + side, y + side), outline=255, width=2)
    draw.circle((x + side / 2, y + side / 2), side / 4, outline=255, width=2)
    draw.line((x - 10, y + side / 2, x + side + 10, y + side / 2), fill=255, width=1)
    draw.line((x, y - 14, x + side, y - 14), fill=255, width=1)


def sheet_music(sheet: Sheet) -> None:
    """Five staves with notes, stems, flags and bars, and words below them."""
    gap, width = sheet.whole(9, 14), sheet.whole(1, 2)
    for top in range(70, 840, 165):
        with sheet.ink() as draw:
            for y in range(top, top + 5 * gap, gap):
                draw.rectangle((60, y, 1180, y + width - 1), fill=255)
            for x in range(60, 1181, 280):
                draw.rectangle((x, top, x + 2, top + 4 * gap), fill=255)
            for x in range(100, 1150, 70):
                note(draw, x, top + gap * sheet.whole(0, 8) // 2, gap, sheet.whole(0, 3))
        sheet.text((80, top + 5 * gap + 22), sheet.line(1000, 17, "serif"), 17)


def note(draw: Draw, x: int, y: int, gap: int, which: int) -> None:
    """A half note, a quarter note or an eighth with its flag."""
    fill, top = (0 if which == 0 else 255), y - int(3.2 * gap)
    draw.ellipse((x, y - gap // 2, x + gap + 5, y + gap // 2), fill=fill, outline=255, width=3)
    draw.rectangle((x + gap + 3, top, x + gap + 5, y), fill=255)
    if which == 1:
        draw.line((x + gap + 4, top, x + gap + 22, top + 14), fill=255, width=6)


def wide_felt_strokes(sheet: Sheet) -> None:
    """A poster in yellow or orange felt pen, of luma 150 to 200, with one line in black."""
    colors = ((255, 150, 30), (255, 200, 0), (250, 175, 60), (240, 190, 20))
    with sheet.ink(sheet.one_of(colors)) as draw:
        for y in (220, 420, 620):
            points = handwriting(sheet, (100, y - 120, sheet.between(600, 1100), y))
            stroke(draw, points, sheet.whole(12, 24))
        draw.line((100, 690, 1100, 680), fill=255, width=20)
    sheet.text((100, 740), "Saturday, 14:00, in the garden", 52)


def whiteboard(sheet: Sheet) -> None:
    """Pens in four colours on a shiny board with a gradient, and the haze of wiped words."""
    pens = ((30, 30, 35), (30, 70, 170), (190, 40, 45), (30, 130, 80))
    sheet.start(paper=(232, 236, 238))
    with sheet.tint(gray(0.94)) as draw:
        for _ in range(5):
            stroke(draw, blob(sheet, sheet.between(200, 900), sheet.between(100, 800), 70), 40)
    for y in range(130, 840, 110):
        with sheet.ink(sheet.one_of(pens)) as draw:
            left = sheet.between(80, 280)
            stroke(draw, handwriting(sheet, (left, y - 60, left + 600, y)), sheet.whole(6, 10))
            draw.rectangle((960, y - 60, 1150, y + 10), outline=255, width=6)
    down, right = np.mgrid[0:900, 0:1240].astype(np.float32)
    sheet.shade(0.72 + 0.28 * np.exp(-(((right - 500) / 700) ** 2) - ((down - 300) / 600) ** 2))


KINDS: Final = by_name(
    *(comic, map_with_thin_lines, floor_plan, blueprint, sheet_music, wide_felt_strokes),
    *(whiteboard,),
)
