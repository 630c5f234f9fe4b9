"""Draw docs/images/quality.png: pages as they are, by the best other method, and by `auto`.

    python -m benchmarks.quality.pictures

Shows drawn pages only, because the contests' pages may not be redistributed. Has the requirements
of benchmarks.quality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.engine.auto import methods_of_ours
from benchmarks.quality import others, tables
from benchmarks.quality.graded_pages import Page, pages

PICTURE: Final = tables.ROOT / "docs" / "images" / "quality.png"
#: Group, kind, name; left and top of the displayed part, and its width in pixels.
SHOWN: Final = (
    ("everyday", "form", "pink", (40, 40), 560),
    ("everyday", "stamp", "pale-red", (380, 540), 640),
    ("everyday", "highlighter", "strong-blue", (50, 50), 520),
    ("everyday", "bubbles", "30px-110", (60, 380), 640),
    ("everyday", "chart", "grays", (90, 420), 1100),
    ("everyday", "reversed-header", "gray-120", (60, 50), 640),
    ("everyday", "transparent", "cream", (50, 40), 520),
    ("everyday", "receipt-on-desk", "brown-15", (440, 440), 620),
    ("print", "shadowed", "16px", (300, 400), 400),
    ("drawn, held out", "whiteboard", "0", (0, 0), 760),
)
WIDTH, HEIGHT, GAP, CAPTION = 360, 150, 8, 20


def main() -> None:
    methods = methods_of_ours(None) | others.methods()
    figures = tables.results()["pages"]
    wanted = {chosen[:3]: chosen[3:] for chosen in SHOWN}
    found = {}
    for page in pages(None, {group for group, *_ in SHOWN}):
        key = (page.group, page.kind, page.name)
        if key in wanted:
            best = _best_other(figures[page.group][page.kind])
            found[key] = _row(page, best, methods, *wanted[key])
    picture = np.vstack([found[chosen[:3]] for chosen in SHOWN])
    # 64 shades: the noise of the pages would make the file three times as large.
    small = Image.fromarray(picture).quantize(64, dither=Image.Dither.NONE)
    small.save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(tables.ROOT)}: {PICTURE.stat().st_size} bytes")


def _best_other(scores: Mapping[str, Any]) -> str:
    """The method with the greatest F-measure here, other than `auto` and its predecessor."""
    names = [name for name in scores if name not in tables.OURS]
    return max(names, key=lambda name: scores[name][1])


def _row(
    page: Page, best: str, methods: Mapping[str, Any], corner: tuple[int, int], width: int
) -> Any:
    original = page.gray if page.scan is None else _on_white(page.scan)
    panels = [
        (f"{page.kind}, {page.name}", original),
        (best, methods[best](page.seen_by(best))),
        ("auto", methods["auto"](page.seen_by("auto"))),
    ]
    gap = np.full((HEIGHT + CAPTION + GAP, GAP, 3), 255, np.uint8)
    parts = [part for title, image in panels for part in (_panel(title, image, corner, width), gap)]
    return np.hstack(parts[:-1])


def _on_white(scan: Any) -> Any:
    """*scan* for display, with transparent parts on a checkerboard."""
    if scan.shape[2] == 3:
        return scan
    y, x = np.mgrid[: scan.shape[0], : scan.shape[1]]
    ground = np.where((y // 16 + x // 16) % 2, 190, 140)[..., None]
    alpha = scan[..., 3:] / 255
    return (scan[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)


def _panel(title: str, image: Any, corner: tuple[int, int], width: int) -> Any:
    left, top = corner
    part = image[top : top + width * HEIGHT // WIDTH, left : left + width]
    if part.ndim == 2:
        part = np.dstack([part] * 3)
    inside = cv2.resize(part, (WIDTH - 2, HEIGHT - 2), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(
        inside, CAPTION + 1, 1 + GAP, 1, 1, cv2.BORDER_CONSTANT, value=(255,) * 3
    )
    canvas = Image.fromarray(framed)
    draw = ImageDraw.Draw(canvas)
    draw.text((1, 3), title, fill=(60, 60, 60), font=ImageFont.load_default(13))
    draw.rectangle((0, CAPTION, WIDTH - 1, CAPTION + HEIGHT - 1), outline=(150,) * 3)
    return np.asarray(canvas)


if __name__ == "__main__":
    main()
