"""Files of each format, as the command `binarize` and the library process them."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from app.errors import FileTooLargeError, InvalidParameterError
from app.file_processor import FileProcessor
from app.formats.as_png import as_png
from app.formats.kinds import FILE_LIMITS, UnreadableImageError
from app.image_processor import binarize_png
from app.png.limits import PngLimits
from testkit.images.image_files import FORMS, encoded, sixteen_bit, tiff_of
from testkit.images.photographs import jpeg, sheet, shows_sheet
from testkit.png.scans import page_png


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize("method", ["auto", "otsu", "sauvola"])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_gives_the_page_of_the_png_that_upload_would_send(form: str, method: str) -> None:
    data = FORMS[form]()

    page = FileProcessor(method=method).page(data)
    sent = binarize_png(as_png(data, 1, FILE_LIMITS), method=method)

    assert page.png == sent.png
    assert (page.dpi, page.page) == (sent.dpi, sent.page)


@pytest.mark.parametrize("form", [form for form in FORMS if "alpha" not in form])
def test_the_ink_of_each_form_is_found(form: str) -> None:
    white = np.asarray(picture(FileProcessor(method="otsu").page(FORMS[form]()).png))

    assert not white[33:87, 23:117].any()
    assert white[100:190].all()


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_photograph_is_turned_upright_and_reported_as_turned(
    tmp_path: Path, orientation: int
) -> None:
    path = jpeg(tmp_path / "photo.jpg", orientation=orientation)

    page = FileProcessor(method="otsu").page(path)

    assert shows_sheet(picture(page.png))
    assert page.page is not None
    assert page.page.turned == {1: 0, 3: 180, 6: 90}[orientation]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_turns_as_pillow_turns_with_the_resolution(
    kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    more = {} if kind == "WEBP" else {"dpi": (300, 150)}
    data = encoded(sheet(), kind, exif=exif, **more)

    page = FileProcessor(method="otsu").page(data)

    lying = orientation > 4
    assert picture(page.png).size == ((280, 200) if lying else (200, 280))
    if more:
        assert page.dpi == (150 if lying else 300)
    with Image.open(io.BytesIO(data)) as stored:
        stored.load()
        # Pillow has turned a TIFF when it decoded it.
        turned = stored if kind == "TIFF" else ImageOps.exif_transpose(stored)
        expected = np.asarray(turned.convert("L")) > 127
    assert (np.asarray(picture(page.png)) == expected).all()


def test_16_bit_gray_whose_zero_is_white_is_inverted() -> None:
    """Pillow turns 8-bit gray of that kind, but not 16-bit gray."""
    page = sixteen_bit()
    inverted = Image.fromarray(65535 - np.asarray(page))
    data = encoded(inverted, "TIFF", tiffinfo={262: 0})

    assert FileProcessor(method="otsu").page(data).png == (
        FileProcessor(method="otsu").page(encoded(page, "TIFF")).png
    )


def test_each_page_of_a_tiff_is_its_own() -> None:
    data = tiff_of(sheet(), sheet().rotate(180))
    processor = FileProcessor(method="otsu")

    assert shows_sheet(picture(processor.page(data, 1).png))
    assert shows_sheet(picture(processor.page(data, 2).png).rotate(180))


def test_floating_point_samples_are_refused_with_a_sentence() -> None:
    data = encoded(Image.fromarray(np.zeros((40, 40), np.float32)), "TIFF")

    with pytest.raises(UnreadableImageError, match="8 or 16 bits"):
        FileProcessor().page(data)


def test_a_png_goes_through_our_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"  # whatever it is called
    path.write_bytes(page_png())

    assert FileProcessor().page(path).png == binarize_png(page_png()).png


def test_a_png_over_the_limit_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(page_png())
        file.truncate(1 << 40)

    with pytest.raises(FileTooLargeError):
        FileProcessor().page(path)


def test_a_wrong_parameter_is_refused() -> None:
    with pytest.raises(InvalidParameterError):
        FileProcessor(method="sauvola", parameters={"k": 7}).page(encoded(sheet(), "JPEG"))


def test_one_processor_serves_many_threads() -> None:
    processor = FileProcessor(method="otsu", limits=PngLimits(), parallel=2)
    data = encoded(sheet(), "JPEG")
    pages: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: pages.append(processor.page(data).png)) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(pages) == 8
    assert len(set(pages)) == 1
