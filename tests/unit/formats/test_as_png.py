"""What `upload` makes of other formats: a PNG with the same samples and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.errors import PipelineError
from app.formats.as_png import as_png
from app.formats.kinds import FILE_LIMITS
from app.png.check import inspect
from app.png.limits import PngLimits
from testkit.images.image_files import FORMS, colored, encoded, sixteen_bit, tiff_of
from testkit.images.photographs import jpeg, sheet
from testkit.png.scans import page_png


@pytest.mark.parametrize("form", FORMS)
def test_each_form_becomes_a_png_that_the_service_takes(form: str) -> None:
    png = as_png(FORMS[form](), 1, FILE_LIMITS)

    assert inspect(png, PngLimits()).ignored == ()


def test_a_png_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(page_png())

    assert as_png(path, 1, FILE_LIMITS) == page_png()
    assert as_png(page_png(), 1, FILE_LIMITS) == page_png()


def test_lossless_samples_stay_what_they_are() -> None:
    for page in (colored(), sheet(), sixteen_bit()):
        png = as_png(encoded(page, "TIFF"), 1, FILE_LIMITS)

        with Image.open(io.BytesIO(png)) as image:
            assert (np.asarray(image) == np.asarray(page)).all()


def test_the_orientation_is_told_and_the_resolution_is_kept(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "photo.jpg", orientation=6, dpi=(300, 150))

    info = inspect(as_png(path, 1, FILE_LIMITS), PngLimits())

    assert info.orientation == 6
    assert info.physical_size is not None
    assert (info.physical_size.x, info.physical_size.y) == (11811, 5906)


def test_personal_metadata_is_not_sent(tmp_path: Path) -> None:
    page = sheet()
    exif = Image.Exif()
    exif[315], exif[271] = "Somebody", "Camera 7"
    data = encoded(page, "JPEG", exif=exif, comment=b"secret", icc_profile=b"profile" * 30)

    png = as_png(data, 1, FILE_LIMITS)

    assert [
        word for word in (b"Somebody", b"Camera", b"secret", b"iCCP", b"eXIf") if word in png
    ] == []


def test_each_page_of_a_tiff_becomes_a_png_of_its_own() -> None:
    data = tiff_of(sheet(), sheet().rotate(180))

    pngs = [as_png(data, number, FILE_LIMITS) for number in (1, 2)]

    assert pngs[0] == as_png(encoded(sheet(), "TIFF"), 1, FILE_LIMITS)
    assert pngs[1] == as_png(encoded(sheet().rotate(180), "TIFF"), 1, FILE_LIMITS)


def test_a_damaged_file_is_refused() -> None:
    with pytest.raises(PipelineError, match="damaged"):
        as_png(encoded(colored(), "JPEG")[:2000], 1, FILE_LIMITS)
