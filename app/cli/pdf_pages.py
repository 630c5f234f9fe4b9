"""Write many results into one PDF: one page per PNG, with its own pixel data and physical size.

PDF's FlateDecode reads a PNG's IDAT stream (zlib, with one predictor per row) unchanged, so nothing
is decoded or compressed again. static/save/pdf.js writes the same bytes; a test compares them.
`binarize` also writes pages in CCITT Group 4, in which text takes a fifth to two thirds less.

Section numbers refer to ISO 32000-1:2008.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ..png.format import GRAY, SIGNATURE, parse_header

#: Lengths are whole thousandths of a point (1/72 inch), so that rounding cannot differ from pdf.js.
_A4_LONG_SIDE: Final = 841_890
#: Page sides that every PDF reader must support (Annex C.2).
_SHORTEST_SIDE: Final = 3_000
_LONGEST_SIDE: Final = 14_400_000
#: The bytes over 127 tell programs that the file is binary (section 7.5.2).
_HEADER: Final = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
_CATALOG, _PAGES, _INFO, _FIRST_PAGE = 1, 2, 3, 4
_OBJECTS_PER_PAGE: Final = 3


@dataclass(frozen=True)
class _Picture:
    width: int
    height: int
    #: Pixels per metre; None if the PNG does not give it.
    density: tuple[int, int] | None
    pixel_data: bytes
    is_fax: bool = False


def write_pdf(pngs: Iterable[bytes], fax: Callable[[bytes], bytes] | None = None) -> bytes:
    """A PDF of *pngs* in their order; equal pages give equal bytes.

    *fax* encodes the pixels of a PNG as Group 4 data, which is used where it is smaller.

    Raises:
        ValueError: a PNG is not 1-bit gray without interlacing, which every result is.
    """
    pictures = [_smaller(_read(png), fax(png)) if fax else _read(png) for png in pngs]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        _page_tree(len(pictures)),
        b"<< /Producer (Alvura) >>",
    ]
    for number, picture in enumerate(pictures):
        objects += _page(_FIRST_PAGE + _OBJECTS_PER_PAGE * number, picture)
    return _put_together(objects)


def _smaller(picture: _Picture, fax: bytes) -> _Picture:
    """*picture* with the smaller of both encodings: dithered photographs are larger in Group 4."""
    if len(fax) >= len(picture.pixel_data):
        return picture
    return replace(picture, pixel_data=fax, is_fax=True)


def _read(png: bytes) -> _Picture:
    header, density, data = None, None, []
    for kind, content in _chunks(png):
        if kind == b"IHDR":
            header = parse_header(content)
        elif kind == b"pHYs":
            across, down, unit = struct.unpack(">IIB", content)
            density = (across, down) if unit == 1 and across and down else None
        elif kind == b"IDAT":
            data.append(content)
    if header is None or (header.bit_depth, header.color_type) != (1, GRAY) or header.is_interlaced:
        raise ValueError("only 1-bit gray PNGs without interlacing can be pages")
    return _Picture(header.width, header.height, density, b"".join(data))


def _chunks(png: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(png)
    if not png.startswith(SIGNATURE):
        raise ValueError("a page is not a PNG")
    at = len(SIGNATURE)
    while at + 12 <= len(view):
        (length,) = struct.unpack_from(">I", view, at)
        yield bytes(view[at + 4 : at + 8]), view[at + 8 : at + 8 + length]
        at += 12 + length


def _page_tree(count: int) -> bytes:
    numbers = range(_FIRST_PAGE, _FIRST_PAGE + _OBJECTS_PER_PAGE * count, _OBJECTS_PER_PAGE)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    return f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode()


def _page(number: int, picture: _Picture) -> list[bytes]:
    """The objects of one page: page, contents and image (sections 7.7.3.3, 8.9.5)."""
    width, height = (_points(side) for side in _size(picture))
    contents = f"q {width} 0 0 {height} 0 0 cm /Im Do Q".encode()
    page = (
        f"<< /Type /Page /Parent {_PAGES} 0 R /MediaBox [0 0 {width} {height}] "
        f"/Contents {number + 1} 0 R /Resources << /XObject << /Im {number + 2} 0 R >> >> >>"
    )
    image = (
        f"/Type /XObject /Subtype /Image /Width {picture.width} /Height {picture.height} "
        f"/ColorSpace /DeviceGray /BitsPerComponent 1 {_filter(picture)} "
    )
    return [page.encode(), _stream("", contents), _stream(image, picture.pixel_data)]


def _filter(picture: _Picture) -> str:
    """The entries for the encoding of the data (sections 7.4.4 and 7.4.6)."""
    columns = f"/Columns {picture.width}"
    if picture.is_fax:
        parameters = f"/K -1 {columns} /Rows {picture.height} /BlackIs1 true"
        return f"/Filter /CCITTFaxDecode /DecodeParms << {parameters} >>"
    parameters = f"/Predictor 15 /Colors 1 /BitsPerComponent 1 {columns}"
    return f"/Filter /FlateDecode /DecodeParms << {parameters} >>"


def _stream(about: str, data: bytes) -> bytes:
    return f"<< {about}/Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _size(picture: _Picture) -> tuple[int, int]:
    """The page size by the PNG's resolution; without one, the long side of an A4 page."""
    sides = (picture.width, picture.height)
    if picture.density:
        pairs = zip(sides, picture.density, strict=True)
        # A metre has 10,000 / 254 inches of 72 points.
        width, height = (_divide(side * 720_000_000, dots * 254) for side, dots in pairs)
        if min(width, height) >= _SHORTEST_SIDE and max(width, height) <= _LONGEST_SIDE:
            return width, height
    width, height = (_divide(side * _A4_LONG_SIDE, max(sides)) for side in sides)
    return max(_SHORTEST_SIDE, width), max(_SHORTEST_SIDE, height)


def _divide(dividend: int, divisor: int) -> int:
    """The quotient, rounded to the nearest whole number."""
    return (2 * dividend + divisor) // (2 * divisor)


def _points(thousandths: int) -> str:
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def _put_together(objects: list[bytes]) -> bytes:
    """The file: header, objects, cross-reference table and trailer (section 7.5)."""
    parts, offsets = [_HEADER], []
    size = len(_HEADER)
    for number, content in enumerate(objects, _CATALOG):
        offsets.append(size)
        parts.append(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
        size += len(parts[-1])
    count = len(objects) + 1
    rows = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = (
        f"xref\n0 {count}\n0000000000 65535 f \n{rows}trailer\n"
        f"<< /Size {count} /Root {_CATALOG} 0 R /Info {_INFO} 0 R >>\nstartxref\n{size}\n%%EOF\n"
    )
    return b"".join([*parts, trailer.encode()])
