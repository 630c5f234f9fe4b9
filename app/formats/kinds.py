"""Detect the kind of a file by its first bytes."""

from __future__ import annotations

from typing import Final

from ..errors import PermanentError
from ..png.limits import PngLimits

#: The limits of a file on this machine. A3 at 600 dpi is 70 million pixels, A0 at 300 dpi 139.
FILE_LIMITS: Final = PngLimits(
    max_bytes=1024**3, max_pixels=200_000_000, max_side=65_535, max_chunks=1_000_000
)
#: The number of first bytes that `kind_of` needs.
HEAD_BYTES: Final = 32
#: The suffixes of the files that are searched for in folders, in lower case.
SUFFIXES: Final = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".dib",
)  # fmt: skip
PNG, JPEG, TIFF, WEBP, BMP, PDF = "PNG", "JPEG", "TIFF", "WebP", "BMP", "PDF"
#: The kinds that are read with Pillow.
READABLE: Final = (JPEG, TIFF, WEBP, BMP)

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"BM", BMP),
    (b"%PDF", PDF),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"AT&TFORM", "DjVu"),
    (b"PK\x03\x04", "ZIP"),
)
#: Major brands of ISO base media files (ISO/IEC 14496-12, section 4.3).
_BRANDS: Final = {
    b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF",
}  # fmt: skip


class UnreadableImageError(PermanentError):
    """The file is not an image of a supported kind, or is damaged. Not an error of the API."""

    code, title, status = "unreadable-image", "The image cannot be read", 415


def kind_of(head: bytes) -> str | None:
    """The name of the kind of the file that starts with *head*; None if it is not known."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return None
