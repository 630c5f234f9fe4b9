"""Convert a page of an image file to PNG, for `upload`."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from ..png.exif import UPRIGHT
from ..png.limits import PngLimits
from .kinds import PNG
from .pictures import Picture, Source, kind_of_file, open_picture
from .samples import png_mode


def as_png(source: Source, number: int, limits: PngLimits) -> bytes:
    """Page *number* of *source* as a PNG with the same samples, orientation and physical size.

    A PNG is returned unchanged.

    Raises:
        PermanentError, OSError: as `open_picture`.
    """
    if kind_of_file(source) == PNG:
        return source if isinstance(source, bytes) else source.read_bytes()
    with open_picture(source, number, limits) as picture:
        return _encoded(picture)


def _encoded(picture: Picture) -> bytes:
    image = picture.load()
    mode = png_mode(image)
    page = image if image.mode == mode else image.convert(mode)
    page.info.clear()  # only the following metadata is kept
    more: dict[str, Any] = {}
    if picture.orientation != UPRIGHT:
        exif = Image.Exif()
        exif[274] = picture.orientation
        more["exif"] = exif
    if size := picture.physical_size:
        more["dpi"] = (size.x * 0.0254, size.y * 0.0254)
    target = io.BytesIO()
    page.save(target, "PNG", compress_level=1, **more)
    return target.getvalue()
