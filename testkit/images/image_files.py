"""Write pages as files of formats other than PNG, with Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from testkit.images.photographs import sheet

Picture = Image.Image


def encoded(page: Picture, kind: str, **how: Any) -> bytes:
    """*page* as a file of *kind*, a name of Pillow's."""
    target = io.BytesIO()
    page.save(target, kind, **how)
    return target.getvalue()


def tiff_of(*pages: Picture, **how: Any) -> bytes:
    """A TIFF with several pages."""
    return encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], **how)


def colored(mode: str = "RGB") -> Picture:
    """The sheet with coloured ink, and a colour ramp below it."""
    pixels = np.stack([np.asarray(sheet())] * 3, axis=-1)
    pixels[30:90, 20:120] = (20, 40, 160)
    pixels[200:] = np.linspace(0, 255, 200).astype(np.uint8)[None, :, None] * np.array(
        [1, 0, 1], np.uint8
    )
    return Image.fromarray(pixels).convert(mode)


def sixteen_bit(most: int = 65535) -> Picture:
    """The sheet in 16-bit gray, whose white is *most*."""
    return Image.fromarray((np.asarray(sheet(), np.uint32) * most // 255).astype(np.uint16))


def palette_with_transparency() -> Picture:
    page = colored("P")
    page.info["transparency"] = 0
    return page


def with_alpha() -> Picture:
    page = colored("RGBA")
    alpha = np.full((page.height, page.width), 255, np.uint8)
    alpha[100:150] = 90
    page.putalpha(Image.fromarray(alpha))
    return page


def bilevel() -> Picture:
    return sheet().convert("1", dither=Image.Dither.NONE)


#: Each form of a file, by the name of its test case.
FORMS: dict[str, Callable[[], bytes]] = {
    "gray JPEG": lambda: encoded(sheet(), "JPEG", dpi=(300, 300)),
    "JPEG": lambda: encoded(colored(), "JPEG", dpi=(200, 200)),
    "progressive JPEG": lambda: encoded(colored(), "JPEG", progressive=True, quality=80),
    "CMYK JPEG": lambda: encoded(colored("CMYK"), "JPEG"),
    "bilevel TIFF": lambda: encoded(bilevel(), "TIFF", compression="group4"),
    "gray TIFF": lambda: encoded(sheet(), "TIFF", dpi=(300, 300)),
    "16-bit TIFF": lambda: encoded(sixteen_bit(), "TIFF"),
    "12 bits in a 16-bit TIFF": lambda: encoded(sixteen_bit(4095), "TIFF", compression="tiff_lzw"),
    "LZW TIFF": lambda: encoded(colored(), "TIFF", compression="tiff_lzw", dpi=(400, 400)),
    "JPEG in TIFF": lambda: encoded(colored(), "TIFF", compression="jpeg"),
    "palette TIFF": lambda: encoded(colored("P"), "TIFF"),
    "TIFF with alpha": lambda: encoded(with_alpha(), "TIFF", compression="tiff_adobe_deflate"),
    "CMYK TIFF": lambda: encoded(colored("CMYK"), "TIFF"),
    "Lab TIFF": lambda: encoded(colored().convert("LAB"), "TIFF"),
    "WebP": lambda: encoded(colored(), "WEBP", quality=90),
    "WebP with alpha": lambda: encoded(with_alpha(), "WEBP", lossless=True),
    "BMP": lambda: encoded(colored(), "BMP", dpi=(150, 150)),
    "bilevel BMP": lambda: encoded(bilevel(), "BMP"),
    "palette BMP": lambda: encoded(colored("P"), "BMP"),
}
