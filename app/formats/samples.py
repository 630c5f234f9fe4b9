"""Convert the sample formats of Pillow to those of PNG.

Colour becomes RGB: CMYK and Lab by Pillow's plain formulas, without profiles; a palette by its
table. 16-bit gray stays 16-bit; Pillow keeps the high bytes of 16-bit colour. Alpha stays alpha.
"""

from __future__ import annotations

from typing import Final

from PIL import Image

from .kinds import UnreadableImageError

#: Modes that PNG can store unchanged: https://pillow.readthedocs.io/en/stable/handbook/concepts.html#modes
_OF_PNG: Final = ("1", "L", "LA", "RGB", "RGBA")
_SIXTEEN_BITS: Final = ("I;16", "I;16L", "I;16B")
_BECOMES: Final = {
    "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB",
    "PA": "RGBA", "RGBa": "RGBA", "La": "LA",
}  # fmt: skip


def is_sixteen_bit(image: Image.Image) -> bool:
    """Whether *image* has gray samples of 16 bits."""
    return image.mode in _SIXTEEN_BITS


def png_mode(image: Image.Image) -> str:
    """The mode to convert *image* to: one of PNG's modes, or 16-bit gray.

    Raises:
        UnreadableImageError: the samples have 32 bits.
    """
    if image.mode in _OF_PNG or is_sixteen_bit(image):
        return image.mode
    if image.mode == "P":
        return "RGBA" if "transparency" in image.info else "RGB"
    if image.mode not in _BECOMES:
        raise UnreadableImageError(
            f"Samples of the kind {image.mode} are not supported; save the image with 8 or 16 bits."
        )
    return _BECOMES[image.mode]
