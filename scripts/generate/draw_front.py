#!/usr/bin/env python3
"""Draw docs/images/scan-to-page.png: image.png, one threshold for it, and the page of `auto`.

Run again after a change of the engine, with requirements/dev.txt:
python -m scripts.generate.draw_front
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from app.image_processor import binarize_png
from app.png.limits import PngLimits
from scripts import usage

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURE: Final = ROOT / "docs" / "images" / "scan-to-page.png"
#: The displayed part of the page, with a shadow over the lines.
PART: Final = (60, 880, 1240, 1754)
WIDTH, GAP, PAPER, FRAME = 400, 18, 255, 176


def main() -> None:
    picture = draw_front((ROOT / "image.png").read_bytes())
    picture.save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {picture.size}, {PICTURE.stat().st_size} bytes")


def draw_front(scan: bytes) -> Image.Image:
    """Three panels side by side: the scan, `simple` at 127 as in most tutorials, `auto`."""
    limits = PngLimits()
    simple = binarize_png(scan, method="simple", parameters={"threshold": 127}, limits=limits)
    page = binarize_png(scan, method="auto", parameters={}, limits=limits)
    panels = [_panel(png) for png in (scan, simple.png, page.png)]
    picture = Image.new("L", (3 * WIDTH + 2 * GAP, panels[0].height), PAPER)
    for place, panel in enumerate(panels):
        picture.paste(panel, (place * (WIDTH + GAP), 0))
    return picture


def _panel(png: bytes) -> Image.Image:
    part = Image.open(BytesIO(png)).convert("L").crop(PART)
    height = round(part.height * WIDTH / part.width)
    # Only 32 shades: with the noise of the scan the file would be three times as large.
    small = part.resize((WIDTH - 2, height), Image.Resampling.LANCZOS)
    return ImageOps.expand(small.point(lambda value: value // 8 * 255 // 31), 1, FRAME)


if __name__ == "__main__":
    usage.check(__doc__)
    main()
