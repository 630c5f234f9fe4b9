"""Write results as TIFF: 1 bit a pixel, CCITT Group 4 (TIFF 6.0, section 11), page by page."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

_COMPRESSION: Final = "group4"


def write_tiff(pngs: Iterable[bytes]) -> bytes:
    """A TIFF of *pngs* in their order, with the physical size of each."""
    target = io.BytesIO()
    with AppendingTiffWriter(target) as pages:
        for png in pngs:
            pages.write(_page(png))
            pages.newFrame()
    return target.getvalue()


def _page(png: bytes) -> bytes:
    target = io.BytesIO()
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        dpi = image.info.get("dpi")
        # PNG counts in whole pixels a metre, so that 300 dpi comes back as 299.9994.
        more = {"dpi": tuple(round(dots, 1) for dots in dpi)} if dpi else {}
        image.save(target, "TIFF", compression=_COMPRESSION, **more)
    return target.getvalue()
