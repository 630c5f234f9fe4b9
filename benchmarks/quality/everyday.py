"""Draw everyday documents with exact truth: which pixels must come out black or white.

    python -m benchmarks.quality.everyday OUT [SEED]
    score(truth, result)                 judges a result; both (H, W) uint8

writes OUT/KIND-VARIANT.png, OUT/KIND-VARIANT.truth.png and OUT/manifest.json. Truth: 0 must be
black, 255 must be white, 128 does not count (edges of strokes, photographs, the desk around a
page). Every page is print with one common addition: a pen, a stamp, a bar chart, a code, a form.
"""

# Longer than 300 lines: one function for each kind of page, and the page that they draw on.

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.binarize.color import darken_thin_color
from app.png.check import inspect
from app.png.decode import decode
from app.png.light_ink import show_light_ink
from app.png.limits import PngLimits

WORDS = (  # noqa: SIM905 - easier to read
    "invoice paid amount total delivery receipt number street garden river window paper "
    "letter morning number of the and for with from under which after before balance "
    "account transfer signature field ação não você também número endereço café três à "
    "português útil ônibus água"
).split()
FONTS = [
    path
    for path in (
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf",
    )
    if Path(path).exists()
]
#: Pens, stamps and fills as RGB; the comment is the luma of ITU-R BT.601.
PENS = {
    "ballpoint": (40, 60, 170),  # 67
    "red": (215, 40, 45),  # 93
    "green": (60, 160, 80),  # 121
    "gel-blue": (90, 150, 225),  # 141
    "pencil-hb": (140, 140, 140),
    "turquoise": (60, 190, 190),  # 151
    "pink": (240, 110, 150),  # 153
    "orange": (250, 150, 40),  # 167
    "pencil-2h": (175, 175, 175),
}
HIGHLIGHTERS = {
    "yellow": (255, 240, 60),
    "green": (130, 240, 110),
    "pink": (255, 130, 190),
    "orange": (255, 170, 60),
    "blue": (110, 190, 250),
    "strong-red": (235, 80, 80),
    "strong-blue": (70, 120, 220),
}


class Page:
    """Layers of ink over paper and their truth, photographs and desks left out of it."""

    def __init__(
        self, rng: np.random.Generator, width: int = 1240, height: int = 900, paper=(246, 246, 243)
    ) -> None:
        self.rng = rng
        self.size = (width, height)
        self.rgb = np.empty((height, width, 3), np.float32)
        self.rgb[:] = paper
        self.truth = np.full((height, width), 255, np.uint8)

    def layer(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("L", self.size, 0)
        return image, ImageDraw.Draw(image)

    def lay(
        self, coverage: Image.Image, colour, *, counts: bool = True, blend: str = "over"
    ) -> None:
        """Put *colour* where *coverage* is: ink, unless it is a tint that must come out white."""
        cover = np.asarray(coverage, np.float32)[..., None] / 255
        over = np.asarray(colour, np.float32)
        if blend == "multiply":
            over = self.rgb * over / 255
        self.rgb = self.rgb * (1 - cover) + over * cover
        solid = cover[..., 0]
        if counts:
            ink = solid >= 0.6
            rim = cv2.dilate((solid > 0.1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            self.truth[rim & (self.truth == 255)] = 128
            self.truth[ink] = 0

    def ignore(self, box) -> None:
        left, top, right, bottom = box
        self.truth[top:bottom, left:right] = 128

    def text(
        self, box, size: int, colour=(25, 25, 25), font: str | None = None, lines: int = 99
    ) -> int:
        """Words from left to right until *box* is full; returns where it ends."""
        image, draw = self.layer()
        face = load(font or self.font(), size)
        left, top, right, bottom = box
        y = top
        for _ in range(lines):
            if y + size * 1.3 > bottom:
                break
            draw.text((left, y), self.sentence(face, right - left), font=face, fill=255)
            y += int(size * 1.5)
        self.lay(image, colour)
        return y

    def sentence(self, face, width: int) -> str:
        words: list[str] = []
        while True:
            word = str(self.rng.choice(WORDS))
            if self.rng.random() < 0.25:
                word = f"{self.rng.integers(1, 9999):,}.{self.rng.integers(0, 99):02d}"
            if self.rng.random() < 0.2:
                word += str(self.rng.choice([".", ",", ";", ":", "!"]))
            if face.getlength(" ".join([*words, word])) > width:
                return " ".join(words)
            words.append(word)

    def font(self) -> str | None:
        return str(self.rng.choice(FONTS)) if FONTS else None

    def scan(
        self, blur: float = 0.6, noise: float = 3.0, light: tuple[float, float] = (1, 1)
    ) -> np.ndarray:
        """The page as a scanner or a camera sees it: (H, W, 3) uint8."""
        out = cv2.GaussianBlur(self.rgb, (0, 0), blur) if blur else self.rgb
        out = out * np.linspace(*light, self.size[0], dtype=np.float32)[None, :, None]
        out = out + self.rng.normal(0, noise, out.shape).astype(np.float32)
        return np.clip(out, 0, 255).astype(np.uint8)


def load(path: str | None, size: int):
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


def curve(draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: int, y: int, width: int) -> None:
    """Something like a signature."""
    t = np.linspace(0, 1, 400)
    a, b = rng.uniform(18, 26), rng.uniform(7, 11)
    xs = x + 420 * t + 30 * np.sin(14 * t) + 18 * np.sin(31 * t)
    ys = y + 45 * np.sin(a * t) * (1 - t * 0.5) + 25 * np.cos(b * t) - 20 * t
    draw.line(list(zip(xs, ys, strict=True)), fill=255, width=width, joint="curve")


Made = tuple[np.ndarray, np.ndarray]  # the scan, RGB or RGBA, and the truth
Kind = Callable[[np.random.Generator], Iterator[tuple[str, Made]]]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    KINDS[function.__name__.replace("_", "-")] = function
    return function


@kind
def print_alone(rng):
    """Print only: full stops, dots of i and j, accents and cedillas must stay."""
    for size in (16, 20, 26, 34):
        page = Page(rng)
        page.text((60, 50, 1180, 850), size)
        yield f"{size}px", (page.scan(), page.truth)


@kind
def pale_thing(rng):
    """Print with one gray shape, which must stay and must not remove small marks."""
    for gray in (130, 140, 150, 165):
        for shape in ("box", "rules", "footer"):
            page = Page(rng)
            page.text((60, 50, 1180, 620), int(rng.integers(20, 28)))
            image, draw = page.layer()
            if shape == "box":
                draw.rectangle((80, 660, 1160, 860), outline=255, width=3)
            elif shape == "rules":
                for k in range(4):
                    draw.line((80, 680 + 40 * k, 1160, 680 + 40 * k), fill=255, width=2)
            else:
                draw.text(
                    (80, 800),
                    "Company Ltd, 12 High Street, No. 123.456, VAT 99.88",
                    font=load(page.font(), 24),
                    fill=255,
                )
            page.lay(image, (gray,) * 3)
            yield f"{shape}-{gray}", (page.scan(), page.truth)


@kind
def pen_on_print(rng):
    """A contract in black print, signed with pens of many colours."""
    for name, colour in PENS.items():
        page = Page(rng)
        page.text((60, 50, 1180, 640), 26)
        image, draw = page.layer()
        curve(draw, rng, 350, 740, 4)
        page.lay(image, colour)
        yield name, (page.scan(), page.truth)


@kind
def form(rng):
    """A form whose printed boxes are filled in by hand."""
    for name, colour in PENS.items():
        page = Page(rng, height=800)
        for row in range(5):
            y = 60 + 130 * row
            boxes, draw = page.layer()
            draw.text(
                (60, y + 20),
                str(rng.choice(["Name:", "Data:", "Conta:", "Valor:"])),
                font=load(page.font(), 28),
                fill=255,
            )
            draw.rectangle((280, y, 1100, y + 80), outline=255, width=2)
            page.lay(boxes, (25, 25, 25))
            hand, draw = page.layer()
            draw.text(
                (310, y + 14),
                f"{rng.choice(['Ana Souza', '12.05.2024', '00123-4', '1.284,50'])}",
                font=load(page.font(), 44),
                fill=255,
            )
            page.lay(hand, colour)
        yield name, (page.scan(), page.truth)


@kind
def stamp(rng):
    """A rubber stamp across print."""
    stamps = {
        "red": (210, 50, 50),
        "pale-red": (235, 140, 140),
        "blue": (60, 80, 190),
        "pale-blue": (150, 170, 230),
        "violet": (150, 110, 190),
    }
    for name, colour in stamps.items():
        page = Page(rng)
        page.text((60, 50, 1180, 500), 26)
        image, draw = page.layer()
        draw.rectangle((400, 560, 980, 760), outline=255, width=8)
        draw.text((450, 600), "RECEBIDO", font=load(page.font(), 80), fill=255)
        page.lay(image.rotate(8, resample=Image.Resampling.BICUBIC, center=(690, 660)), colour)
        yield name, (page.scan(), page.truth)


@kind
def highlighter(rng):
    """Every second line is highlighted: the words must stay, the colour must vanish."""
    for name, colour in HIGHLIGHTERS.items():
        page = Page(rng)
        image, draw = page.layer()
        for y in range(90, 800, 84):
            draw.rectangle((55, y - 4, 1150, y + 36), fill=255)
        page.lay(image, colour, counts=False)
        page.text((60, 50, 1160, 860), 28)
        yield name, (page.scan(), page.truth)


@kind
def reversed_header(rng):
    """A table with a coloured header, white words in it: a dark band with light words."""
    fills = {
        "navy": (20, 40, 90),
        "blue": (40, 90, 170),
        "green": (40, 140, 70),
        "red": (200, 40, 50),
        "gray-90": (90,) * 3,
        "gray-120": (120,) * 3,
        "orange": (235, 120, 30),
    }
    for name, colour in fills.items():
        page = Page(rng, height=700)
        band, draw = page.layer()
        draw.rectangle((60, 60, 1180, 130), fill=255)
        for k, word in enumerate(("Artigo", "Quantia", "Unidade", "Total")):
            draw.text((90 + 280 * k, 78), word, font=load(page.font(), 30), fill=0)
        page.lay(band, colour)
        page.text((60, 160, 1180, 680), 24)
        yield name, (page.scan(), page.truth)


@kind
def bubbles(rng):
    """An answer sheet: filled and empty bubbles must stay distinguishable."""
    for fill in (40, 80, 110, 140):
        for side in (20, 30, 45):
            page = Page(rng)
            page.text((60, 560, 1180, 870), 24)
            rings, draw = page.layer()
            fills, pencil = page.layer()
            for k in range(80):
                x, y = 80 + k % 16 * 70, 60 + k // 16 * 90
                draw.ellipse((x, y, x + side, y + side), outline=255, width=2)
                if k % 3 == 0:
                    pencil.ellipse((x + 3, y + 3, x + side - 3, y + side - 3), fill=255)
            page.lay(fills, (fill,) * 3)
            page.lay(rings, (25, 25, 25))
            yield f"{side}px-{fill}", (page.scan(), page.truth)


@kind
def qr_code(rng):
    """Machine-readable codes on an invoice, with modules of 3 to 28 pixels."""
    code = cv2.QRCodeEncoder.create().encode("https://example.com/pix/48213?valor=1284.50")[
        4:-4, 4:-4
    ]
    for module in (3, 5, 8, 12, 16, 22, 28):
        dark = np.kron(code < 128, np.ones((module, module), bool))
        side = len(dark)
        page = Page(rng, width=max(1240, side + 200), height=side + 420)
        page.text((60, 40, 1180, 280), 24)
        image, _ = page.layer()
        image.paste(Image.fromarray(np.where(dark, 255, 0).astype(np.uint8)), (100, 330))
        page.lay(image, (25, 25, 25))
        yield f"{module}px", (page.scan(), page.truth)


@kind
def chart(rng):
    """Solid areas in grays and colours."""
    sets = {
        "grays": [(60,) * 3, (90,) * 3, (120,) * 3, (150,) * 3],
        "colours": [(70, 130, 220), (200, 60, 60), (140, 110, 200), (60, 140, 60)],
    }
    for name, fills in sets.items():
        page = Page(rng)
        page.text((60, 50, 1180, 480), 24)
        axes, draw = page.layer()
        draw.line((100, 500, 100, 850, 1150, 850), fill=255, width=3)
        page.lay(axes, (25, 25, 25))
        for k, colour in enumerate(fills):
            bar, draw = page.layer()
            draw.rectangle((150 + 240 * k, 800 - 70 * k, 290 + 240 * k, 847), fill=255)
            page.lay(bar, colour)
        yield name, (page.scan(), page.truth)


@kind
def hairlines(rng):
    """A table ruled in thin gray lines."""
    for gray in (60, 128, 170, 190):
        page = Page(rng)
        lines, draw = page.layer()
        for k in range(9):
            draw.line((60, 60 + 90 * k, 1180, 60 + 90 * k), fill=255, width=2)
            draw.line((60 + 140 * k, 60, 60 + 140 * k, 780), fill=255, width=2)
        page.lay(lines, (gray,) * 3)
        for k in range(8):
            page.text((80, 85 + 90 * k, 190, 140 + 90 * k), 24, lines=1)
        yield f"{gray}", (page.scan(), page.truth)


@kind
def transparent(rng):
    """Light or dark ink on transparency: only the alpha channel has the shape."""
    for name, ink in {
        "black": (0, 0, 0),
        "white": (255, 255, 255),
        "cream": (250, 245, 225),
        "light-gray": (225, 225, 225),
    }.items():
        page = Page(rng, height=500)
        page.text((60, 50, 1180, 460), 30)
        alpha = np.where(page.truth == 0, 255, 0).astype(np.uint8)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 0.6)
        yield name, (np.dstack([np.full((*alpha.shape, 3), ink, np.uint8), alpha]), page.truth)


@kind
def receipt_on_desk(rng):
    """A photographed receipt; the desk around it does not count."""
    for share in (0.15, 0.3, 0.6):
        for desk in ("dark", "brown"):
            side = int(1500 * share**0.5)
            page = Page(rng, width=side, height=side, paper=(230, 228, 224))
            page.text((30, 40, side - 30, side - 30), 24, colour=(60, 60, 60))
            paper = page.scan(blur=0.7, noise=5)
            scene = np.empty((1500, 1500, 3), np.float32)
            scene[:] = (45, 40, 38) if desk == "dark" else (96, 70, 48)
            scene += 8 * np.sin(np.arange(1500) / 11)[None, :, None]
            scene += rng.normal(0, 5, scene.shape)
            truth = np.full((1500, 1500), 128, np.uint8)
            at = (1500 - side) // 2
            scene[at : at + side, at : at + side] = paper
            inner = slice(at + 12, at + side - 12)
            truth[inner, inner] = page.truth[12:-12, 12:-12]
            yield f"{desk}-{int(share * 100)}", (np.clip(scene, 0, 255).astype(np.uint8), truth)


@kind
def pencil_alone(rng):
    """A drawing or a note in pencil, without anything darker."""
    for name, gray in {"hb": 140, "2h": 175, "faint": 205}.items():
        page = Page(rng, height=700)
        image, draw = page.layer()
        for k in range(3):
            curve(draw, rng, 150 + 200 * k, 180 + 180 * k, 3)
        page.lay(image, (gray,) * 3)
        yield name, (page.scan(), page.truth)


@kind
def dark_screenshot(rng):
    """Light words on dark, on the whole page or a part of it; no words may be lost.

    The truth has black words if the whole page is dark; a partly dark page keeps its dark part.
    """
    page = Page(rng, paper=(30, 30, 32))
    page.text((60, 50, 1180, 850), 24, colour=(225, 225, 225))
    yield "all", (page.scan(blur=0), page.truth)
    page = Page(rng)
    side, draw = page.layer()
    draw.rectangle((0, 0, 330, 900), fill=255)
    face = load(page.font(), 24)
    for y in range(60, 850, 60):
        draw.text((30, y), page.sentence(face, 280), font=face, fill=0)
    page.lay(side, (40, 44, 52))
    page.text((380, 50, 1200, 850), 24)
    yield "sidebar", (page.scan(blur=0), page.truth)


@kind
def camera(rng):
    """Thin print a little out of focus, in uneven light."""
    for blur in (1.0, 1.4, 1.8):
        page = Page(rng, paper=(225, 222, 214))
        page.text((60, 50, 1180, 850), 20, colour=(50, 48, 50))
        yield f"blur-{blur}", (page.scan(blur=blur, noise=4, light=(1.05, 0.55)), page.truth)


@kind
def thermal_receipt(rng):
    """Pale print on gray paper, fading to one side."""
    for ink in (110, 140, 165):
        page = Page(rng, width=700, paper=(228, 228, 226))
        page.text((40, 40, 660, 860), 24, colour=(ink,) * 3)
        yield f"{ink}", (page.scan(blur=0.9, noise=5, light=(1.0, 0.9)), page.truth)


@kind
def photo_in_text(rng):
    """A picture in text; only the text counts."""
    page = Page(rng)
    page.text((60, 50, 1180, 380), 24)
    ramp = np.cumsum(np.cumsum(rng.normal(0, 1, (300, 520)), 0), 1)
    ramp = cv2.GaussianBlur(ramp, (0, 0), 6)
    picture = 40 + 180 * (ramp - ramp.min()) / np.ptp(ramp)
    page.rgb[420:720, 80:600] = picture[..., None]
    page.ignore((76, 416, 604, 724))
    page.text((640, 420, 1180, 860), 24)
    yield "landscape", (page.scan(), page.truth)


def score(truth: np.ndarray, result: np.ndarray) -> dict[str, float]:
    """How well *result* keeps the ink and the paper of *truth*.

    marks: share of the black marks, each counting once, of which at least half came out black (0
    to 1); dirt: share of what must be white that came out black; f: F-measure in percent.
    """
    black = result < 128
    ink, paper = truth == 0, truth == 255
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    kept = np.bincount(labels[black & ink], minlength=count)[1:]
    area = stats[1:, cv2.CC_STAT_AREA]
    real = area >= 4
    hits, wrong, missed = (black & ink).sum(), (black & paper).sum(), (ink & ~black).sum()
    return {
        "marks": float((kept[real] >= 0.5 * area[real]).mean()) if real.any() else 1.0,
        "dirt": float(wrong / max(1, paper.sum())),
        "f": float(200 * hits / max(1, 2 * hits + wrong + missed)),
    }


def gray(scan: np.ndarray, *, with_color: bool = False) -> np.ndarray:
    """*scan*, RGB or RGBA, as the engine sees it; *with_color* as `auto` does, by chroma too."""
    data = png(scan)
    page = decode(data, inspect(data, PngLimits()), with_chroma=with_color)
    if page.alpha is not None:
        show_light_ink(page.gray, page.alpha)
    if page.chroma is not None:
        darken_thin_color(page.gray, page.chroma)
    return page.gray


def pages(seed: int = 1) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """(kind, variant, scan, truth) of every page; the same for the same seed."""
    for number, (name, make) in enumerate(KINDS.items()):
        for variant, (scan, truth) in make(np.random.default_rng([seed, number])):
            yield name, variant, scan, truth


def png(scan: np.ndarray) -> bytes:
    """*scan*, RGB or RGBA, as a PNG of 200 dpi."""
    order = cv2.COLOR_RGBA2BGRA if scan.shape[2] == 4 else cv2.COLOR_RGB2BGR
    encoded = cv2.imencode(".png", cv2.cvtColor(scan, order))[1]
    return encoded.tobytes()


def main() -> None:
    out, seed = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    out.mkdir(parents=True, exist_ok=True)
    manifest = []
    for name, variant, scan, truth in pages(seed):
        stem = f"{name}-{variant}"
        (out / f"{stem}.png").write_bytes(png(scan))
        cv2.imwrite(str(out / f"{stem}.truth.png"), truth)
        manifest.append(
            {"kind": name, "variant": variant, "file": f"{stem}.png", "truth": f"{stem}.truth.png"}
        )
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1))
    print(f"{len(manifest)} pages in {out}")


if __name__ == "__main__":
    main()
