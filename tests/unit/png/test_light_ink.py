"""Light ink on transparency comes out black; what can be seen on white stays as it is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from app.image_processor import binarize_png
from app.png.check import inspect
from app.png.decode import decode
from app.png.light_ink import show_light_ink
from app.png.limits import PngLimits
from testkit.images.exifs import SIX, exif
from testkit.png.pngs import GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, Picture

LIMITS = PngLimits()
WIDTH, HEIGHT = 240, 160
Bytes = NDArray[np.uint8]


def letters(*places: tuple[int, int], blur: float = 0) -> Bytes:
    """The opacity of strokes and dots at *places*: (H, W), 0 to 255."""
    image = Image.new("L", (WIDTH, HEIGHT), 0)
    draw = ImageDraw.Draw(image)
    for x, y in places:
        draw.ellipse((x, y, x + 26, y + 30), outline=255, width=4)
        draw.line((x + 34, y, x + 34, y + 30), fill=255, width=4)
        draw.rectangle((x + 42, y + 27, x + 45, y + 30), fill=255)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(blur)) if blur else image)


LEFT, RIGHT = (20, 30), (140, 30)
INK = letters(LEFT, RIGHT)


def rgba(color: tuple[int, int, int], alpha: Bytes) -> NDArray[np.int64]:
    return np.dstack([np.full(alpha.shape, c) for c in color] + [alpha]).astype(np.int64)


def black_in(png: bytes, method: str = "otsu") -> NDArray[np.bool_]:
    result = binarize_png(png, method=method, parameters={}, limits=LIMITS)
    with Image.open(io.BytesIO(result.png)) as image:
        return ~np.asarray(image)


def planes(samples: NDArray[np.int64]) -> tuple[Bytes, Bytes, bool]:
    """The gray page before and after, and whether it is called inverted."""
    png = Picture(samples, 8, RGBA).encode()
    page = decode(png, inspect(png, LIMITS))
    before = page.gray.copy()
    assert page.alpha is not None
    is_inverted = show_light_ink(page.gray, page.alpha)
    return before, page.gray, is_inverted


@pytest.mark.parametrize("method", ["otsu", "auto", "simple", "sauvola", "bradley"])
@pytest.mark.parametrize(
    "color", [(255, 255, 255), (250, 245, 225), (225, 225, 225), (255, 255, 0), (200, 255, 220)]
)
def test_light_ink_on_transparency_becomes_black(color, method) -> None:
    png = Picture(rgba(color, INK), 8, RGBA).encode()

    assert (black_in(png, method) == (INK > 0)).all()


def in_gray_and_alpha() -> Picture:
    return Picture(rgba((255, 255, 255), INK)[..., 2:], 8, GRAY_ALPHA)


def in_16_bits() -> Picture:
    return Picture(rgba((255, 250, 240), INK) * 257, 16, RGBA)


def interlaced() -> Picture:
    return Picture(rgba((255, 250, 240), INK), 8, RGBA, is_interlaced=True)


def in_a_palette() -> Picture:
    colors, opacity = bytes([9, 9, 9, 255, 255, 255]), bytes([0, 255])
    return Picture((INK > 0)[..., np.newaxis].astype(int), 1, PALETTE, False, colors, opacity)


def in_gray_with_a_key() -> Picture:
    samples = np.where(INK > 0, 15, 3)[..., np.newaxis]
    return Picture(samples, 4, GRAY, transparency=b"\0\3")


def in_colour_with_a_key() -> Picture:
    samples = np.where((INK > 0)[..., np.newaxis], (255, 255, 250), (1, 2, 3))
    return Picture(samples, 8, RGB, transparency=bytes([0, 1, 0, 2, 0, 3]))


@pytest.mark.parametrize(
    "form",
    [
        in_gray_and_alpha,
        in_16_bits,
        interlaced,
        in_a_palette,
        in_gray_with_a_key,
        in_colour_with_a_key,
    ],
)
def test_light_ink_becomes_black_in_every_form_of_transparency(form) -> None:
    assert (black_in(form().encode()) == (INK > 0)).all()


@pytest.mark.parametrize("gray", [0, 60, 128, 200])
def test_ink_that_is_visible_on_white_is_left_unchanged(gray) -> None:
    before, after, is_inverted = planes(rgba((gray,) * 3, letters(LEFT, RIGHT, blur=1)))

    assert (before == after).all()
    assert not is_inverted


def test_light_and_dark_marks_on_the_same_page_are_all_kept() -> None:
    samples = rgba((255, 255, 255), INK)
    samples[:, WIDTH // 2 :, :3] = 20

    assert (black_in(Picture(samples, 8, RGBA).encode()) == (INK > 0)).all()


def test_a_page_counts_as_inverted_if_most_of_its_ink_is_light() -> None:
    mostly, little = rgba((255, 255, 255), INK), rgba((20, 20, 20), INK)
    mostly[:, 180:, :3] = 20
    little[:, 180:, :3] = 255

    assert planes(mostly)[2] is True
    assert planes(little)[2] is False


def test_light_words_in_a_dark_shape_stay_light() -> None:
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[20:80, 10:230] = 255
    samples = rgba((20, 40, 90), alpha)
    samples[INK > 0, :3] = 255

    before, after, _ = planes(samples)

    assert (before == after).all()


def test_a_light_sheet_with_writing_on_it_stays_a_light_sheet() -> None:
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[10:100, 10:220] = 255
    samples = rgba((250, 250, 245), alpha)
    samples[letters(LEFT) > 0, :3] = 150

    before, after, _ = planes(samples)

    assert (before == after).all()


def test_a_light_page_with_a_transparent_margin_stays_light() -> None:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:12] = alpha[-12:] = 0

    before, after, is_inverted = planes(rgba((255, 255, 255), alpha))

    assert (before == after).all()
    assert not is_inverted


@pytest.mark.parametrize("opacity", [0.25, 0.45])
def test_the_dark_shadow_of_light_ink_is_removed(opacity) -> None:
    shadow = letters((24, 34), (144, 34), blur=3) * opacity
    alpha = np.maximum(INK, shadow).astype(np.uint8)
    samples = rgba((0, 0, 0), alpha)
    samples[INK > 0, :3] = 255

    assert (black_in(Picture(samples, 8, RGBA).encode()) == (INK > 0)).all()


def test_soft_edges_of_light_ink_look_like_those_of_dark_ink() -> None:
    soft = letters(LEFT, RIGHT, blur=0.8)

    light, dark = planes(rgba((255, 255, 255), soft)), planes(rgba((0, 0, 0), soft))

    assert (light[1] == dark[1]).all()


def test_faint_light_ink_becomes_black_too() -> None:
    png = Picture(rgba((255, 255, 255), (INK // 3).astype(np.uint8)), 8, RGBA).encode()

    assert (black_in(png) == (INK > 0)).all()


def test_a_fully_transparent_page_is_white() -> None:
    nothing = np.zeros((HEIGHT, WIDTH), np.uint8)

    before, after, is_inverted = planes(rgba((0, 0, 0), nothing))

    assert (after == 255).all()
    assert (before == after).all()
    assert not is_inverted


def test_a_page_that_lies_on_its_side_is_treated_as_it_is_upright() -> None:
    samples = rgba((255, 255, 255), INK)
    samples[:, WIDTH // 2 :, :3] = 20
    lying = Picture(np.rot90(samples), 8, RGBA, metadata=exif(SIX)).encode()

    assert (black_in(lying) == black_in(Picture(samples, 8, RGBA).encode())).all()


@pytest.mark.parametrize(
    ("height", "width"), [(1, 300), (300, 1), (7, 9), (8, 8), (9, 255), (257, 10)]
)
def test_pages_of_any_size_are_read(height, width) -> None:
    alpha = np.zeros((height, width), np.uint8)
    alpha[height // 2 :: 9, width // 2 :: 9] = 255

    _, after, _ = planes(rgba((255, 255, 255), alpha))

    assert after.shape == (height, width)
