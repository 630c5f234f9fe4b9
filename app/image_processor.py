"""Turn the bytes of a PNG into the bytes of a black-and-white PNG."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import cv2
import numpy as np

from .binarize.color import darken_thin_color
from .binarize.methods import Gray, binarize_and_tell
from .binarize.turning import is_lying, upright
from .domain.methods import DEFAULT_METHOD, METHODS, choose_method
from .domain.ports import Binarized
from .domain.representation import TakenFor
from .png.check import PhysicalSize, PngInfo, inspect
from .png.decode import decode
from .png.exif import TURNS
from .png.format import GRAY, write
from .png.light_ink import show_light_ink
from .png.limits import PngLimits
from .png.zlibs import compress

#: A function from the name of a step to the block in which the step runs.
Step = Callable[[str], AbstractContextManager[object]]


def binarize_png(
    data: bytes,
    *,
    method: str | None,
    parameters: Mapping[str, str | float],
    limits: PngLimits,
    step: Step = nullcontext,
) -> Binarized:
    """The black-and-white page of a PNG: checked, decoded, turned upright, binarized and encoded.

    Deterministic. Each of these steps runs in a block of *step*, so that the caller can time it.

    Raises:
        PermanentError: *data* is not a PNG within *limits*, or a parameter is wrong; see
            `png.inspect`, `choose_method` and `Method.parse` for which.
    """
    started = time.perf_counter()
    chosen = choose_method(METHODS, method or DEFAULT_METHOD)
    checked = chosen.parse(parameters)
    with step("inspect"):
        info = inspect(data, limits)
    ignored: list[str] = []
    with step("decode"):
        gray, has_light_ink = _read(data, info, ignored, with_color=chosen.name == DEFAULT_METHOD)
    with step("binarize"):
        reading, threshold = binarize_and_tell(gray, chosen.name, checked)
    white = reading.white
    size = _physical_size(info)
    with step("encode"):
        encoded = encode_page(white, size)
    return Binarized(
        png=encoded,
        width=white.shape[1],
        height=white.shape[0],
        dpi=size.dpi if size else None,
        method=chosen.name,
        parameters=checked,
        threshold=threshold,
        black_ratio=round(1 - cv2.countNonZero(white) / white.size, 6),
        processing_ms=round((time.perf_counter() - started) * 1000),
        ignored=[*ignored, *info.ignored],
        page=TakenFor(
            kind=reading.kind,
            inverted=reading.inverted != has_light_ink,
            turned=TURNS[info.orientation],
        ),
    )


def _read(data: bytes, info: PngInfo, ignored: list[str], *, with_color: bool) -> tuple[Gray, bool]:
    """The page in gray, upright, and whether light ink on transparency was inverted."""
    page = decode(data, info, ignored.append, with_chroma=with_color)
    gray = upright(page.gray, info.orientation)
    has_light_ink = page.alpha is not None and show_light_ink(
        gray, upright(page.alpha, info.orientation)
    )
    if page.chroma is not None:
        darken_thin_color(gray, upright(page.chroma, info.orientation))
    return gray, has_light_ink


def _physical_size(info: PngInfo) -> PhysicalSize | None:
    """The physical size of the upright page."""
    size = info.physical_size
    return size.lying() if size and is_lying(info.orientation) else size


def encode_page(white: Gray, physical_size: PhysicalSize | None) -> bytes:
    """A 1-bit grayscale PNG of *white*, an (H, W) array of 0 and 255."""
    height, width = white.shape
    bits = np.packbits(white, axis=1)
    rows = np.empty((height, 1 + bits.shape[1]), np.uint8)
    rows[:, 0] = 0  # filter type None: with packed bits the other filters make the file larger
    rows[:, 1:] = bits
    return write(
        compress(rows.tobytes()),
        width=width,
        height=height,
        bit_depth=1,
        color_type=GRAY,
        physical_size=physical_size,
    )
