"""One PDF of many results: the same pixels, the right size, the same bytes each time."""

from __future__ import annotations

import re
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from app.cli.pdf_pages import write_pdf
from app.formats.tiff import group_4
from app.image_processor import binarize_png
from app.png.limits import PngLimits
from testkit.images.image_files import encoded
from testkit.png.pngs import GRAY, RGB, idat, ihdr
from testkit.png.scans import page_png, png
from testkit.png.scans import result_png as result
from testkit.root import ROOT

#: Two rows of 12 pixels.
ROWS = zlib.compress(b"\0\xf0\xf0\0\x0f\x00")


def box(pdf: bytes) -> tuple[float, float]:
    found = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert found
    return float(found[1]), float(found[2])


def streams(pdf: bytes) -> list[bytes]:
    lengths = re.finditer(rb"/Length (\d+) >>\nstream\n", pdf)
    return [pdf[m.end() : m.end() + int(m[1])] for m in lengths]


def test_the_pixels_are_those_of_the_png_without_being_compressed_again() -> None:
    scan = (ROOT / "image.png").read_bytes()
    made = binarize_png(scan, method="auto", parameters={}, limits=PngLimits()).png

    _, pixels = streams(write_pdf([made]))

    page = Image.open(BytesIO(made))
    assert pixels in made
    header = ihdr(*page.size, bit_depth=1, color_type=GRAY)
    assert Image.open(BytesIO(png(header, idat(pixels)))).tobytes() == page.tobytes()


def test_pixel_data_in_many_chunks_becomes_one_stream() -> None:
    header = ihdr(12, 2, bit_depth=1, color_type=GRAY)

    pdf = write_pdf([png(header, *(idat(ROWS[at : at + 3]) for at in range(0, len(ROWS), 3)))])

    assert streams(pdf)[1] == ROWS


@pytest.mark.parametrize(
    ("dots_per_metre", "points"),
    [
        ((11811, 11811), (595.201, 841.921)),  # A4 at 300 dpi
        ((5906, 11811), (1190.3, 841.921)),
    ],
)
def test_a_page_is_as_large_as_its_resolution_says(
    dots_per_metre: tuple[int, int], points: tuple[float, float]
) -> None:
    pdf = write_pdf([result(2480, 3508, dots_per_metre=dots_per_metre)])

    assert box(pdf) == pytest.approx(points, abs=0.01)


@pytest.mark.parametrize("dots_per_metre", [None, (0, 0), (1, 1), (4_000_000, 4_000_000)])
def test_a_page_without_a_usable_resolution_is_as_long_as_an_a4_page(
    dots_per_metre: tuple[int, int] | None,
) -> None:
    assert box(write_pdf([result(3000, 4000, dots_per_metre=dots_per_metre)])) == (631.418, 841.89)
    assert box(write_pdf([result(4000, 3000, dots_per_metre=dots_per_metre)])) == (841.89, 631.418)


def test_the_cross_reference_table_has_the_offset_of_each_object() -> None:
    pdf = write_pdf([result(), result(), result()])

    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[0])
    rows = re.findall(rb"(\d{10}) 00000 n \n", pdf[start:])
    assert pdf[start:].startswith(b"xref\n0 13\n0000000000 65535 f \n")
    assert len(rows) == 12
    for number, offset in enumerate(rows, 1):
        assert pdf[int(offset) :].startswith(b"%d 0 obj\n" % number)
    assert b"/Count 3 /Kids [4 0 R 7 0 R 10 0 R]" in pdf


def test_the_same_pages_make_the_same_bytes() -> None:
    assert write_pdf([result(), result(8)]) == write_pdf([result(), result(8)])
    assert write_pdf([result(), result(8)]) != write_pdf([result(8), result()])


@pytest.mark.parametrize(
    "other",
    [
        b"%PDF-1.4",
        page_png(),
        png(ihdr(1, 1, bit_depth=8, color_type=RGB), idat(zlib.compress(b"\0\0\0\0"))),
        png(ihdr(12, 2, bit_depth=1, color_type=GRAY, interlace=1), idat(ROWS)),
        png(idat(ROWS)),
    ],
)
def test_a_png_that_is_not_a_result_is_refused(other: bytes) -> None:
    with pytest.raises(ValueError, match="page"):
        write_pdf([result(), other])


def decoded(fax: bytes, width: int, height: int) -> Image.Image:
    """Group 4 data in which 1 is white, by libtiff."""
    short, long = 3, 4
    at = 8 + 2 + 12 * 9 + 4
    entries = [
        (256, long, width), (257, long, height), (258, short, 1), (259, short, 4), (262, short, 1),
        (273, long, at), (277, short, 1), (278, long, height), (279, long, len(fax)),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    image = Image.open(BytesIO(head + directory + bytes(4) + fax))
    image.load()
    return image


def test_a_page_in_group_4_has_the_pixels_of_its_png() -> None:
    made = binarize_png((ROOT / "image.png").read_bytes()).png

    pdf = write_pdf([made], group_4)

    page = Image.open(BytesIO(made))
    fax = streams(pdf)[1]
    assert b"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 1240 /Rows 1754" in pdf
    assert decoded(fax, *page.size).tobytes() == page.tobytes()
    assert len(pdf) < 0.8 * len(write_pdf([made]))


def test_dithered_pages_stay_png_data_because_group_4_would_be_larger() -> None:
    dots = encoded(Image.effect_noise((300, 200), 50).convert("1"), "PNG")

    assert write_pdf([dots], group_4) == write_pdf([dots])
