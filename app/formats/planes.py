"""Decode a picture to gray values, one strip of rows at a time, by the rules for PNG.

The samples go through the same functions as the samples of a PNG, so a JPEG gives the same page as
the PNG that `as_png` makes of it. The result takes one byte per pixel, two with transparency or
colour. Pillow's image takes one byte per pixel for gray, four for colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..png.decode import Decoded, Planes, few_bits
from ..png.format import GRAY, GRAY_ALPHA, RGB, RGBA, PngInfo
from ..png.pixels import pixel_rule
from .pictures import Picture
from .samples import is_sixteen_bit, png_mode

Bytes = NDArray[np.uint8]

#: PNG's colour type and bit depth of each mode; all others are 16-bit gray.
_FORMS: Final = {
    "1": (GRAY, 1), "L": (GRAY, 8), "LA": (GRAY_ALPHA, 8), "RGB": (RGB, 8), "RGBA": (RGBA, 8),
}  # fmt: skip
_STRIP_PIXELS: Final = 1 << 18
#: TIFF 6.0, section 8: PhotometricInterpretation, and its value for gray with 0 for white.
_PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 262, 0


def decode_picture(picture: Picture, *, with_chroma: bool) -> Decoded:
    """The decoded page of *picture*, not yet turned upright."""
    image = picture.load()
    mode = png_mode(image)
    color_type, bit_depth = _FORMS.get(mode, (GRAY, 16))
    info = PngInfo(image.width, image.height, bit_depth, color_type, False, None)
    greatest = max((int(rows.max()) for _, rows in _sixteen_bits(image)), default=0)
    rule = pixel_rule(info, few_bits(info, greatest), with_chroma=with_chroma)
    page = Planes(info)
    for top, rows in _rows(image, mode, info):
        at = slice(top, top + len(rows)), slice(None)
        page.put(at, rule(rows, info.width))
    return Decoded(page.gray, page.alpha, page.chroma)


def _rows(image: Image.Image, mode: str, info: PngInfo) -> Iterator[tuple[int, Bytes]]:
    """The samples as the rows of a PNG hold them: (n, row bytes)."""
    if is_sixteen_bit(image):
        for top, samples in _sixteen_bits(image):
            yield top, samples.astype(">u2").view(np.uint8)
        return
    for top, strip in _strips(image):
        # Copy: compiled loops accept no read-only array.
        data = bytearray((strip if strip.mode == mode else strip.convert(mode)).tobytes())
        yield top, np.frombuffer(data, np.uint8).reshape(strip.height, info.row_bytes(info.width))


def _sixteen_bits(image: Image.Image) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """The samples of 16-bit gray, 0 for black; nothing for other images."""
    if not is_sixteen_bit(image):
        return
    order = ">u2" if image.mode == "I;16B" else "<u2"
    tags: Any = getattr(image, "tag_v2", {})
    # Pillow inverts bilevel and 8-bit gray, but not 16-bit gray.
    is_inverted = tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
    for top, strip in _strips(image):
        samples = np.frombuffer(strip.tobytes(), order).reshape(strip.height, strip.width)
        yield top, (~samples if is_inverted else samples).astype(np.uint16)


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    count = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, count):
        yield top, image.crop((0, top, image.width, min(top + count, image.height)))
