"""Turn the bytes of a PNG into the bytes of a black-and-white PNG."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from .binarize.color import darken_thin_color
from .binarize.methods import Gray, binarize_and_tell
from .binarize.turning import is_lying, upright
from .domain.methods import DEFAULT_METHOD, METHODS, Method, choose_method
from .domain.ports import Binarized
from .domain.representation import TakenFor
from .png.check import PhysicalSize, PngInfo, inspect
from .png.decode import Decoded, decode
from .png.exif import TURNS, UPRIGHT, Turn
from .png.format import GRAY, write
from .png.light_ink import show_light_ink
from .png.limits import PngLimits
from .png.zlibs import compress

#: A function from the name of a step to the block in which the step runs.
Step = Callable[[str], AbstractContextManager[object]]
Parameters = Mapping[str, str | float]
_DEFAULTS: Final[Parameters] = MappingProxyType({})


@dataclass(frozen=True)
class Original:
    """A decoded page, and what its file says about it."""

    page: Decoded
    #: The EXIF orientation of *page*, 1 to 8; 1 is upright.
    orientation: int = UPRIGHT
    #: Pixels per unit of *page*, if known.
    physical_size: PhysicalSize | None = None
    #: Degrees clockwise by which the file's own pixels are turned in the result.
    turned: Turn = 0
    #: Faults of the file that cannot change a pixel.
    ignored: tuple[str, ...] = ()


#: A function that decodes a page, with its chroma if asked to.
Read = Callable[[bool], Original]


def binarize_png(
    data: bytes,
    *,
    method: str | None = None,
    parameters: Parameters = _DEFAULTS,
    limits: PngLimits = PngLimits(),  # noqa: B008 (frozen)
    step: Step = nullcontext,
) -> Binarized:
    """The black-and-white page of a PNG: checked, decoded, turned upright, binarized and encoded.

    Deterministic. Each of these steps runs in a block of *step*, so that the caller can time it.

    Raises:
        PermanentError: *data* is not a PNG within *limits*, or a parameter is wrong; see
            `png.inspect`, `choose_method` and `Method.parse` for which.
    """
    started = time.perf_counter()
    chosen, checked = _choose(method, parameters)
    with step("inspect"):
        info = inspect(data, limits)
    return _binarize(partial(_original_of, data, info), chosen, checked, step, started)


def binarize_original(
    read: Read, *, method: str | None = None, parameters: Parameters = _DEFAULTS
) -> Binarized:
    """The black-and-white page of what *read* decodes, whatever its format.

    Raises:
        PermanentError: a parameter is wrong, or *read* raises it.
    """
    started = time.perf_counter()
    chosen, checked = _choose(method, parameters)
    return _binarize(read, chosen, checked, nullcontext, started)


def _choose(method: str | None, parameters: Parameters) -> tuple[Method, dict[str, int | float]]:
    chosen = choose_method(METHODS, method or DEFAULT_METHOD)
    return chosen, chosen.parse(parameters)


def _original_of(data: bytes, info: PngInfo, with_chroma: bool) -> Original:
    ignored: list[str] = []
    page = decode(data, info, ignored.append, with_chroma=with_chroma)
    ignored += info.ignored
    turned = TURNS[info.orientation]
    return Original(page, info.orientation, info.physical_size, turned, tuple(ignored))


@dataclass(frozen=True)
class _Upright:
    gray: Gray
    #: Whether light ink on transparency was inverted.
    has_light_ink: bool
    size: PhysicalSize | None
    turned: Turn
    ignored: tuple[str, ...]


def _binarize(
    read: Read, chosen: Method, checked: dict[str, int | float], step: Step, started: float
) -> Binarized:
    with step("decode"):
        upright_page = _upright(read(chosen.name == DEFAULT_METHOD))
    with step("binarize"):
        reading, threshold = binarize_and_tell(upright_page.gray, chosen.name, checked)
    white, size = reading.white, upright_page.size
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
        ignored=[*upright_page.ignored],
        page=TakenFor(
            kind=reading.kind,
            inverted=reading.inverted != upright_page.has_light_ink,
            turned=upright_page.turned,
        ),
    )


def _upright(original: Original) -> _Upright:
    """The page in gray as viewers show it; its opacity and chroma are freed."""
    page, orientation, size = original.page, original.orientation, original.physical_size
    gray = upright(page.gray, orientation)
    has_light_ink = page.alpha is not None and show_light_ink(
        gray, upright(page.alpha, orientation)
    )
    if page.chroma is not None:
        darken_thin_color(gray, upright(page.chroma, orientation))
    if size and is_lying(orientation):
        size = size.turned_sideways()
    return _Upright(gray, has_light_ink, size, original.turned, original.ignored)


def encode_page(white: Gray, physical_size: PhysicalSize | None) -> bytes:
    """A 1-bit grayscale PNG of *white*, an (H, W) array of 0 and 255."""
    height, width = white.shape
    bits = np.packbits(white, axis=1)
    rows = np.empty((height, 1 + bits.shape[1]), np.uint8)
    rows[:, 0] = 0  # filter type None: with packed bits the other filters make the file larger
    rows[:, 1:] = bits
    return write(
        compress(rows.data),
        width=width,
        height=height,
        bit_depth=1,
        color_type=GRAY,
        physical_size=physical_size,
    )
