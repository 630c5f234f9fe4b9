"""A sheet of paper to draw on, which keeps the truth of every pixel beside its colour."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.quality import everyday

#: Truth: must be black, must be white, may be either.
INK, PAPER, EITHER = 0, 255, 128
#: From a coverage of SOLID a pixel is ink; beside pixels of more than RIM it may be either.
SOLID, RIM = 153, 25

Color = tuple[float, float, float]
Box = tuple[float, float, float, float]
Draw = ImageDraw.ImageDraw
Layer = AbstractContextManager[Draw]
T = TypeVar("T")
BLACK: Final[Color] = (25, 25, 25)
PEN: Final[Color] = (35, 55, 150)
FONTS: Final = Path("/usr/share/fonts/truetype")
STYLES: Final = {
    "sans": ("dejavu/DejaVuSans.ttf", "liberation/LiberationSans-Regular.ttf"),
    "bold": ("dejavu/DejaVuSans-Bold.ttf", "liberation/LiberationSans-Bold.ttf"),
    "serif": ("dejavu/DejaVuSerif.ttf", "liberation/LiberationSerif-Regular.ttf"),
    "mono": ("dejavu/DejaVuSansMono.ttf", "liberation/LiberationMono-Regular.ttf"),
}
WORDS: Final = (
    *("customer", "January", "please", "return", "office", "copy", "tax", "Straße", "Müller"),
    *("insurance", "policy", "kitchen", "school", "ticket", "to", "be", "of", "in", "il", "per"),
    *("weekly", "quantity", "höhe", "crème", "signed", "date", "address", "city", "phone", "my"),
    *("reference", "garçon", "number", "family", "train", "Wednesday", "little", "journey", "a"),
)


class Sheet:
    """A page of RGB and its truth. Inks multiply what they cover, unless they are opaque."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.fonts = {style: self.one_of(names) for style, names in STYLES.items()}
        #: Tints of some printers are screens of dots, this many pixels apart; 0 if flat.
        self.screen_px = self.one_of((0, 0, self.between(2.5, 5)))
        white = self.between(236, 253)
        self.start(paper=(white, white, white - self.between(0, 6)))

    def start(self, width: int = 1240, height: int = 900, paper: Color | None = None) -> None:
        """Begin again on blank paper of another size or colour."""
        self.width, self.height = width, height
        self.paper: Color = paper or self.paper
        self.rgb = np.empty((height, width, 3), np.float32)
        self.rgb[:] = self.paper
        self.truth = np.full((height, width), PAPER, np.uint8)

    def between(self, least: float, most: float) -> float:
        return float(self.rng.uniform(least, most))

    def whole(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def one_of(self, things: Sequence[T]) -> T:
        return things[int(self.rng.integers(len(things)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    @contextmanager
    def layer(self, color: Color, becomes: int | None, *, is_opaque: bool) -> Iterator[Draw]:
        """Draw with 255 what the layer covers; it is laid at the end of the block."""
        image = Image.new("L", (self.width, self.height), 0)
        yield ImageDraw.Draw(image)
        self.lay(np.asarray(image), color, becomes, is_opaque=is_opaque)

    def ink(self, color: Color = BLACK, becomes: int | None = INK) -> Layer:
        return self.layer(color, becomes, is_opaque=False)

    def tint(self, color: Color) -> Layer:
        """For what must come out as if it were not there."""
        return self.ink(color, None)

    def cut(self, color: Color | None = None) -> Layer:
        """For opaque white things, and for words that a dark area leaves out."""
        return self.layer(color or self.paper, PAPER, is_opaque=True)

    def lay(
        self, cover: Any, color: Color, becomes: int | None = INK, *, is_opaque: bool = False
    ) -> None:
        """Colour what *cover* covers, 0 to 255; its truth *becomes* that, or stays if None."""
        left, top, width, height = cv2.boundingRect(cover)
        spot = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
        share = cover[spot].astype(np.float32)[..., np.newaxis] / 255
        over = np.array(color, np.float32)
        over = over if is_opaque else self.rgb[spot] * over / 255
        self.rgb[spot] += share * (over - self.rgb[spot])
        if becomes is not None and width:
            _mark(self.truth[spot], cover[spot], becomes)

    def fill(self, box: Box, color: Color = BLACK, becomes: int | None = INK) -> None:
        with self.ink(color, becomes) as draw:
            draw.rectangle(box, fill=255)

    def tinted(self, box: Box, color: Color) -> None:
        """A tinted area, in half of the depth a screen of dots on some pages."""
        self.fill(box, color, None)
        if not self.screen_px:
            return
        left, top, right, bottom = (int(edge) for edge in box)
        right, bottom = min(right, self.width - 1), min(bottom, self.height - 1)
        down, over = np.mgrid[top : bottom + 1, left : right + 1] * (2 * np.pi / self.screen_px)
        dots = 0.5 * np.cos(0.8 * over + 0.6 * down) * np.cos(0.8 * down - 0.6 * over)
        depth = 1 - np.array(color, np.float32) / 255
        self.rgb[top : bottom + 1, left : right + 1] *= 1 - dots[..., np.newaxis] * depth

    def frame(self, box: Box, width: int = 2, color: Color = BLACK) -> None:
        with self.ink(color) as draw:
            draw.rectangle(box, outline=255, width=width)

    def font(self, size: int, style: str = "sans") -> Any:
        """The page's typeface of *style*; Pillow's own where requirements/fonts.apt is missing."""
        return _load(self.fonts[style], size)

    def text(
        self, at: Any, text: str, size: int, color: Color = BLACK, style: str = "sans"
    ) -> None:
        with self.ink(color) as draw:
            draw.text(at, text, font=self.font(size, style), fill=255)

    def white_text(self, at: Any, text: str, size: int, style: str = "bold") -> None:
        with self.cut() as draw:
            draw.text(at, text, font=self.font(size, style), fill=255)

    def paragraph(self, box: Box, size: int, color: Color = BLACK, style: str = "sans") -> None:
        """Lines of words that fill *box*."""
        left, top, right, bottom = (int(edge) for edge in box)
        with self.ink(color) as draw:
            for y in range(top, bottom - int(size * 1.2), int(size * 1.5)):
                words = self.line(right - left, size, style)
                draw.text((left, y), words, font=self.font(size, style), fill=255)

    def line(self, width: float, size: int, style: str = "sans") -> str:
        """As many words and numbers as are no wider than *width*; one at least."""
        text = self.word()
        while True:
            longer = f"{text} {self.word()}"
            if self.font(size, style).getlength(longer) > width:
                return text
            text = longer

    def word(self) -> str:
        if self.chance(0.15):
            return f"{self.whole(1, 9999)}.{self.whole(10, 99)}"
        return self.one_of(WORDS)

    def digits(self, count: int) -> str:
        return "".join(str(digit) for digit in self.rng.integers(0, 10, count))

    def write(self, box: Box, color: Color = PEN, width: int = 3) -> None:
        """One line of handwritten words in *box*."""
        left, top, right, bottom = box
        high = bottom - top
        with self.ink(color) as draw:
            while left < right - high:
                wide = min(right - left, high * self.between(1.2, 4))
                stroke(draw, handwriting(self, (left, top, left + wide, bottom)), width)
                left += wide + 0.9 * high

    def smooth(self, sigma: float) -> Any:
        """Smooth noise from 0 to 1 of the size of the page."""
        # At a quarter of the size, because wide Gaussians are slow.
        small = self.rng.standard_normal((self.height // 4 + 1, self.width // 4 + 1), np.float32)
        small = cv2.GaussianBlur(small, (0, 0), sigma / 4)
        wide = cv2.resize(small, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return np.clip((wide - wide.min()) / np.ptp(wide), 0, 1)

    def fade(self, most: float, sigma: float) -> None:
        """Let all ink fade unevenly, by up to *most* of its depth."""
        self.rgb += (np.array(self.paper) - self.rgb) * (most * self.smooth(sigma))[..., None]

    def shade(self, light: Any) -> None:
        """Multiply the page by *light*, (H, W) or what broadcasts to it."""
        self.rgb *= np.broadcast_to(light, self.truth.shape)[..., np.newaxis]

    def picture(self, box: tuple[int, int, int, int]) -> None:
        """A photograph, of which no pixel counts."""
        left, top, right, bottom = box
        spot = np.s_[top:bottom, left:right]
        scene = 0.7 * self.smooth(60) + 0.3 * self.smooth(8)
        self.rgb[spot] = (25 + 215 * scene[spot])[..., None] * np.array((1, 0.96, 0.9))
        self.truth[top - 3 : bottom + 3, left - 3 : right + 3] = EITHER

    def scanned(self) -> Any:
        """The page as a scanner sees it: (H, W, 3) uint8."""
        blur, noise = self.between(0.4, 0.8), self.between(1, 4)
        dimmest = self.one_of((1, 1, 0.92))
        page = cv2.GaussianBlur(self.rgb, (0, 0), blur)
        page *= np.linspace(1, dimmest, self.width, dtype=np.float32)[:, np.newaxis]
        page += noise * self.rng.standard_normal(page.shape, np.float32)
        return np.clip(page, 0, 255).astype(np.uint8)


def _mark(truth: Any, cover: Any, becomes: int) -> None:
    """Set *truth* under *cover*; the rim may be either, unless it is the same already."""
    rim = cv2.dilate(cover, np.ones((3, 3), np.uint8)) > RIM
    truth[rim & (truth != becomes)] = EITHER
    truth[cover >= SOLID] = becomes


@functools.cache
def _load(name: str, size: int) -> Any:
    path = FONTS / name
    return everyday.load(str(path) if path.exists() else None, size)


def gray(share: float) -> Color:
    """The neutral ink that leaves *share* of the light."""
    return (255 * share, 255 * share, 255 * share)


def handwriting(sheet: Sheet, box: Box) -> Any:
    """Points of one connected line with loops, like a word in a hurry: (N, 2)."""
    left, top, right, base = box
    high = base - top
    count = max(2, int((right - left) / (0.55 * high)))
    t = np.linspace(0, 1, 30 * count)
    turns = 2 * np.pi * count * t
    tall = np.interp(t, np.linspace(0, 1, count + 1), sheet.rng.uniform(0.35, 1, count + 1))
    x = left + (right - left) * t + 0.22 * high * np.cos(turns)
    y = base - high * tall * (0.5 + 0.5 * np.sin(turns)) + 0.1 * high * np.sin(5 * t)
    return np.stack([x + 0.25 * (base - y), y], 1)


def stroke(draw: Draw, points: Any, width: int) -> None:
    draw.line([(float(x), float(y)) for x, y in points], fill=255, width=width, joint="curve")


Kind = Callable[[Sheet], None]


def by_name(*kinds: Kind) -> dict[str, Kind]:
    """*kinds* by the names of their functions, with hyphens."""
    return {kind.__name__.replace("_", "-"): kind for kind in kinds}
