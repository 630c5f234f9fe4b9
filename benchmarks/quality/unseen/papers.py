"""Paper with a life: packing paper, copies, newsprint, stamps, stains and folds."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.quality.unseen.sheet import (
    BLACK,
    EITHER,
    PEN,
    Sheet,
    by_name,
    gray,
    handwriting,
    stroke,
)


def kraft_paper_black(sheet: Sheet) -> None:
    """Black print and a felt pen on brown packing paper with fibres."""
    sheet.start(paper=(196, 158, 114))
    sheet.shade(0.97 + 0.06 * sheet.smooth(4))
    sheet.paragraph((70, 60, 1170, 500), 28, style="bold")
    with sheet.ink() as draw:
        stroke(draw, handwriting(sheet, (100, 610, 900, 720)), 9)


def carbon_copy(sheet: Sheet) -> None:
    """Typed letters of uneven strength in blue-black on thin yellowish paper."""
    sheet.start(paper=(238, 230, 204))
    sheet.paragraph((80, 60, 1170, 860), 24, (70, 75, 105), "mono")
    sheet.rgb[:] = cv2.GaussianBlur(sheet.rgb, (0, 0), sheet.between(0.5, 0.9))
    sheet.fade(0.45, 8)


def dot_matrix_print(sheet: Sheet) -> None:
    """Letters of round dots, on paper with pale green bars or without them."""
    for y in range(50, 900, 140) if sheet.chance(0.5) else ():
        sheet.tinted((40, y, 1200, y + 70), (222, 242, 222))
    dots = Image.new("L", (370, 290))
    draw = ImageDraw.Draw(dots)
    for y in range(8, 270, 14):
        draw.text((4, y), sheet.line(355, 9, "mono"), font=sheet.font(9, "mono"), fill=255)
    with sheet.ink(gray(sheet.between(0.15, 0.4))) as draw:
        for y, x in (np.argwhere(np.asarray(dots) > 90) * 3 + (20, 60)).tolist():
            draw.ellipse((x, y, x + 3, y + 3), fill=255)
    sheet.fade(0.2, 20)


def newspaper_columns(sheet: Sheet) -> None:
    """Columns of small print on coarse gray paper, with a headline and thin rules."""
    level, size = sheet.between(186, 215), sheet.whole(15, 18)
    sheet.start(paper=(level, level - 2, level - 10))
    sheet.shade(0.95 + 0.1 * sheet.smooth(4))
    sheet.text((50, 30), sheet.line(1100, 54, "serif"), 54, style="serif")
    for x in range(50, 1150, 290):
        sheet.paragraph((x, 130, x + 270, 870), size, (45, 45, 48), "serif")
    for x in range(329, 1150, 290):
        sheet.fill((x, 130, x + 1, 860))


def sticky_note(sheet: Sheet) -> None:
    """A note in yellow, pink or green with a shadow, written on by pen, over a printed letter."""
    sheet.paragraph((70, 50, 1170, 860), 23, style="serif")
    x, y = sheet.whole(200, 700), sheet.whole(150, 420)
    shadow = np.zeros(sheet.truth.shape, np.float32)
    shadow[y + 8 : y + 392, x + 8 : x + 392] = 1
    sheet.shade(1 - 0.2 * cv2.GaussianBlur(shadow, (0, 0), 8))
    with sheet.cut(sheet.one_of(((255, 236, 110), (250, 180, 200), (175, 225, 160)))) as draw:
        draw.rectangle((x, y, x + 380, y + 380), fill=255)
    for top in range(y + 40, y + 330, 80):
        sheet.write((x + 30, top, x + 360, top + 40), PEN, 4)


def signature_across_stamp(sheet: Sheet) -> None:
    """A rubber stamp, unevenly inked, and a signature of a pen across it."""
    stamp = Image.new("L", (1240, 900))
    draw = ImageDraw.Draw(stamp)
    draw.rectangle((380, 520, 900, 700), outline=255, width=7)
    draw.text((420, 545), "RECEIVED", font=sheet.font(64, "bold"), fill=255)
    draw.text((420, 630), "14. 06. 2024", font=sheet.font(40), fill=255)
    turned = stamp.rotate(sheet.between(-9, 9), Image.Resampling.BICUBIC, center=(640, 610))
    colors = ((60, 75, 170), (200, 60, 70), (120, 70, 150), (50, 130, 90))
    sheet.lay(np.asarray(turned), sheet.one_of(colors))
    sheet.fade(0.3, 8)
    sheet.paragraph((80, 60, 1160, 470), 24, style="serif")
    with sheet.ink(sheet.one_of((BLACK, PEN))) as draw:
        stroke(draw, handwriting(sheet, (420, 550, 980, 680)), 4)
        draw.line((420, 760, 1000, 760), fill=255, width=2)


def correction_fluid(sheet: Sheet) -> None:
    """White blots on cream paper, of which some are typed over."""
    sheet.start(paper=(236, 231, 214))
    sheet.paragraph((80, 60, 1170, 860), 24, style="mono")
    for y in range(90, 800, 140):
        x, wide = sheet.whole(100, 800), sheet.whole(120, 300)
        sheet.fill((x - 2, y - 2, x + wide + 3, y + 55), gray(0.9), None)
        with sheet.cut((251, 251, 249)) as draw:
            draw.rounded_rectangle((x, y, x + wide, y + 52), 20, fill=255)
        if sheet.chance(0.6):
            sheet.text((x + 16, y + 12), sheet.line(wide - 30, 24, "mono"), 24, style="mono")


def caption_below_a_photograph(sheet: Sheet) -> None:
    """Photographs with small captions, as in a magazine or an album."""
    for x in (70, 650):
        bottom = sheet.whole(330, 640)
        sheet.picture((x, 60, x + 520, bottom))
        color = gray(sheet.between(0.1, 0.4))
        sheet.paragraph((x, bottom + 14, x + 500, bottom + 70), 17, color)
        sheet.paragraph((x, bottom + 90, x + 510, 880), 21, style="serif")


def show_through(sheet: Sheet) -> None:
    """Thin paper printed on both sides: the other side's print shows mirrored and pale."""
    sheet.paragraph((60, 50, 1180, 860), 25, style="serif")
    behind = cv2.GaussianBlur(sheet.rgb[:, ::-1, 0], (0, 0), 1.2) / sheet.paper[0]
    sheet.start()
    sheet.shade(1 - sheet.between(0.06, 0.14) * (1 - behind))
    sheet.paragraph((80, 60, 1170, 870), 22, style="serif")


def tea_stain(sheet: Sheet) -> None:
    """A recipe with a brown ring and drops, which must vanish."""
    stain = np.zeros(sheet.truth.shape, np.uint8)
    center = sheet.whole(350, 900), sheet.whole(300, 650)
    cv2.circle(stain, center, 190, 110, -1)
    cv2.circle(stain, center, 190, 255, sheet.whole(8, 18))
    for _ in range(6):
        at = sheet.whole(60, 1180), sheet.whole(60, 840)
        cv2.circle(stain, at, sheet.whole(8, 30), 200, -1)
    sheet.lay(cv2.GaussianBlur(stain, (0, 0), 4), (215, 190, 150), None)
    sheet.text((80, 50), "Arroz doce", 48, style="serif")
    sheet.paragraph((80, 140, 1160, 860), 24, style="serif")


def book_gutter(sheet: Sheet) -> None:
    """An open book, dark towards the fold; the darkest part does not count."""
    sheet.start(1400, 900, (243, 238, 226))
    for x in (70, 760):
        sheet.paragraph((x, 60, x + 570, 850), 20, (35, 33, 32), "serif")
    distance = np.abs(np.arange(1400) - 700) / sheet.between(50, 90)
    sheet.shade(1 - 0.65 * np.exp(-distance))
    sheet.truth[:, 672:728] = EITHER


def folded_letter(sheet: Sheet) -> None:
    """A letter with two folds: a thin shadow, and each third a little darker or lighter."""
    sheet.paragraph((90, 60, 1150, 860), 23)
    down = np.arange(900, dtype=np.float32)
    light = np.interp(down, [0, 299, 301, 599, 601, 899], sheet.rng.uniform(0.88, 1, 6))
    for fold in (300, 600):
        light -= sheet.between(0.08, 0.2) * np.exp(-(((down - fold) / 5) ** 2))
    sheet.shade(light[:, None])


KINDS: Final = by_name(
    *(kraft_paper_black, carbon_copy, dot_matrix_print, newspaper_columns, sticky_note),
    *(signature_across_stamp, correction_fluid, caption_below_a_photograph, show_through),
    *(tea_stain, book_gutter, folded_letter),
)
