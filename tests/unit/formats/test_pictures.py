"""Which files are opened, what they say of themselves, and which are refused before decoding."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from app.errors import FileTooLargeError, PipelineError, TooManyPixelsError
from app.formats import pictures
from app.formats.kinds import FILE_LIMITS, UnreadableImageError
from app.formats.pictures import count_pages, open_picture
from app.formats.tiff import write_tiff
from testkit.images.exifs import ORIENTATION, SHORT, tiff
from testkit.images.image_files import colored, encoded, tiff_of
from testkit.images.photographs import sheet


def dpi_of(data: bytes) -> int | None:
    with open_picture(data, 1, FILE_LIMITS) as picture:
        return picture.physical_size.dpi if picture.physical_size else None


def refusal_of(data: bytes, **limits: int) -> PipelineError:
    with (
        pytest.raises(PipelineError) as caught,
        open_picture(data, 1, replace(FILE_LIMITS, **limits)) as picture,
    ):
        picture.load()
    return caught.value


@pytest.mark.parametrize(
    ("kind", "how", "dpi"),
    [
        ("JPEG", {"dpi": (300, 300)}, 300),
        ("TIFF", {"dpi": (600, 600)}, 600),
        ("TIFF", {"resolution_unit": 3, "x_resolution": 118.11, "y_resolution": 118.11}, 300),
        ("BMP", {"dpi": (150, 150)}, 150),
        ("WEBP", {}, None),
        ("JPEG", {}, None),
        # What cameras write when they do not know.
        ("JPEG", {"dpi": (72, 72)}, None),
        ("TIFF", {"dpi": (72, 72)}, 72),
    ],
)
def test_the_resolution_is_that_of_the_file_if_it_is_plausible(
    kind: str, how: dict[str, object], dpi: int | None
) -> None:
    assert dpi_of(encoded(sheet(), kind, **how)) == dpi


def test_a_resolution_that_is_no_number_is_none() -> None:
    page = encoded(sheet(), "TIFF", dpi=(300, 300))

    assert dpi_of(page.replace(struct.pack("<II", 300, 1), struct.pack("<II", 0, 0))) is None


def test_only_tiffs_have_several_pages(tmp_path: Path) -> None:
    path = tmp_path / "three.tif"
    path.write_bytes(tiff_of(sheet(), sheet(), sheet()))

    assert count_pages(path, FILE_LIMITS) == 3
    assert count_pages(encoded(sheet(), "JPEG"), FILE_LIMITS) == 1


def test_a_tiff_of_too_many_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few megabytes can have a million."""
    page = encoded(sheet().convert("1"), "PNG")
    monkeypatch.setattr(pictures, "_MAX_PAGES", 5)

    assert count_pages(write_tiff([page] * 5), FILE_LIMITS) == 5
    with pytest.raises(UnreadableImageError, match="over 5 pages"):
        count_pages(write_tiff([page] * 6), FILE_LIMITS)


def test_each_page_of_a_tiff_can_be_opened() -> None:
    data = tiff_of(sheet(), sheet().resize((100, 140)))

    with open_picture(data, 2, FILE_LIMITS) as picture:
        assert picture.load().size == (100, 140)


def test_of_the_pictures_in_a_phones_file_the_first_counts() -> None:
    """Multi-picture files have a depth map or a gain map behind the photograph."""
    photograph, gain_map = sheet(), sheet().resize((20, 28))
    data = encoded(photograph, "MPO", save_all=True, append_images=[gain_map])

    assert count_pages(data, FILE_LIMITS) == 1
    with open_picture(data, 1, FILE_LIMITS) as picture:
        assert picture.load().size == photograph.size


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"GIF89a", "GIF"),
        (b"hello", "no image of a known kind"),
    ],
)
def test_a_file_of_another_kind_is_named(data: bytes, named: str) -> None:
    refusal = refusal_of(data)

    assert isinstance(refusal, UnreadableImageError)
    assert named in refusal.detail
    assert "PNG, JPEG, TIFF, WebP and BMP are read" in refusal.detail


def test_an_empty_file_and_a_pdf_are_told_apart() -> None:
    assert refusal_of(b"").detail == "The file is empty."
    assert "pdftoppm" in refusal_of(b"%PDF-1.4").detail


def with_scans(count: int) -> bytes:
    """A progressive JPEG with its last scan repeated, and *count* scans in all."""
    whole = encoded(colored(), "JPEG", progressive=True)
    at, scans = whole.rindex(b"\xff\xda"), whole.count(b"\xff\xda")
    return whole[:at] + whole[at:-2] * (count - scans + 1) + whole[-2:]


@pytest.mark.parametrize("piece_bytes", [1 << 20, with_scans(101).rindex(b"\xff\xda") + 1])
def test_a_jpeg_of_too_many_scans_is_refused(
    piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs a walk over all pixels. One may begin where what is read at once ends."""
    monkeypatch.setattr(pictures, "_PIECE_BYTES", piece_bytes)

    assert refusal_of(with_scans(101)).detail == "The JPEG has 101 scans; the limit is 100."
    with open_picture(with_scans(100), 1, FILE_LIMITS) as picture:
        assert picture.load().size == colored().size


def test_pillow_gets_the_limit_too() -> None:
    with open_picture(encoded(sheet(), "TIFF"), 1, replace(FILE_LIMITS, max_pixels=70_000)):
        assert Image.MAX_IMAGE_PIXELS == 70_000


def test_an_animated_webp_is_refused() -> None:
    other = colored().rotate(180)
    data = encoded(colored(), "WEBP", save_all=True, append_images=[other], duration=100)

    assert "animated" in refusal_of(data).detail


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "BMP"])
def test_too_many_pixels_are_refused_before_they_are_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(sheet(), kind)
    monkeypatch.setattr("PIL.Image.core.new", None)  # which allocates the pixels

    refusal = refusal_of(data, max_pixels=sheet().width * sheet().height - 1)

    assert isinstance(refusal, TooManyPixelsError)
    assert str(sheet().width) in refusal.detail


@pytest.mark.parametrize("most", [10, 30_000, 55_999])
def test_a_decompression_bomb_is_always_refused_with_the_same_error(most: int) -> None:
    """Pillow warns from its limit on, and raises from twice the limit on."""
    with warnings.catch_warnings():
        refusal = refusal_of(encoded(sheet(), "JPEG"), max_pixels=most)

    assert isinstance(refusal, TooManyPixelsError)


def test_a_later_page_that_is_too_large_is_refused_too() -> None:
    data = tiff_of(sheet(), sheet().resize((400, 560)))
    limits = replace(FILE_LIMITS, max_pixels=100_000)

    with pytest.raises(TooManyPixelsError), open_picture(data, 2, limits):
        pass


def test_a_side_and_a_size_over_the_limits_are_refused(tmp_path: Path) -> None:
    data = encoded(sheet(), "JPEG")
    path = tmp_path / "scan.jpg"
    path.write_bytes(data)

    assert "side over 279" in refusal_of(data, max_side=279).detail
    with (
        pytest.raises(FileTooLargeError),
        open_picture(path, 1, replace(FILE_LIMITS, max_bytes=len(data) - 1)),
    ):
        pass


def fault_of(data: bytes) -> str | None:
    try:
        with open_picture(data, 1, replace(FILE_LIMITS, max_pixels=10_000)) as picture:
            picture.load()
    except PipelineError as exc:
        return exc.detail
    return None


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "BMP"])
def test_every_damaged_file_is_refused_with_a_permanent_error(kind: str) -> None:
    """Every truncation, and every byte turned round."""
    whole = encoded(colored().resize((16, 16)), kind)
    cut = [whole[:length] for length in range(16, len(whole))]
    bent = [whole[:at] + bytes([byte ^ 255]) + whole[at + 1 :] for at, byte in enumerate(whole)]

    refusals = [*filter(None, map(fault_of, [*cut, *bent]))]

    assert len(refusals) > len(cut) / 2
    assert [words for words in refusals if "\n" in words or len(words) > 200] == []


def test_a_missing_file_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_picture(tmp_path / "no.jpg", 1, FILE_LIMITS):
        pass


def test_a_strange_orientation_is_upright() -> None:
    exif = b"Exif\0\0" + tiff([(ORIENTATION, SHORT, 1, 9)])

    with open_picture(encoded(sheet(), "JPEG", exif=exif), 1, FILE_LIMITS) as picture:
        assert (picture.orientation, picture.turned) == (1, 0)


def test_warnings_of_pillow_about_metadata_are_suppressed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = bytearray(encoded(sheet(), "TIFF", compression="tiff_lzw", description="x" * 50))
    at = bytes(data).index(b"x" * 50)
    data[at : at + 50] = b"\xff" * 50

    with open_picture(bytes(data), 1, FILE_LIMITS) as picture:
        assert Image.open(io.BytesIO(encoded(picture.load(), "BMP")))

    assert capfd.readouterr() == ("", "")
