"""Kinds of pages from offices and homes: print with pens, stamps, forms, codes and charts on it."""

# Longer than 300 lines: one function for each kind of page; a move changes the hash in the weights.

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from .kinds import kind
from .sheet import NEITHER, Rng, Sheet, between, blurred, handwriting, polyline, signature, smooth
from .spoil import dirty


def sheet(rng: Rng, *, dark: float = 0.12) -> Sheet:
    """White or nearly white paper; sometimes gray."""
    paper = rng.uniform(222, 255) if rng.random() > dark else rng.uniform(130, 222)
    return Sheet(rng, int(rng.integers(9, 14)) * 64, int(rng.integers(9, 13)) * 64, paper)


def black(rng: Rng) -> float:
    return float(rng.uniform(8, 70))


def pen(rng: Rng, page: Sheet) -> float:
    """The gray of a pen or pencil on this page: at least a quarter darker than it."""
    paper = float(page.gray[0, 0])
    return paper * float(rng.uniform(0.18, 0.74))


def some_print(page: Sheet, top: float = 30, bottom: float = 0, gray: float = 0) -> float:
    rng = page.rng
    size = float(np.exp(rng.uniform(np.log(11), np.log(36))))
    box = (rng.uniform(20, 70), top, page.width - rng.uniform(20, 70), bottom or page.height - 20)
    return page.print(box, size, gray or black(rng))


@kind(weight=2.0)
def plain_print(rng: Rng) -> Sheet:
    """Nothing but print in one or more sizes."""
    page = sheet(rng)
    top = 20.0
    while top < page.height - 60:
        top = some_print(page, top, min(page.height, top + rng.uniform(60, 500))) + 12
    return page


@kind(weight=2.0)
def small_print(rng: Rng) -> Sheet:
    """Print of 7 to 13 pixels."""
    page = sheet(rng)
    for column in range(2):
        left = 24 + column * page.width / 2
        box = (left, 20, left + page.width / 2 - 40, page.height - 10)
        page.print(box, rng.uniform(7, 13.5), black(rng))
    return page


@kind(weight=1.5)
def pale_thing(rng: Rng) -> Sheet:
    """Print with one pale thing on it, which is to stay, and take nothing along."""
    page = sheet(rng)
    end = some_print(page, bottom=page.height * 0.62)
    image, draw = page.drawing()
    shape, wide = rng.random(), rng.integers(1, 5) * 2
    left, top, right = 40, end + 20, page.width - 40
    if shape < 0.35:
        draw.rectangle(
            (left * 2, top * 2, right * 2, min(page.height - 8, top + 190) * 2),
            outline=255,
            width=int(wide),
        )
    elif shape < 0.65:
        for k in range(int(rng.integers(2, 7))):
            polyline(draw, [(left, top + 34 * k), (right, top + 34 * k)], wide / 2)
    else:
        page.paragraph(draw, (left, top, right, page.height - 8), rng.uniform(16, 34))
    page.lay(image, page.gray[0, 0] * rng.uniform(0.45, 0.78))
    return page


@kind(weight=1.6)
def pen_on_print(rng: Rng) -> Sheet:
    """Print with signatures, ticks and words in pens and pencils of any colour."""
    page = sheet(rng)
    some_print(page, bottom=page.height * rng.uniform(0.5, 1))
    for _ in range(int(rng.integers(1, 4))):
        image, draw = page.drawing()
        x, y = rng.uniform(20, page.width * 0.5), rng.uniform(60, page.height - 40)
        if rng.random() < 0.6:
            signature(draw, rng, x, y, rng.uniform(1.5, 5.5), rng.uniform(120, 420))
        else:
            page.words(
                draw,
                x,
                y,
                "Ana Souza, 12.05." if rng.random() < 0.5 else "ok!",
                rng.uniform(20, 60),
                page.font(hand=True),
            )
        page.lay(image, pen(rng, page))
    return page


@kind(weight=1.5)
def filled_form(rng: Rng) -> Sheet:
    """Printed boxes with words in pens."""
    page = sheet(rng)
    step, ink, hand = rng.uniform(44, 130), black(rng), pen(rng, page)
    font, written = page.font(), page.font(hand=rng.random() < 0.5)
    outline, thick = rng.random(), int(rng.integers(1, 4) * 2)
    for y in np.arange(20, page.height - step, step):
        boxes, draw = page.drawing()
        page.words(
            draw,
            24,
            y + step * 0.2,
            str(rng.choice(["Name:", "Data:", "Conta:", "Valor:", "1."])),
            step * 0.24,
            font,
        )
        left, right, low = 170, page.width - 40, y + step * 0.66
        if outline < 0.6:
            draw.rectangle((left * 2, y * 2, right * 2, low * 2), outline=255, width=thick)
        else:
            polyline(draw, [(left, low), (right, low)], thick / 2)
        page.lay(boxes, ink)
        words, draw = page.drawing()
        page.words(
            draw,
            left + 12,
            y + step * 0.04,
            str(rng.choice(["Ana Souza", "12.05.2024", "00123-4", "1.284,50", "X"])),
            step * rng.uniform(0.3, 0.48),
            written,
        )
        page.lay(words, hand)
    return page


@kind(weight=1.3)
def stamp(rng: Rng) -> Sheet:
    """A rubber stamp beside or across print, unevenly inked."""
    page = sheet(rng)
    some_print(page, bottom=page.height * rng.uniform(0.5, 1))
    image, draw = page.drawing()
    x, y, size = rng.uniform(160, 420), rng.uniform(120, page.height - 240), rng.uniform(26, 84)
    box = ((x - 20) * 2, (y - size * 0.5) * 2, (x + size * 4.8) * 2, (y + size * 1.9) * 2)
    thick = int(rng.integers(3, 10)) * 2
    if rng.random() < 0.6:
        draw.rectangle(box, outline=255, width=thick)
    else:
        draw.ellipse(box, outline=255, width=thick)
    page.words(
        draw, x, y, str(rng.choice(["RECEBIDO", "PAGO", "COPIA", "URGENT"])), size, page.font()
    )
    turned = image.rotate(
        rng.uniform(-20, 20), resample=Image.Resampling.BICUBIC, center=(x * 2, y * 2)
    )
    cover = page.coverage(turned)
    uneven = smooth(rng, cover.shape, rng.uniform(4, 60), rng.uniform(0.6, 1), 1)
    gray = page.gray[0, 0] * rng.uniform(0.25, 0.75)
    paler = page.gray * (1 - uneven) + gray * uneven
    page.lay(cover, np.minimum(paler, page.gray * 0.85), multiply=False)
    return page


@kind(weight=5.0)
def highlighter(rng: Rng) -> Sheet:
    """Marked words stay, the colour of the marker goes."""
    page = sheet(rng, dark=0)
    size = rng.uniform(14, 36)
    lead = rng.uniform(1.3, 1.9)
    image, draw = page.drawing()
    for k in range(int(page.height / (size * lead))):
        if rng.random() < 0.45:
            x, y = rng.uniform(20, 200), 30 + k * size * lead
            right = x + rng.uniform(80, page.width) if rng.random() < 0.5 else page.width - 30
            draw.rectangle(
                (x * 2, (y - size * 0.15) * 2, right * 2, (y + size * 1.25) * 2), fill=255
            )
    gray = rng.uniform(105, 150) if rng.random() < 0.6 else rng.uniform(112, 232)
    page.lay(image, gray, counts=False)
    page.print((30, 30, page.width - 30, page.height - 10), size, rng.uniform(8, 50), lead=lead)
    return page


@kind(weight=1.6)
def dark_band(rng: Rng) -> Sheet:
    """Bands and headers in any gray with light words in them, print below."""
    page = sheet(rng)
    y = rng.uniform(0, 60)
    while y < page.height - 100:
        high = rng.uniform(24, 150)
        image, draw = page.drawing()
        left, right = (
            (0, page.width)
            if rng.random() < 0.4
            else (rng.uniform(10, 120), page.width - rng.uniform(10, 120))
        )
        draw.rectangle((left * 2, y * 2, right * 2, (y + high) * 2), fill=255)
        size = min(high * 0.55, rng.uniform(12, 44))
        page.paragraph(draw, (left + 16, y + high * 0.14, right - 16, y + high), size, fill=0)
        gray = rng.uniform(10, 95) if rng.random() < 0.5 else rng.uniform(60, 150)
        cover = page.coverage(image)
        words = rng.uniform(max(gray + 90, 200), 255)
        if words < page.gray[0, 0]:
            inside = np.zeros_like(cover)
            cv2.rectangle(inside, (int(left), int(y)), (int(right), int(y + high)), 1.0, -1)
            page.gray = np.where(inside > 0, words, page.gray).astype(np.float32)
        page.lay(cover, gray)
        y = some_print(page, y + high + 14, min(page.height, y + high + rng.uniform(60, 400))) + 14
    return page


@kind(weight=1.0)
def bubbles(rng: Rng) -> Sheet:
    """An answer sheet with filled and empty bubbles or boxes."""
    page = sheet(rng)
    side, gap = rng.uniform(12, 48), rng.uniform(1.5, 2.6)
    rings, draw = page.drawing()
    fills, pencil = page.drawing()
    round_ = rng.random() < 0.7
    for y in np.arange(30, page.height * 0.7, side * gap):
        for x in np.arange(30, page.width - side - 20, side * gap):
            shape = (x * 2, y * 2, (x + side) * 2, (y + side) * 2)
            (draw.ellipse if round_ else draw.rectangle)(
                shape, outline=255, width=int(rng.integers(2, 6))
            )
            if rng.random() < 0.3:
                inset = side * rng.uniform(-0.05, 0.18)
                inner = (
                    (x + inset) * 2,
                    (y + inset) * 2,
                    (x + side - inset) * 2,
                    (y + side - inset) * 2,
                )
                (pencil.ellipse if round_ else pencil.rectangle)(inner, fill=255)
    gray = page.gray[0, 0] * rng.uniform(0.12, 0.64)
    texture = smooth(rng, page.gray.shape, 5, rng.uniform(0.75, 1), 1)
    page.lay(page.coverage(fills), page.gray * (1 - texture) + gray * texture)
    page.lay(rings, rng.uniform(10, 130))
    some_print(page, page.height * 0.72)
    return page


@kind(weight=1.3)
def code(rng: Rng) -> Sheet:
    """Square codes with modules of 2 to 30 pixels, or bars, beside print."""
    page = sheet(rng)
    module = round(float(np.exp(rng.uniform(np.log(2), np.log(30)))))
    if rng.random() < 0.75:
        text = "".join(str(v) for v in rng.integers(0, 9, int(rng.integers(8, 60))))
        squares = cv2.QRCodeEncoder.create().encode(text)[2:-2] < 128
        squares = squares[:, 2:-2]
        if rng.random() < 0.3:
            squares = rng.random((24, 24)) < 0.5
        most = int(min(page.width, page.height) * 0.9 / module)
        squares = squares[:most, :most]
        dark = np.kron(squares, np.ones((module, module)))
    else:
        bars = np.repeat(rng.random(90) < 0.5, rng.integers(1, 4, 90))[
            : (page.width - 80) // max(1, module // 4)
        ]
        dark = np.kron(bars[None, :], np.ones((int(rng.integers(40, 160)), max(1, module // 4))))
    high, wide = dark.shape
    cover = np.zeros_like(page.gray)
    top, left = (
        int(rng.uniform(20, max(21, page.height - high - 20))),
        int(rng.uniform(20, max(21, page.width - wide - 20))),
    )
    room = cover[top : top + high, left : left + wide]
    room[:] = dark[: room.shape[0], : room.shape[1]]
    if top > 120:
        some_print(page, 20, top - 16)
    if page.height - top - high > 80:
        some_print(page, top + high + 24)
    page.lay(cover, page.gray[0, 0] * rng.uniform(0.04, 0.5))
    return page


@kind(weight=1.5)
def chart(rng: Rng) -> Sheet:
    """Bars, columns and slices in grays, with axes and print."""
    page = sheet(rng)
    some_print(page, bottom=page.height * 0.4)
    axes, draw = page.drawing()
    floor, left = page.height - rng.uniform(20, 60), rng.uniform(20, 90)
    polyline(
        draw,
        [(left, page.height * 0.42), (left, floor), (page.width - 20, floor)],
        rng.uniform(1, 4),
    )
    page.lay(axes, black(rng))
    count = int(rng.integers(1, 8))
    step = (page.width - left - 30) / count
    for k in range(count):
        bar, draw = page.drawing()
        x, top = left + 10 + k * step, rng.uniform(page.height * 0.42, floor - 20)
        box = (
            x * 2,
            top * 2,
            (x + step * rng.uniform(0.35, 1)) * 2,
            (floor - rng.uniform(-2, 6)) * 2,
        )
        if rng.random() < 0.8:
            draw.rectangle(box, fill=255)
        else:
            draw.pieslice(
                (x * 2, top * 2, (x + 220) * 2, (top + 220) * 2),
                0,
                float(rng.uniform(60, 330)),
                fill=255,
            )
        page.lay(bar, page.gray[0, 0] * rng.uniform(0.1, 0.66))
    return page


@kind(weight=1.0)
def table(rng: Rng) -> Sheet:
    """Ruled in lines of any gray; sometimes every second row is tinted, which is to go."""
    page = sheet(rng)
    step, wide = rng.uniform(26, 90), rng.uniform(60, 200)
    if rng.random() < 0.35:
        tints, draw = page.drawing()
        for k in range(0, int(page.height / step), 2):
            draw.rectangle(
                (40, (30 + k * step) * 2, page.width * 2 - 40, (30 + (k + 1) * step) * 2), fill=255
            )
        page.lay(tints, page.gray[0, 0] * rng.uniform(0.86, 0.97), counts=False)
    if rng.random() < 0.8:
        lines, draw = page.drawing()
        thick = rng.uniform(1, 3)
        for y in np.arange(30, page.height - 10, step):
            polyline(draw, [(20, y), (page.width - 20, y)], thick)
        for x in np.arange(20, page.width, wide) if rng.random() < 0.7 else ():
            polyline(draw, [(x, 30), (x, page.height - 20)], thick)
        page.lay(lines, page.gray[0, 0] * rng.uniform(0.1, 0.79))
    font, size, ink = page.font(), min(step * 0.5, rng.uniform(10, 30)), black(rng)
    words, draw = page.drawing()
    for y in np.arange(30, page.height - step, step):
        for x in np.arange(20, page.width - wide, wide):
            page.paragraph(
                draw, (x + 8, y + step * 0.15, x + wide - 4, y + step), size, font, lead=9
            )
    page.lay(words, ink)
    return page


@kind(weight=0.8, hard=0.9)
def pencil_alone(rng: Rng) -> Sheet:
    """Pencil, and nothing darker on the page."""
    page = sheet(rng)
    gray = page.gray[0, 0] * rng.uniform(0.5, 0.86)
    image, draw = page.drawing()
    for _ in range(int(rng.integers(1, 7))):
        signature(
            draw,
            rng,
            rng.uniform(20, 300),
            rng.uniform(60, page.height - 40),
            rng.uniform(1.5, 5),
            rng.uniform(100, 420),
        )
    page.lay(image, gray)
    return page


@kind(weight=1.0, hard=0.3)
def screenshot(rng: Rng) -> Sheet:
    """A page with a dark column or panel of light words, without noise."""
    page = sheet(rng, dark=0)
    wide, gray = rng.uniform(150, page.width * 0.6), rng.uniform(15, 100)
    side, draw = page.drawing()
    draw.rectangle((0, 0, wide * 2, page.height * 2), fill=255)
    page.paragraph(
        draw,
        (20, 30, wide - 14, page.height - 20),
        rng.uniform(12, 32),
        fill=0,
        lead=rng.uniform(1.3, 3),
    )
    cover = page.coverage(side)
    words = rng.uniform(gray + 100, 255)
    page.gray[:, : int(wide)] = min(words, 255)
    page.lay(cover, gray)
    page.print((wide + 30, 30, page.width - 20, page.height - 10), rng.uniform(12, 32), black(rng))
    return page


@kind(weight=2.5, hard=0.6)
def camera(rng: Rng) -> Sheet:
    """Thin print out of focus in uneven light."""
    page = sheet(rng)
    size = rng.uniform(9, 30)
    page.print((20, 20, page.width - 20, page.height - 10), size, rng.uniform(20, 90))
    page.gray = blurred(page.gray, rng.uniform(0.6, 2.0) * min(1, size / 20))
    page.is_blurred = True
    page.gray = page.gray * between(rng, 0.45, 1.05, page.width)
    return page


@kind(weight=1.5, hard=0.5)
def thermal_receipt(rng: Rng) -> Sheet:
    """Pale print on gray paper that fades to one side."""
    page = Sheet(rng, 704, 768, rng.uniform(170, 240))
    size, top = rng.uniform(13, 34), 20.0
    gray = page.gray[0, 0] * rng.uniform(0.3, 0.8)
    while top < 700:
        top = (
            page.print((30, top, 670, min(768, top + 300)), size * rng.uniform(0.8, 1.5), gray) + 8
        )
    fade = between(rng, 0.0, 0.35, 704)[None, :]
    page.gray = page.gray * (1 - fade) + np.percentile(page.gray, 95) * fade
    return page


@kind(weight=1.2)
def photo_in_text(rng: Rng) -> Sheet:
    """A picture amid text: it does not count, the text does."""
    page = sheet(rng)
    some_print(page)
    high, wide = (int(v) for v in rng.integers(120, 420, 2))
    top, left = (
        int(rng.integers(10, page.height - high - 4)),
        int(rng.integers(10, page.width - wide - 4)),
    )
    picture = smooth(rng, (high, wide), rng.uniform(20, 140), 20, 235)
    picture = picture * 0.6 + 0.4 * smooth(rng, (high, wide), rng.uniform(4, 20), 10, 245)
    page.gray[top : top + high, left : left + wide] = picture
    page.ignore(left - 4, top - 4, left + wide + 4, top + high + 4)
    return page


@kind(weight=1.0)
def on_a_desk(rng: Rng) -> Sheet:
    """A page or receipt with the desk around it, which does not count."""
    page = sheet(rng)
    some_print(page, gray=rng.uniform(20, 90))
    paper, truth = page.gray, page.truth
    dark, grain = rng.uniform(5, 120), rng.uniform(4, 60)
    desk = dark * smooth(rng, paper.shape, grain, 0.6, 1.2) + rng.normal(0, 4, paper.shape)
    top, left = (int(rng.integers(0, 260)) for _ in range(2))
    bottom, right = page.height - int(rng.integers(0, 200)), page.width - int(rng.integers(0, 260))
    scene, kept = desk.astype(np.float32), np.full_like(truth, NEITHER)
    scene[top:bottom, left:right] = paper[top:bottom, left:right]
    inner = (slice(top + 5, max(top + 6, bottom - 5)), slice(left + 5, max(left + 6, right - 5)))
    kept[inner] = truth[inner]
    page.gray, page.truth = scene, kept
    return page


@kind(weight=2.0, hard=0.8)
def show_through(rng: Rng) -> Sheet:
    """The print or writing of the other side shows; ticks and words in pencil on this side stay."""
    page = sheet(rng)
    back = Sheet(rng, page.width, page.height, 255)
    back.print((20, 10, page.width - 20, page.height), rng.uniform(12, 40), 0)
    other = blurred((255 - back.gray[:, ::-1]) / 255, rng.uniform(0.8, 3.2))
    if rng.random() < 0.8:
        # Lines that end early, so that the other side's go on beside them.
        right = page.width - rng.uniform(20, 300)
        box = (rng.uniform(20, 70), 30, right, page.height * rng.uniform(0.2, 1))
        page.print(box, float(np.exp(rng.uniform(np.log(11), np.log(36)))), black(rng))
    image, draw = page.drawing()
    for _ in range(int(rng.integers(0, 5))):
        x, y, s = (
            rng.uniform(40, page.width - 90),
            rng.uniform(40, page.height - 90),
            rng.uniform(14, 60),
        )
        if rng.random() < 0.5:
            polyline(
                draw,
                [(x, y), (x + s * 0.4, y + s * 0.5), (x + s, y - s * 0.6)],
                rng.uniform(1.8, 5),
            )
        else:
            signature(draw, rng, x * 0.5, y, rng.uniform(1.8, 4.5), rng.uniform(80, 300))
    page.lay(image, pen(rng, page))
    page.gray *= 1 - rng.uniform(0.05, 0.38) * other
    return page


@kind(weight=0.8, hard=1.0)
def blank(rng: Rng) -> Sheet:
    """Nothing is written: paper, its texture, its stains, its shadow; sometimes one small mark."""
    page = sheet(rng, dark=0.4)
    if rng.random() < 0.4:
        page.gray *= smooth(rng, page.gray.shape, rng.uniform(4, 300), rng.uniform(0.75, 1), 1)
    dirty(page, 0.5)
    if rng.random() < 0.3:
        image, draw = page.drawing()
        page.words(
            draw,
            rng.uniform(60, 600),
            rng.uniform(60, 600),
            "- 3 -",
            rng.uniform(12, 30),
            page.font(),
        )
        page.lay(image, black(rng))
    return page


@kind(weight=1.2, hard=1.0)
def dirty_print(rng: Rng) -> Sheet:
    """Print or handwriting on stained, folded, shaded paper."""
    page = sheet(rng, dark=0.4)
    if rng.random() < 0.6:
        some_print(page, gray=float(page.gray[0, 0] * rng.uniform(0.08, 0.55)))
    else:
        page.lay(
            handwriting(rng, page.height, page.width), page.gray[0, 0] * rng.uniform(0.15, 0.6)
        )
    dirty(page, 1.0)
    return page


@kind(weight=0.4, hard=0.0)
def ghost(rng: Rng) -> Sheet:
    """Hardly visible print, without noise: light ink on what was transparent."""
    page = sheet(rng, dark=0)
    some_print(page, gray=float(page.gray[0, 0] * rng.uniform(0.84, 0.96)))
    return page
