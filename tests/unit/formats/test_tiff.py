"""Results as TIFF: the same pixels, 1 bit each, Group 4, with their resolution."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from app.formats.tiff import write_tiff
from testkit.images.image_files import encoded
from testkit.images.photographs import sheet
from testkit.png.scans import result_png

COMPRESSION, GROUP_4, BITS = 259, 4, 258


def test_the_pixels_are_those_of_the_png_in_group_4() -> None:
    page = sheet().convert("1")

    with Image.open(io.BytesIO(write_tiff([encoded(page, "PNG", dpi=(600, 600))]))) as image:
        assert isinstance(image, TiffImageFile)
        assert image.mode == "1"
        assert image.tag_v2[COMPRESSION] == GROUP_4
        assert image.info["dpi"] == (600, 600)
        assert (np.asarray(image) == np.asarray(page)).all()


def test_each_page_keeps_its_own_size_and_resolution() -> None:
    pages = [
        result_png(12, 2),
        result_png(9, 5, dots_per_metre=(5906, 11811)),
        result_png(8, 1, dots_per_metre=None),
    ]

    with Image.open(io.BytesIO(write_tiff(pages))) as image:
        assert isinstance(image, TiffImageFile)
        assert image.n_frames == 3
        found = []
        for number in range(3):
            image.seek(number)
            image.load()
            found.append((image.size, image.info.get("dpi")))

    assert found[:2] == [((12, 2), (300, 300)), ((9, 5), (150, 300))]
    assert found[2][0] == (8, 1)
    assert found[2][1] in (None, (1, 1))
