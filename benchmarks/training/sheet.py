"""A page that knows its truth: layers of ink on paper, drawn with fonts and curves."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Drawing = tuple[Image.Image, ImageDraw.ImageDraw]

#: Truth: what must come out black, what white, and what does not count.
INK, PAPER, NEITHER = 0, 255, 128
#: Ink is drawn this much larger and averaged.
SCALE: Final = 2
#: A pixel is ink if it is covered by this share of what is covered most nearby, and by this much.
COVERED: Final = 0.48
LEAST_COVERED: Final = 0.12
#: A pixel of a ridge is covered by so much more than one beside it, and by hardly less than both.
#: Of these truths of print of 11 to 18 pixels in three faces, Tesseract reads 1.6 % of the letters
#: wrong; without ridges 5.2 %; with half coverage 14 %.
LEAST_RIDGE: Final = 0.2
RIDGE_SLACK: Final = 0.1
FONT_FOLDER: Final = Path("/usr/share/fonts")
#: requirements/fonts.apt lists Debian's packages with as many and more.
ENOUGH_FONTS: Final = 200
#: Symbols, and Noto's many other scripts.
NO_LETTERS: Final = (
    "Emoji", "Symbol", "Dingbat", "Math", "opens___", "D050000L", "Standard", "Webding", "Braille",
    "NotoSans", "NotoSerif", "NotoKufi", "NotoNaskh", "NotoRashi", "NotoNastaliq", "NotoMusic",
    "NotoTraditional", "Initials", "Keyboard",
)  # fmt: skip
SCRIPTS: Final = ("dancing", "ecolier", "breip", "humor", "comic", "femke", "chancery", "z003")
WORDS: Final = (  # noqa: SIM905 - easier to read
    "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao "
    "ele das à seu sua ou quando muito nos já eu também só pelo pela até isso ela entre "
    "depois sem mesmo aos seus the of and to in is was he for it with as his on be at by "
    "this had not are but from or have an invoice paid amount total delivery receipt "
    "number street garden river window paper letter account transfer signature field Ação "
    "Você Número endereço café três português útil ônibus Sehr geehrte Straße für über "
    "Rechnung Betrag señor año élève garçon forêt"
).split()
ENDS: Final = (".", ",", ";", ":", "!", "?", "...", ")", "%")


@functools.cache
def fonts() -> tuple[Sequence[str], Sequence[str]]:
    """All fonts with letters, and those that look like handwriting."""
    paths = sorted(str(p) for p in FONT_FOLDER.rglob("*.[ot]tf"))
    letters = [p for p in paths if not any(mark in p for mark in NO_LETTERS)]
    hands = [p for p in letters if any(mark in p.lower() for mark in SCRIPTS)]
    return letters, hands


def require_fonts() -> None:
    """What is drawn with a handful of fonts must not train what ships."""
    if len(fonts()[0]) < ENOUGH_FONTS:
        raise SystemExit("Too few fonts: apt-get install those of requirements/fonts.apt.")


@functools.lru_cache(maxsize=64)
def face(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def word(rng: Rng) -> str:
    kind = rng.random()
    if kind < 0.2:
        return f"{rng.integers(0, 9999):,}.{rng.integers(0, 99):02d}"
    if kind < 0.25:
        return f"{rng.integers(1, 31)}/{rng.integers(1, 12)}/{rng.integers(1990, 2030)}"
    text = str(rng.choice(WORDS))
    if rng.random() < 0.15:
        text = text.upper() if rng.random() < 0.4 else text.capitalize()
    return text + (str(rng.choice(ENDS)) if rng.random() < 0.2 else "")


def inked(cover: Any, share: float) -> Any:
    """Where ink is: covered by *share* of what is covered most nearby, or a thin stroke.

    A stroke thinner than a pixel covers none by half, and beside a broad one, as the serifs and
    joins of print, not by *share* either. Along a row or a column it is a ridge.
    """
    cover = np.asarray(cover, np.float32)
    most = cv2.dilate(cover, np.ones((5, 5), np.uint8))
    is_ink = cover >= np.maximum(share * most, LEAST_COVERED)
    for line in (np.ones((1, 3), np.uint8), np.ones((3, 1), np.uint8)):
        is_top = cover >= cv2.dilate(cover, line) - RIDGE_SLACK
        is_ink |= is_top & (cover >= cv2.erode(cover, line) + LEAST_RIDGE)
    return is_ink


class Sheet:
    """A gray page and its truth. Lengths are in pixels, grays from 0 to 255, coverage 0 to 1."""

    def __init__(self, rng: Rng, width: int = 768, height: int = 768, paper: float = 245) -> None:
        self.rng = rng
        self.width, self.height = width, height
        self.gray = np.full((height, width), paper, np.float32)
        self.truth = np.full((height, width), PAPER, np.uint8)
        self.bold = COVERED
        #: Out of focus already: to blur it again would leave full stops that nobody can see.
        self.is_blurred = False

    def drawing(self) -> Drawing:
        """Something to draw coverage on, 0 to 255, SCALE times as large."""
        image = Image.new("L", (self.width * SCALE, self.height * SCALE))
        return image, ImageDraw.Draw(image)

    def coverage(self, image: Image.Image) -> Any:
        size = (self.width, self.height)
        return cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA) / np.float32(255)

    def lay(self, cover: Any, gray: Any, *, counts: bool = True, multiply: bool = False) -> None:
        """Put *gray* where *cover* is: ink, unless it is a tint that must come out white."""
        if isinstance(cover, Image.Image):
            cover = self.coverage(cover)
        over = self.gray * gray / 255 if multiply else gray
        self.gray = self.gray * (1 - cover) + over * cover
        if counts:
            self.truth[inked(cover, self.bold)] = INK

    def lighten(self, cover: Any, gray: Any) -> None:
        """Put something light on ink: what it covers must come out white."""
        if isinstance(cover, Image.Image):
            cover = self.coverage(cover)
        self.gray = self.gray * (1 - cover) + gray * cover
        self.truth[cover >= 1 - self.bold] = PAPER

    def ignore(self, left: int, top: int, right: int, bottom: int) -> None:
        self.truth[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = NEITHER

    # --- what is drawn on a layer ---------------------------------------------------

    def font(self, *, hand: bool = False) -> str:
        letters, hands = fonts()
        chosen = hands if hand and hands else letters
        return str(chosen[int(self.rng.integers(len(chosen)))])

    def words(self, draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: float,
              font: str, fill: int = 255) -> None:  # fmt: skip
        draw.text((x * SCALE, y * SCALE), text, fill, face(font, max(4, round(size * SCALE))))

    def paragraph(self, draw: ImageDraw.ImageDraw, box: Sequence[float], size: float,
                  font: str | None = None, fill: int = 255, lead: float = 0) -> float:  # fmt: skip
        """Fill *box* with words; where the last line ends."""
        font = font or self.font()
        lead = lead or self.rng.uniform(1.25, 1.9)
        left, top, right, bottom = box
        letters, y = face(font, max(4, round(size * SCALE))), top
        while y + size * 1.25 <= bottom:
            line = ""
            while True:
                longer = f"{line} {word(self.rng)}".strip()
                if letters.getlength(longer) > (right - left) * SCALE:
                    break
                line = longer
            draw.text((left * SCALE, y * SCALE), line, fill, letters)
            y += size * lead
        return float(y)

    def print(self, box: Sequence[float], size: float, gray: float = 30, **options: Any) -> float:
        """Lay a paragraph in *gray*."""
        image, draw = self.drawing()
        end = self.paragraph(draw, box, size, **options)
        self.lay(image, gray)
        return end

    def size(self) -> float:
        """A size of print, small ones more often: 8 to 40 pixels."""
        return float(np.exp(self.rng.uniform(np.log(9), np.log(40))))


def polyline(draw: ImageDraw.ImageDraw, points: Any, width: float) -> None:
    flat = [(float(x) * SCALE, float(y) * SCALE) for x, y in points]
    draw.line(flat, fill=255, width=max(1, round(width * SCALE)), joint="curve")


def signature(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, width: float,
              length: float = 420) -> None:  # fmt: skip
    """A hand's quick line from left to right."""
    t = np.linspace(0, 1, 300)
    high = length * rng.uniform(0.06, 0.14)
    a, b, c = rng.uniform(16, 34), rng.uniform(6, 12), rng.uniform(10, 30)
    xs = x + length * t + length * (0.07 * np.sin(14 * t) + 0.04 * np.sin(c * t))
    ys = y + high * np.sin(a * t) * (1 - t * 0.5) + high * 0.6 * np.cos(b * t) - 20 * t
    polyline(draw, zip(xs, ys, strict=True), width)


def handwriting(rng: Rng, height: int, width: int, *, broad: bool = False) -> Any:
    """Coverage of a page of loops, written with a nib: thin upstrokes, thick downstrokes."""
    canvas = np.zeros((height * SCALE, width * SCALE), np.uint8)
    nib = rng.uniform(4, 11) if broad else rng.uniform(1.2, 6)
    step = rng.uniform(20, 62) + 4 * max(0, nib - 4)
    y = rng.uniform(0, step * 2)
    while y < height:
        x = rng.uniform(10, 60)
        while x < width - 30:
            x = _written_word(canvas, rng, x, y, nib, step)
        y += step * rng.uniform(0.9, 1.3)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)


def _written_word(canvas: Any, rng: Rng, x: float, y: float, nib: float, step: float) -> float:
    letters = int(rng.integers(2, 9))
    t, high = np.linspace(0, 1, letters * 14), step * rng.uniform(0.2, 0.5)
    a, b, c, d = rng.uniform(0, 6.3, 4)
    turn = t * letters * 6.3
    xs = (
        x
        + t * letters * high * 0.9
        + high * (0.5 * np.sin(turn + a) + 0.2 * np.sin(1.43 * turn + c))
    )
    ys = y + high * 0.8 * np.sin(turn + b) * (0.5 + 0.5 * np.sin(turn / 3 + d)) + rng.normal(0, 1)
    points = np.rint(np.stack([xs, ys], 1) * SCALE).astype(int)
    slopes = np.arctan2(*np.diff(points, axis=0).T)
    widths = np.maximum(1, np.rint(SCALE * nib * (0.6 + 0.4 * np.sin(slopes + 0.8)))).astype(int)
    for start, end, thick in zip(
        points[:-1].tolist(), points[1:].tolist(), widths.tolist(), strict=True
    ):
        cv2.line(canvas, start, end, 255, thick, cv2.LINE_AA)
    return float(xs[-1] + step * rng.uniform(0.3, 0.9))


def smooth(rng: Rng, shape: tuple[int, ...], grain: float, low: float, high: float) -> Any:
    """A field that varies over about *grain* pixels, from *low* to *high*."""
    height, width = shape
    cells = rng.random((max(2, int(height / grain)), max(2, int(width / grain))), np.float32)
    field = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    return low + (high - low) * np.clip(field, 0, 1)


def between(rng: Rng, low: float, high: float, count: int) -> Any:
    """*count* values from one random number to another, both between *low* and *high*."""
    first, last = (float(end) for end in rng.uniform(low, high, 2))
    return np.linspace(first, last, count, dtype=np.float32)


def blurred(values: Any, deviation_px: float) -> Any:
    return cv2.GaussianBlur(np.asarray(values, np.float32), (0, 0), max(deviation_px, 0.05))
