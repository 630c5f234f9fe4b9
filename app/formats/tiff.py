"""Write results in CCITT Group 4 (TIFF 6.0, section 11): as TIFF, or the bare data of a page."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, Final

from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

_COMPRESSION: Final = "group4"
#: TIFF 6.0, section 8: the tags for the offset and the size of each strip.
_STRIP_OFFSETS, _STRIP_BYTE_COUNTS = 273, 279
_ONE_STRIP: Final = 1 << 30


def write_tiff(pngs: Iterable[bytes]) -> bytes:
    """A TIFF of *pngs* in their order, with the physical size of each."""
    target = io.BytesIO()
    with AppendingTiffWriter(target) as pages:
        for png in pngs:
            pages.write(_page(png))
            pages.newFrame()
    return target.getvalue()


def group_4(png: bytes) -> bytes:
    """The pixels of a 1-bit PNG as one run of Group 4 data, in which 1 is white."""
    data = _page(png, strip_size=_ONE_STRIP)
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        tags: Any = getattr(image, "tag_v2")  # noqa: B009 (Image.open's type has no tags)
        (start,), (size,) = tags[_STRIP_OFFSETS], tags[_STRIP_BYTE_COUNTS]
    return data[start : start + size]


def _page(png: bytes, **how: Any) -> bytes:
    target = io.BytesIO()
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        dpi = image.info.get("dpi")
        # PNG counts whole pixels per metre, so 300 dpi would become 299.9994.
        more = {"dpi": tuple(round(dots, 1) for dots in dpi)} if dpi else {}
        image.save(target, "TIFF", compression=_COMPRESSION, **more, **how)
    return target.getvalue()
