"""Turn image files of the formats that scanners and cameras write into black-and-white pages."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from types import MappingProxyType
from typing import Final

from .consumer.admission import Admission
from .domain.ports import Binarized
from .formats.kinds import FILE_LIMITS, PNG
from .formats.pictures import Source, check_bytes, kind_of_file, open_picture
from .formats.planes import decode_picture
from .image_processor import Original, binarize_original, binarize_png
from .png.check import claimed_pixels
from .png.limits import PngLimits

#: 1.2 GB, at 6 bytes a pixel.
_MAX_PIXELS_IN_FLIGHT: Final = 200_000_000


class FileProcessor:
    """The engine for files: PNG, JPEG, TIFF, WebP and BMP. Thread-safe.

    At most *parallel* pages and 200 million pixels are computed at the same time; a larger page is
    computed alone.
    """

    def __init__(
        self,
        *,
        method: str | None = None,
        parameters: Mapping[str, str | float] = MappingProxyType({}),
        limits: PngLimits = FILE_LIMITS,
        parallel: int = 1,
    ) -> None:
        self._limits = limits
        self._binarize_png = partial(
            binarize_png, method=method, parameters=parameters, limits=limits
        )
        self._binarize = partial(binarize_original, method=method, parameters=parameters)
        self._admission = Admission(slots=parallel, max_pixels=_MAX_PIXELS_IN_FLIGHT)

    def page(self, source: Source, number: int = 1) -> Binarized:
        """Page *number* of *source* in black and white.

        Raises:
            PermanentError: *source* is not an image of these formats, is damaged or over the
                limits, or a parameter is wrong.
            OSError: the file cannot be read.
        """
        with ExitStack() as room:
            if kind_of_file(source) != PNG:
                return self._binarize(partial(self._read, source, number, room))
            check_bytes(source, self._limits)
            data = source if isinstance(source, bytes) else source.read_bytes()
            self._enter(room, claimed_pixels(data))
            return self._binarize_png(data)

    def _read(self, source: Source, number: int, room: ExitStack, with_chroma: bool) -> Original:
        with open_picture(source, number, self._limits) as picture:
            self._enter(room, picture.pixels)
            page = decode_picture(picture, with_chroma=with_chroma)
            return Original(page, picture.orientation, picture.physical_size, picture.turned)

    def _enter(self, room: ExitStack, pixels: int) -> None:
        # A page over the limit is refused before it is decoded, so it need not wait.
        room.enter_context(self._admission.of(pixels if pixels <= self._limits.max_pixels else 0))
