#!/usr/bin/env python3
"""Draw static/icons/icon-*.png, which installed pages need: the shapes of icon.svg, in pixels.

Run again after a change of icon.svg, with requirements/dev.txt:
python -m scripts.generate.draw_icons
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from scripts import usage

STATIC: Final = Path(__file__).resolve().parents[2] / "static" / "icons"
#: Name, side in pixels, and whether the system may mask the icon (W3C, manifest, "maskable").
ICONS: Final = (
    ("icon-192.png", 192, False),
    ("icon-512.png", 512, False),
    ("icon-maskable.png", 512, True),
)
#: The unit of icon.svg: its side is 32.
SIDE: Final = 32
SMOOTHING: Final = 4
GROUND, DULL, LINE, GREY, INK, LIGHT = (
    "#0b5d53",
    "#9fb4b0",
    "#fff",
    "#5d7a75",
    "#0c1413",
    "#5ff0d2",
)


def main() -> None:
    for name, side_px, is_maskable in ICONS:
        draw_icon(side_px, is_maskable=is_maskable).save(STATIC / name, optimize=True)
        print(f"static/icons/{name}: {(STATIC / name).stat().st_size} bytes")


def draw_icon(side_px: int, *, is_maskable: bool) -> Image.Image:
    """The icon; a maskable one keeps its page within the 80 % that every mask leaves."""
    large_px = side_px * SMOOTHING
    picture = Image.new("RGBA", (large_px, large_px), GROUND if is_maskable else (0, 0, 0, 0))
    scale = large_px / SIDE * (0.75 if is_maskable else 1)
    shift = (large_px - scale * SIDE) / 2
    _draw_shapes(ImageDraw.Draw(picture), scale, shift, ground=not is_maskable)
    return picture.resize((side_px, side_px), Image.Resampling.LANCZOS)


def _draw_shapes(draw: ImageDraw.ImageDraw, scale: float, shift: float, *, ground: bool) -> None:
    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, ...]:
        return tuple(shift + scale * value for value in (left, top, right, bottom))

    if ground:
        draw.rounded_rectangle(box(0, 0, 32, 32), 7 * scale, GROUND)
    left, right = (True, False, False, True), (False, True, True, False)
    draw.rounded_rectangle(box(7, 5, 16, 27), 2 * scale, DULL, corners=left)
    draw.rounded_rectangle(box(16, 5, 25, 27), 2 * scale, LINE, corners=right)
    for y, dull_end, sharp_end in ((11, 16, 22), (16, 16, 22), (21, 14, 19)):
        draw.rectangle(box(10, y - 1, dull_end, y + 1), GREY)
        draw.rectangle(box(16, y - 1, sharp_end, y + 1), INK)
    draw.rectangle(box(15.2, 2.5, 16.8, 29.5), LIGHT)


if __name__ == "__main__":
    usage.check(__doc__)
    main()
