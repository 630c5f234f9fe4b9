"""Open one page of an image file with Pillow, within limits, without decoding it.

Pillow reads only JPEG, TIFF, WebP and BMP here: a hostile file cannot reach its other decoders. PNG
has a reader of its own (`app.png`).
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from PIL import Image, ImageFile

from ..errors import FileTooLargeError, PipelineError, TooManyPixelsError
from ..png.exif import TURNS, UPRIGHT, Turn, orientation_of
from ..png.format import MAX_UINT31, PhysicalSize
from ..png.limits import PngLimits
from .kinds import HEAD_BYTES, JPEG, PDF, READABLE, TIFF, WEBP, UnreadableImageError, kind_of

#: The path of a file, or the contents of a file that came through a pipe.
Source = Path | bytes

_EXIF_PREFIX: Final = b"Exif\0\0"
_INCHES_PER_METRE: Final = 1 / 0.0254
#: Cameras write 72 dpi, which stands for an unknown resolution (EXIF 2.32, section 4.6.4).
_UNKNOWN_DPI: Final = 72
#: Opening page n reads the directories of all n: 24 us each, 48 s of CPU for 2,000 pages.
_MAX_PAGES: Final = 2_000
_ORIENTATION_TAG: Final = 274
#: ITU-T T.81, table B.1.
_START_OF_SCAN: Final = b"\xff\xda"
#: libtiff's limit for JPEG in TIFF. Encoders write about ten scans; a thumbnail adds its own.
_MAX_SCANS: Final = 100
_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Picture:
    """A page that is not yet decoded, with the properties that its file states."""

    image: ImageFile.ImageFile
    kind: str
    #: The EXIF orientation that *image* will have once it is decoded.
    orientation: int
    #: Degrees clockwise that turn the pixels of the file upright.
    turned: Turn
    physical_size: PhysicalSize | None

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height

    def load(self) -> Image.Image:
        """The decoded image. Raises UnreadableImageError, OSError."""
        with _damage_translated(self.kind):
            self.image.load()
        return self.image


def kind_of_file(source: Source) -> str | None:
    """The kind of *source*, by its first bytes. Raises OSError."""
    if isinstance(source, bytes):
        return kind_of(source[:HEAD_BYTES])
    with source.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES))


def count_pages(source: Source, limits: PngLimits) -> int:
    """The number of pages of *source*: 1 except for TIFF.

    Raises:
        UnreadableImageError, TooManyPixelsError, OSError: as `open_picture`.
    """
    if kind_of_file(source) != TIFF:
        return 1
    with open_picture(source, 1, limits) as picture, _damage_translated(TIFF):
        for number in range(1, _MAX_PAGES + 1):
            # Seek page by page: Pillow miscounts after a jump beyond the last page.
            try:
                picture.image.seek(number)
            except EOFError:
                return number
    raise UnreadableImageError(f"The TIFF has over {_MAX_PAGES} pages.")


@contextmanager
def open_picture(source: Source, number: int, limits: PngLimits) -> Iterator[Picture]:
    """Page *number* of *source*, from 1 on; the block may decode it.

    Raises:
        FileTooLargeError: over `limits.max_bytes`.
        TooManyPixelsError: width, height or their product is over *limits*.
        UnreadableImageError: *source* is not a JPEG, TIFF, WebP or BMP, or is damaged or animated.
        OSError: the file cannot be read.
    """
    kind = kind_of_file(source)
    if kind not in READABLE:
        raise UnreadableImageError(_why_unsupported(source, kind))
    check_bytes(source, limits)
    if kind == JPEG:
        _check_scans(source)
    _bound_pillow(limits)
    with _opened(source) as file:
        with _damage_translated(kind):
            image = Image.open(file, formats=[kind])
            if number > 1:
                image.seek(number - 1)
            _check(image, kind, limits)
            picture = _picture(image, kind)
        with image:
            yield picture


def _why_unsupported(source: Source, kind: str | None) -> str:
    if kind == PDF:
        return "The file is a PDF; `pdftoppm -r 300 -png FILE page` makes images of its pages."
    if kind is None and not _size_bytes(source):
        return "The file is empty."
    what = f"is a {kind} file" if kind else "is no image of a known kind"
    return f"The file {what}; PNG, JPEG, TIFF, WebP and BMP are read."


def _size_bytes(source: Source) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def check_bytes(source: Source, limits: PngLimits) -> None:
    """Raise FileTooLargeError if *source* is over `limits.max_bytes`."""
    size = _size_bytes(source)
    if size > limits.max_bytes:
        raise FileTooLargeError(
            f"The file has {size} bytes; the limit is {limits.max_bytes}.",
            actual=size,
            limit=limits.max_bytes,
        )


def _check_scans(source: Source) -> None:
    """Refuse a JPEG with many scans: decoding could take minutes in spite of few pixels."""
    scans, last = 0, b""
    with _opened(source) as file:
        while piece := file.read(_PIECE_BYTES):
            # In coded data a zero byte follows each 0xff, so coded data contains no marker.
            scans += (last + piece).count(_START_OF_SCAN)
            last = piece[-1:]
    if scans > _MAX_SCANS:
        raise UnreadableImageError(f"The JPEG has {scans} scans; the limit is {_MAX_SCANS}.")


def _bound_pillow(limits: PngLimits) -> None:
    """Set Pillow's own limit, which Pillow checks before it allocates each page."""
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    # Pillow warns of odd tags, and of images up to twice its limit, which `_check` refuses.
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _opened(source: Source) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _check(image: ImageFile.ImageFile, kind: str, limits: PngLimits) -> None:
    width, height = image.size
    if max(width, height) > limits.max_side:
        fault, limit = f"has a side over {limits.max_side} pixels", limits.max_side
    elif width * height > limits.max_pixels:
        fault, limit = f"is over {limits.max_pixels} pixels", limits.max_pixels
    else:
        if kind == WEBP and getattr(image, "n_frames", 1) > 1:
            raise UnreadableImageError("The WebP is animated; one still image is one page.")
        return
    raise TooManyPixelsError(
        f"{width} x {height} {fault}.", width=width, height=height, limit=limit
    )


@contextmanager
def _damage_translated(kind: str) -> Iterator[None]:
    """Raise an UnreadableImageError for any exception of Pillow about a damaged file."""
    try:
        yield
    except (PipelineError, MemoryError):
        raise
    except Image.DecompressionBombError as exc:
        raise TooManyPixelsError(f"{_sentence(exc)}") from None
    except OSError as exc:
        if exc.errno is not None:  # the disk's fault, not the file's
            raise
        raise UnreadableImageError(f"The {kind} is damaged: {_sentence(exc)}") from exc
    except Exception as exc:  # Pillow's plugins raise almost anything for a damaged file
        raise UnreadableImageError(f"The {kind} is damaged: {_sentence(exc)}") from exc


def _sentence(exc: BaseException) -> str:
    words = " ".join(str(exc).split())[:120]
    return (words or type(exc).__name__).rstrip(".") + "."


def _picture(image: ImageFile.ImageFile, kind: str) -> Picture:
    size = _physical_size(image, kind)
    if kind == TIFF:
        # Pillow turns the pixels of a TIFF when it decodes them.
        orientation = _tag(image)
        if size and orientation > 4:
            size = size.turned_sideways()
        return Picture(image, kind, UPRIGHT, TURNS[orientation], size)
    orientation = orientation_of(image.info.get("exif", b"").removeprefix(_EXIF_PREFIX))
    return Picture(image, kind, orientation, TURNS[orientation], size)


def _tag(image: Any) -> int:
    orientation = image.tag_v2.get(_ORIENTATION_TAG, UPRIGHT)
    return orientation if orientation in TURNS else UPRIGHT


def _physical_size(image: ImageFile.ImageFile, kind: str) -> PhysicalSize | None:
    """The resolution of *image*; None if it is missing, impossible or a default."""
    try:
        across, down = (float(dpi) for dpi in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if kind in (JPEG, WEBP) and across == down == _UNKNOWN_DPI:
        return None
    if not (math.isfinite(across) and math.isfinite(down)):
        return None
    x, y = (round(dpi * _INCHES_PER_METRE) for dpi in (across, down))
    return PhysicalSize(x, y, 1) if 0 < x <= MAX_UINT31 and 0 < y <= MAX_UINT31 else None
