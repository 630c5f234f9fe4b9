#!/usr/bin/env python3
"""Draw static/methods/NAME.png: the same difficult corner of a page by each method of the engine.

Run again after a change of the engine, with requirements/dev.txt:
python -m scripts.generate.draw_methods
"""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from app.domain.methods import METHODS
from app.image_processor import binarize_png
from app.png.limits import PngLimits
from scripts import usage

FOLDER: Final = Path(__file__).resolve().parents[2] / "static" / "methods"
#: The size of the processed page, and of its displayed corner, at half size.
PAGE: Final = (960, 640)
CORNER: Final = (96, 64, 288, 192)
#: Text without a language: characters, size, offset from the top of the block, and ink density.
LINES: Final = (("Alvura", 46, 4, 130), ("abcdefghijk", 27, 58, 92), ("0123456789", 28, 92, 115))


def draw_page() -> bytes:
    """A page with blocks of bold and faint text, each with a shadow from the right and a stain."""
    noise = random.Random(7)  # noqa: S311  # the same picture every time
    paper = Image.new("L", PAGE)
    draw = ImageDraw.Draw(paper)
    width, height = CORNER[2] - CORNER[0], CORNER[3] - CORNER[1]
    for x in range(PAGE[0]):
        draw.line((x, 0, x, PAGE[1]), fill=_light(x))
    corners = [
        (x, y)
        for x in range(CORNER[0] % width, PAGE[0], width)
        for y in range(CORNER[1] % height, PAGE[1], height)
    ]
    for x, y in corners:
        draw.ellipse((x + 18, y + 78, x + 84, y + 126), fill=_light(x) - 38)
    for x, y in corners:
        _write(paper, x, y)
    paper = paper.filter(ImageFilter.GaussianBlur(0.7))
    paper.putdata([value + noise.randint(-8, 8) for value in paper.tobytes()])
    out = BytesIO()
    paper.save(out, "PNG")
    return out.getvalue()


def _light(x: int) -> int:
    """The light on column *x*: a shadow that begins within the corner and ends beyond it."""
    begin, end = CORNER[0] + 60, CORNER[2] + 40
    return round(228 - 110 * min(1.0, max(0.0, (x - begin) / (end - begin))))


def _write(paper: Image.Image, x: int, y: int) -> None:
    """Draw one block of text: ink darkens the light of the paper."""
    for text, size, top, darker in LINES:
        mask = Image.new("L", PAGE)
        place = (x + 12, y + top)
        ImageDraw.Draw(mask).text(place, text, fill=255, font=ImageFont.load_default(size))
        paper.paste(paper.point([max(0, value - darker) for value in range(256)]), mask=mask)


def _cut(png: bytes) -> bytes:
    out = BytesIO()
    Image.open(BytesIO(png)).crop(CORNER).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    page = draw_page()
    for name in METHODS:
        drawn = binarize_png(page, method=name, parameters={}, limits=PngLimits())
        (FOLDER / f"{name}.png").write_bytes(_cut(drawn.png))


if __name__ == "__main__":
    usage.check(__doc__)
    main()
