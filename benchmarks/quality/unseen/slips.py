"""Small printed matter: cheques, tickets, receipts, cards and labels."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.quality.unseen.sheet import (
    EITHER,
    PEN,
    Box,
    Color,
    Draw,
    Sheet,
    by_name,
    gray,
    handwriting,
    stroke,
)


def fine_ground(sheet: Sheet, box: tuple[int, int, int, int], color: Color, depth: float) -> None:
    """Fine waves and a rosette in *box*, up to *depth* of the light deep: a ground, not ink."""
    left, top, right, bottom = box
    down, over = np.mgrid[top:bottom, left:right].astype(np.float32)
    bend = 9 * np.sin(over / 47) + 5 * np.sin(over / 19 + down / 31)
    waves = 0.5 + 0.5 * np.sin((down + bend) * 2 * np.pi / sheet.between(5, 11))
    x, y = over - (left + right) / 2, down - (top + bottom) / 2
    rosette = 0.5 + 0.5 * np.sin(np.hypot(x, y) / 3 + 6 * np.sin(12 * np.arctan2(y, x)))
    ground = np.where(np.hypot(x, y) < 0.4 * (bottom - top), rosette, waves)
    absorbed = 1 - np.array(color, np.float32) / 255
    sheet.rgb[top:bottom, left:right] *= 1 - depth * ground[..., None] * absorbed / absorbed.max()


def security_ground(sheet: Sheet) -> None:
    """A cheque: print and handwriting over fine waves."""
    sheet.start(1240, 560)
    color = sheet.one_of(((60, 150, 120), (190, 90, 110), (70, 110, 190), (90, 90, 90)))
    fine_ground(sheet, (20, 20, 1220, 460), color, sheet.between(0.06, 0.2))
    sheet.text((60, 44), "Caixa Central, Lisboa", 34, style="serif")
    for label, y in (("Pay", 170), ("the sum of", 250), ("Date", 330)):
        sheet.text((60, y), label, 20)
        sheet.fill((180, y + 26, 900, y + 27))
        sheet.write((200, y - 8, 820, y + 22))
    sheet.frame((940, 150, 1180, 210))
    sheet.text((956, 162), f"€ {sheet.whole(100, 9999)},00", 30, PEN)
    with sheet.ink(PEN) as draw:
        stroke(draw, handwriting(sheet, (820, 330, 1140, 410)), 4)
    sheet.text((90, 490), "<0123456<  004712345:  12", 34, style="mono")


def bars(sheet: Sheet, x: int, top: int, count: int, module_px: int, high: int) -> None:
    """A bar code of *count* random bars that are 1 to 3 modules wide."""
    with sheet.ink() as draw:
        for _ in range(count):
            wide = module_px * sheet.whole(1, 3)
            draw.rectangle((x, top, x + wide - 1, top + high), fill=255)
            x += wide + module_px * sheet.whole(1, 3)


def barcodes(sheet: Sheet) -> None:
    """A sheet of labels with bar codes of 2 to 4 pixels a module."""
    for y in range(40, 840, 215):
        for x in (60, 660):
            bars(sheet, x, y, 30, sheet.whole(2, 4), 110)
            sheet.text((x + 20, y + 122), sheet.digits(13), 24, style="mono")
            sheet.text((x, y + 156), sheet.line(420, 18), 18)


def boarding_pass(sheet: Sheet) -> None:
    """A coloured band with white words, large codes, a bar code, a perforation, pale labels."""
    sheet.start(1240, 560)
    sheet.fill((0, 0, 1240, 80), sheet.one_of(((20, 60, 130), (190, 30, 50), (0, 120, 130))))
    sheet.white_text((50, 18), "BOARDING PASS", 36)
    sheet.tinted((50, 330, 800, 410), gray(sheet.between(0.84, 0.93)))
    for x, value in ((60, "LIS"), (340, "FRA"), (620, "22C")):
        sheet.text((x, 120), sheet.word(), 18, gray(0.45))
        sheet.text((x, 150), value, 80, style="bold")
        sheet.text((x, 352), f"{sheet.whole(10, 23)}:{sheet.whole(10, 59)}", 34)
    bars(sheet, 60, 430, 50, 3, 90)
    with sheet.ink(gray(0.4), EITHER) as draw:
        for y in range(90, 560, 14):
            draw.line((880, y, 880, y + 7), fill=255, width=2)
    sheet.paragraph((920, 130, 1200, 520), 24, style="mono")


def till_lines(sheet: Sheet, box: Box, color: Color) -> None:
    """Articles and prices, a total in large type."""
    left, top, right, bottom = (int(edge) for edge in box)
    for y in range(top, bottom - 80, 35):
        sheet.text((left, y), sheet.line(0.6 * (right - left), 24, "mono"), 24, color, "mono")
        sheet.text((right - 96, y), f"{sheet.between(0.5, 90):6.2f}", 24, color, "mono")
    sheet.text((left, bottom - 70), f"TOTAL  {sheet.between(10, 90):.2f}", 48, color, "mono")


def receipt_on_bright_desk(sheet: Sheet) -> None:
    """A receipt on light wood, which does not count."""
    sheet.start(1240, 1300, (214, 196, 172))
    grain = np.arange(1240)
    sheet.shade(1 + 0.04 * np.sin(grain / 9 + 3 * np.sin(grain / 70)))
    left, right = sheet.whole(200, 400), sheet.whole(780, 980)
    with sheet.cut((243, 243, 240)) as draw:
        draw.rectangle((left, 60, right, 1240), fill=255)
    sheet.shade(1 - 0.06 * sheet.smooth(80))
    till_lines(sheet, (left + 30, 110, right - 30, 1200), gray(sheet.between(0.2, 0.4)))
    on_paper = sheet.truth[70:1230, left + 10 : right - 10].copy()
    sheet.truth[:] = EITHER
    sheet.truth[70:1230, left + 10 : right - 10] = on_paper


def thermal_faint(sheet: Sheet) -> None:
    """A till receipt whose print leaves 0.5 to 0.72 of the light, in some places more."""
    sheet.start(640, 1300, (238, 236, 230))
    till_lines(sheet, (40, 60, 600, 1240), gray(sheet.between(0.5, 0.72)))
    sheet.fade(0.25, 100)


def id_card_copy(sheet: Sheet) -> None:
    """A gray copy of a card: a fine ground, a photograph that does not count, small print."""
    sheet.start(paper=gray(sheet.between(0.92, 0.99)))
    sheet.text((100, 60), "Copy of identity card, for the rental agreement only", 26)
    fine_ground(sheet, (154, 154, 1046, 716), gray(0.3), sheet.between(0.06, 0.18))
    with sheet.ink() as draw:
        draw.rounded_rectangle((150, 150, 1050, 720), 36, outline=255, width=3)
    sheet.picture((200, 250, 440, 570))
    for y, label in ((240, "Nome"), (320, "Geburtsdatum"), (400, "Nationality"), (480, "Height")):
        sheet.text((490, y), label, 14, gray(0.35))
        sheet.text((490, y + 22), sheet.line(350, 24).upper(), 24)
    sheet.text((190, 620), "IDPRT<<SILVA<<ANA<MARIA<<<<<<<<<<<<<<", 32, style="mono")
    sheet.rgb[:] = sheet.rgb.mean(2, keepdims=True)


def envelope(sheet: Sheet) -> None:
    """An address by hand or machine; a stamp that does not count; a postmark beside it."""
    sheet.start(1240, 780, sheet.one_of(((205, 172, 130), (245, 245, 242), (225, 222, 205))))
    by_hand = sheet.chance(0.5)
    for y in range(360, 600, 60):
        if by_hand:
            sheet.write((560, y, 1080, y + 34))
        else:
            sheet.text((560, y), sheet.line(480, 30), 30)
    sheet.paragraph((60, 50, 330, 150), 18)
    sheet.picture((1020, 50, 1190, 250))
    with sheet.ink(gray(0.25)) as draw:
        postmark(sheet, draw)
    sheet.truth[47:253, 1017:1193] = EITHER


def postmark(sheet: Sheet, draw: Draw) -> None:
    """Two rings, a date, and waves that run over the stamp."""
    draw.ellipse((760, 60, 940, 240), outline=255, width=4)
    draw.ellipse((800, 100, 900, 200), outline=255, width=2)
    draw.text((812, 138), "12.6.24", font=sheet.font(22), fill=255)
    x = np.linspace(940, 1180, 120)
    for y in range(90, 230, 26):
        stroke(draw, np.stack([x, y + 7 * np.sin(x / 16)], 1), 3)


KINDS: Final = by_name(
    *(security_ground, barcodes, boarding_pass, receipt_on_bright_desk, thermal_faint),
    *(id_card_copy, envelope),
)
