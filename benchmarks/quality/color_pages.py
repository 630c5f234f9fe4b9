"""Draw colour pages with known ink, and score `auto` on luma and on colour.

    python -m benchmarks.quality.color_pages

Marks: the share of the black marks of which at least half came out black. F: the F-measure in
percent. Each kind is black print with something in colour on it. Pens and stamps must come out
black, highlighters and tints of the paper white. Deterministic; needs Pillow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.binarize.auto.reader import read
from app.binarize.color import darken_thin_color
from app.png.chroma import chroma_of

WIDTH, HEIGHT = 1240, 800
WORDS: Final = (
    *("invoice", "paid", "total:", "1,284.50", "delivery,", "number", "street;", "garden"),
    *("window", "não", "você", "ação"),
)
PAPER: Final = (246, 246, 243)
#: RGB of ballpoint, gel and felt pens, and of faded ink.
PENS: Final = {
    "ballpoint": (40, 60, 170),
    "gel blue": (90, 150, 225),
    "sky": (120, 180, 240),
    "turquoise": (60, 190, 190),
    "green": (60, 160, 80),
    "light green": (130, 210, 120),
    "olive": (150, 160, 60),
    "ochre": (215, 170, 60),
    "orange": (250, 150, 40),
    "red": (215, 40, 45),
    "pink": (240, 110, 150),
    "magenta": (220, 60, 180),
    "violet": (150, 110, 190),
}
HIGHLIGHTERS: Final = {
    "yellow": (255, 240, 60),
    "green": (130, 240, 110),
    "pink": (255, 130, 190),
    "orange": (255, 170, 60),
    "blue": (110, 190, 250),
    "violet": (200, 150, 240),
}
STAMPS: Final = {
    "red": (210, 50, 50),
    "pale red": (235, 140, 140),
    "blue": (60, 80, 190),
    "pale blue": (150, 170, 230),
    "green": (90, 170, 110),
    "violet": (150, 110, 190),
}
PAPERS: Final = {
    "yellow": (250, 235, 150),
    "pink": (250, 205, 215),
    "green": (190, 230, 190),
    "blue": (185, 210, 240),
    "kraft": (200, 165, 120),
}

Drawn = tuple[Any, Any]


class Sheet:
    """Layers of ink on paper. Truth: 0 must be black, 255 must be white, 128 may be either."""

    def __init__(self, seed: int, paper: tuple[int, int, int] = PAPER) -> None:
        self.rng = np.random.default_rng(seed)
        self.rgb = np.empty((HEIGHT, WIDTH, 3), np.float32)
        self.rgb[:] = paper
        self.truth = np.full((HEIGHT, WIDTH), 255, np.uint8)

    def lay(self, cover: Image.Image, color: tuple[int, int, int], *, is_ink: bool = True) -> None:
        """Lay ink over the page by multiplication, because inks are transparent."""
        share = np.asarray(cover, np.float32)[..., np.newaxis] / 255
        self.rgb *= 1 - share * (1 - np.array(color, np.float32) / 255)
        if is_ink:
            around = cv2.dilate(np.asarray(cover), np.ones((3, 3), np.uint8)) > 25
            self.truth[around & (self.truth == 255)] = 128
            self.truth[share[..., 0] >= 0.6] = 0

    def words(self, top: int, bottom: int, size: int, color: tuple[int, int, int]) -> None:
        image, draw = layer()
        face = ImageFont.load_default(size)
        for y in range(top, bottom - size, int(size * 1.6)):
            line = " ".join(self.rng.choice(WORDS, 12))
            draw.text((60, y), line, font=face, fill=255)
        self.lay(image, color)

    def scanned(self, blur: float = 0.6, noise: float = 3) -> Any:
        out = cv2.GaussianBlur(self.rgb, (0, 0), blur)
        out += self.rng.normal(0, noise, out.shape)
        return np.clip(out, 0, 255).astype(np.uint8)


def layer() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (WIDTH, HEIGHT), 0)
    return image, ImageDraw.Draw(image)


def jpeg(rgb: Any, quality: int) -> Any:
    """The page after JPEG with chroma at half resolution, as cameras save it."""
    encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1].copy()


def signature(sheet: Sheet, color: tuple[int, int, int], width: int = 4) -> None:
    image, draw = layer()
    t = np.linspace(0, 1, 400)
    x = 250 + 600 * t + 30 * np.sin(14 * t)
    y = 650 + 50 * np.sin(22 * t) * (1 - t / 2) + 25 * np.cos(9 * t)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(points, fill=255, width=width, joint="curve")
    draw.text((900, 620), "14.06., ok: ü", font=ImageFont.load_default(40), fill=255)
    sheet.lay(image, color)


def pens() -> Iterator[Drawn]:
    for seed, color in enumerate(PENS.values()):
        sheet = Sheet(seed)
        sheet.words(40, 540, 26, (25, 25, 25))
        signature(sheet, color)
        yield sheet.scanned(), sheet.truth


def pens_alone() -> Iterator[Drawn]:
    for seed, color in enumerate(PENS.values()):
        sheet = Sheet(100 + seed)
        signature(sheet, color, 3)
        yield sheet.scanned(), sheet.truth


def pens_in_jpeg() -> Iterator[Drawn]:
    for rgb, truth in pens():
        yield jpeg(rgb, 60), truth


def highlighters() -> Iterator[Drawn]:
    for seed, color in enumerate(HIGHLIGHTERS.values()):
        sheet = Sheet(200 + seed)
        image, draw = layer()
        for y in range(90, 700, 84):
            draw.rectangle((55, y - 4, 1100, y + 36), fill=255)
        sheet.lay(image, color, is_ink=False)
        sheet.words(40, 780, 26, (25, 25, 25))
        yield sheet.scanned(), sheet.truth


def stamps() -> Iterator[Drawn]:
    for seed, color in enumerate(STAMPS.values()):
        sheet = Sheet(300 + seed)
        sheet.words(40, 780, 26, (25, 25, 25))
        image, draw = layer()
        draw.rectangle((400, 460, 980, 640), outline=255, width=8)
        draw.text((450, 490), "RECEBIDO", font=ImageFont.load_default(80), fill=255)
        sheet.lay(image.rotate(8, resample=Image.Resampling.BICUBIC), color)
        yield sheet.scanned(), sheet.truth


def colored_papers() -> Iterator[Drawn]:
    for seed, color in enumerate(PAPERS.values()):
        sheet = Sheet(400 + seed, color)
        sheet.words(40, 540, 26, (25, 25, 25))
        signature(sheet, (40, 60, 170))
        yield jpeg(sheet.scanned(), 75), sheet.truth


def yellow_words() -> Iterator[Drawn]:
    """A page with words in light colours, as in charts and slides."""
    for seed, color in enumerate([(255, 255, 0), (255, 220, 0), (120, 255, 120), (0, 255, 255)]):
        sheet = Sheet(500 + seed, (255, 255, 255))
        sheet.words(40, 400, 26, (25, 25, 25))
        sheet.words(440, 780, 34, color)
        yield sheet.scanned(), sheet.truth


def print_with_chroma_noise() -> Iterator[Drawn]:
    for seed, quality in enumerate((25, 40, 60, 80)):
        sheet = Sheet(600 + seed)
        sheet.words(40, 780, 22, (40, 40, 45))
        noise = cv2.GaussianBlur(sheet.rng.normal(0, 1, sheet.rgb.shape), (0, 0), 2)
        rgb = np.clip(sheet.scanned() + 60 * noise, 0, 255).astype(np.uint8)
        yield jpeg(rgb, quality), sheet.truth


def photographs_in_text() -> Iterator[Drawn]:
    for seed in range(3):
        sheet = Sheet(700 + seed)
        sheet.words(40, 380, 26, (25, 25, 25))
        hills = np.cumsum(np.cumsum(sheet.rng.normal(0, 1, (360, 600, 3)), 0), 1)
        hills = cv2.GaussianBlur(hills, (0, 0), 6)
        low, high = hills.min((0, 1)), hills.max((0, 1))
        sheet.rgb[410:770, 80:680] = 30 + 200 * (hills - low) / (high - low)
        sheet.truth[406:774, 76:684] = 128
        yield jpeg(sheet.scanned(), 75), sheet.truth


KINDS: Final[dict[str, Callable[[], Iterator[Drawn]]]] = {
    kind.__name__.replace("_", " "): kind
    for kind in (
        pens,
        pens_alone,
        pens_in_jpeg,
        highlighters,
        stamps,
        colored_papers,
        yellow_words,
        print_with_chroma_noise,
        photographs_in_text,
    )
}


def score(truth: Any, white: Any) -> tuple[float, float]:
    """The share of marks found and the F-measure, both in percent."""
    black, ink = white < 128, truth == 0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    area = stats[1:, cv2.CC_STAT_AREA]
    kept = np.bincount(labels[black & ink], minlength=count)[1:]
    hits, wrong = (black & ink).sum(), (black & (truth == 255)).sum()
    marks = (kept >= 0.5 * area)[area >= 4].mean()
    return 100 * float(marks), 200 * hits / max(1, 2 * hits + wrong + (ink & ~black).sum())


def grays(rgb: Any) -> tuple[Any, Any]:
    """The page's gray by luma alone, and as `auto` receives it."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    gray = luma.copy()
    darken_thin_color(gray, chroma_of(rgb))
    return luma, gray


def main() -> None:
    print("| kind | pages | luma: marks / F | with colour: marks / F |\n|---|---:|---:|---:|")
    means = []
    for name, kind in KINDS.items():
        found = [[score(truth, read(g).white) for g in grays(rgb)] for rgb, truth in kind()]
        means.append(np.mean(found, axis=0))
        print(row(name, str(len(found)), means[-1]), flush=True)
    print(row("**mean**", "", np.mean(means, axis=0)))


def row(name: str, count: str, means: Any) -> str:
    luma, color = ("{:.1f} / {:.1f}".format(*mean) for mean in means)
    return f"| {name} | {count} | {luma} | {color} |"


if __name__ == "__main__":
    main()
