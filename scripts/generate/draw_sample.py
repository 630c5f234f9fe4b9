"""Draw image.png: a simulated phone photograph of a page of text, with uneven light and noise.

    python -m scripts.generate.draw_sample [FILE]

Deterministic: the same bytes on every run of the same Pillow and NumPy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from scripts import usage

DPI = 150
WIDTH, HEIGHT = 1240, 1754  # A4 at 150 dpi
MARGIN = 120
SEED = 20260101
NOISE_SIGMA = 2.0
PAPER, INK = 235, 40

HEADING = "On the keeping of paper"
TEXT = (
    "A page that has been read for a hundred years is seldom white. The light of the window "
    "falls on one half of it and leaves the other in the shade of the book; the ink has faded "
    "where a thumb used to lie, and the damp of some winter has drawn a brown line across the "
    "corner. Whoever wants to keep such a page, to search it and to send it on, wants the ink "
    "and nothing else: black where somebody wrote, white where nobody did."
)
TABLE = (("Page", "Ink", "Bytes"), ("1", "6.1 %", "37,988"), ("2", "4.8 %", "31,204"))


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "image.png")
    page = np.asarray(drawn_page().filter(ImageFilter.GaussianBlur(0.7)), dtype=np.float64)
    photo = page * light() + np.random.default_rng(SEED).normal(0, NOISE_SIGMA, page.shape)
    pixels = np.clip(np.rint(photo), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(target, dpi=(DPI, DPI), optimize=True)
    print(f"{target}: {WIDTH} x {HEIGHT} pixels, {target.stat().st_size} bytes")


def drawn_page() -> Image.Image:
    """A page with a heading, paragraphs in three sizes, a table and a signature, in black."""
    image = Image.new("L", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    y = text(draw, HEADING, 56, MARGIN) + 30
    for size in (30, 24, 20, 18, 26):
        y = text(draw, TEXT, size, y) + 36
    y = table(draw, y + 10)
    signature(draw, y + 60)
    return image.rotate(0.6, Image.Resampling.BICUBIC, fillcolor=PAPER)


def text(draw: ImageDraw.ImageDraw, words: str, size: int, y: int) -> int:
    """Set *words* in lines of the page's width; returns where the next line would start."""
    font = ImageFont.load_default(size)
    line = ""
    for word in [*words.split(), ""]:
        longer = f"{line} {word}".strip()
        if word and draw.textlength(longer, font) <= WIDTH - 2 * MARGIN:
            line = longer
            continue
        draw.text((MARGIN, y), line, INK, font)
        y, line = y + round(size * 1.5), word
    return y


def table(draw: ImageDraw.ImageDraw, y: int) -> int:
    font, row_height, column_width = ImageFont.load_default(22), 44, 220
    for row in TABLE:
        for column, cell in enumerate(row):
            x = MARGIN + column * column_width
            draw.rectangle((x, y, x + column_width, y + row_height), outline=INK, width=2)
            draw.text((x + 12, y + 8), cell, INK, font)
        y += row_height
    return y


def signature(draw: ImageDraw.ImageDraw, y: int) -> None:
    t = np.linspace(0, 1, 400)
    xs = MARGIN + 420 * t + 24 * np.sin(40 * t)
    ys = y + 40 + 34 * np.sin(26 * t) * np.exp(-1.5 * t)
    draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=60, width=4)


def light() -> NDArray[np.float64]:
    """Light factors from 0.4 to 1: a lamp at the top left, a hand's shadow at the bottom right."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    lamp = np.exp(-(((x - 350) / 2300) ** 2 + ((y - 450) / 2600) ** 2))
    hand = 1 - 0.3 / (1 + np.exp(-(x + 0.6 * y - 1750) / 40))
    factors: NDArray[np.float64] = np.clip(lamp * hand, 0.3, 1)
    return factors


if __name__ == "__main__":
    usage.check(__doc__, most=1)
    main()
