"""What `auto` makes of pages, and of images that are no pages."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.auto.page_kind import INVERTED, polarity
from app.binarize.auto.page_maps import cells_of
from app.binarize.methods import auto, binarize
from app.domain.methods import METHODS
from testkit.images.pages import f_measure, jpeg, noise, printed, scanned, shadow, text
from testkit.root import ROOT

SHAPE = (500, 600)


def ink_of(page: Any) -> Any:
    return auto(scanned(page))


# --- pages ----------------------------------------------------------------------


def camera_photo() -> Any:
    page = cv2.GaussianBlur(printed(text(size_px=30)) * shadow(SHAPE), (0, 0), 0.7)
    return jpeg(page + noise(SHAPE, 4), 80)


@pytest.mark.parametrize(
    ("page", "size_px", "at_least"),
    [
        pytest.param(printed(text()), 22, 95, id="clean"),
        pytest.param(printed(text()) + noise(SHAPE, 5), 22, 95, id="scanner noise"),
        pytest.param(printed(text()) + noise(SHAPE, 25), 22, 85, id="heavy noise"),
        pytest.param(printed(text()) * shadow(SHAPE) + noise(SHAPE, 3), 22, 95, id="shadow"),
        pytest.param(camera_photo(), 30, 90, id="camera"),
        pytest.param(printed(text(), paper=200, black=150), 22, 94, id="low contrast"),
        pytest.param(printed(text(), paper=230, black=180) + noise(SHAPE, 3), 22, 93, id="faint"),
        pytest.param(printed(text(), paper=90, black=15) + noise(SHAPE, 2), 22, 94, id="dark"),
        pytest.param(jpeg(printed(text()), 30), 22, 92, id="jpeg"),
        pytest.param(printed(text(size_px=13)), 13, 88, id="72 dpi"),
        pytest.param(printed(text(size_px=90)), 90, 98, id="large print"),
        pytest.param(255 - printed(text()), 22, 95, id="white on black"),
        pytest.param(60 + 120 * text() + noise(SHAPE, 4), 22, 95, id="pale on dark"),
    ],
)
def test_print_is_found(page: Any, size_px: int, at_least: float) -> None:
    assert f_measure(ink_of(page), text(size_px=size_px)) >= at_least


def test_it_beats_every_other_method_on_average_over_kinds_of_pages() -> None:
    pages = [
        printed(text()) + noise(SHAPE, 4),
        printed(text()) * shadow(SHAPE) + noise(SHAPE, 3),
        printed(text(), paper=230, black=180) + noise(SHAPE, 3),
        printed(text()) + noise(SHAPE, 20),
        255 - printed(text()) + noise(SHAPE, 4),
    ]

    scores = {
        name: np.mean(
            [
                f_measure(binarize(scanned(p), name, METHODS[name].parse({}))[0], text())
                for p in pages
            ]
        )
        for name in METHODS
    }

    assert max(scores, key=lambda name: scores[name]) == "auto"


def test_noise_between_the_words_does_not_become_ink() -> None:
    near_words = cv2.dilate((text() > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0

    white = ink_of(printed(text()) + noise(SHAPE, 15))

    assert (white[~near_words] == 0).mean() < 0.0005


@pytest.mark.parametrize("shape", [(500, 650), (515, 641), (560, 700), (575, 767)])
def test_noise_at_the_margins_does_not_become_ink(shape: tuple[int, int]) -> None:
    # These sides are no multiples of 64: the maps go beyond the page.
    height, width = shape
    ink = np.zeros(shape)
    ink[: height - 90, : width - 90] = text(height - 90, width - 90)
    is_margin = np.ones(shape, bool)
    is_margin[: height - 80, : width - 80] = False

    white = ink_of(printed(ink, paper=220, black=60) + noise(shape, 22))

    assert (white[is_margin] == 0).mean() < 0.002
    assert (white[:, -16:] == 0).mean() < 0.006


def test_a_white_on_black_page_gives_the_same_as_its_negative() -> None:
    page = scanned(printed(text()) + noise(SHAPE, 4))

    assert (auto(255 - page) == auto(page)).all()


def test_small_print_on_a_very_large_negative_is_turned_round() -> None:
    # At an eighth of the scale the strokes are gone.
    page = np.tile(scanned(printed(text(size_px=13), paper=220, black=80)), (11, 10))

    assert polarity(cells_of(255 - page)) < INVERTED
    assert polarity(cells_of(page)) >= INVERTED


def test_print_showing_through_from_the_back_is_dropped() -> None:
    back = cv2.GaussianBlur(text(seed=7)[:, ::-1], (0, 0), 2)
    front = text()

    white = ink_of(printed(front) - 60 * back * (1 - front) + noise(SHAPE, 3))

    assert f_measure(white, front) >= 94


def test_full_stops_are_kept_beside_specks_of_dirt() -> None:
    ink = text(size_px=30)
    far_from_ink = cv2.dilate((ink > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    specks = (np.random.default_rng(5).random(SHAPE) < 0.001) & far_from_ink
    ink[460:464, 300:304] = 1

    white = ink_of(printed(ink) - 100 * specks + noise(SHAPE, 2))

    # The specks stay: single dark pixels on clean paper may be the dots of a pale raster or a stop
    # of small print, and `auto` drops no ink for its size.
    assert specks.sum() > 50
    assert (white[460:464, 300:304] == 0).all()


def test_pale_print_beside_a_black_headline_is_kept() -> None:
    headline, body = text(size_px=80, seed=3), text(seed=4)
    headline[250:], body[:250] = 0, 0

    white = ink_of(235 - 200 * headline - 90 * body + noise(SHAPE, 4))

    assert f_measure(white[250:], body[250:]) >= 90


@pytest.mark.parametrize("high_px", [400, 480])
def test_the_band_of_a_cover_stays_black_over_the_whole_page(high_px: int) -> None:
    page = printed(text(1100, 900, size_px=28))
    page[:high_px] = 75
    page[150:190, 60:400] = 225

    white = ink_of(page + noise(page.shape, 2))

    assert (white[:high_px] == 0).mean() > 0.93
    assert (white[155:185, 65:395] == 255).all()


def test_a_solid_black_area_stays_black_and_the_letters_in_it_white() -> None:
    ink = text()
    ink[100:250] = 1 - ink[100:250]
    ink[300:420, 200:500] = 1

    white = ink_of(printed(ink) * shadow(SHAPE, 0.7) + noise(SHAPE, 4))

    assert f_measure(white, ink) >= 97
    assert (white[302:418, 202:498] == 0).all()


def test_a_tinted_field_of_a_form_becomes_white() -> None:
    tint = np.ones(SHAPE)
    tint[100:250] = 0.7

    assert f_measure(ink_of(printed(text()) * tint + noise(SHAPE, 3)), text()) >= 92


def test_the_thin_lines_of_a_table_are_kept() -> None:
    ink = text()
    ink[60:440:60, 20:580] = 1
    ink[60:420, [20, 200, 400, 579]] = 1

    assert f_measure(ink_of(printed(ink) + noise(SHAPE, 4)), ink) >= 96


# --- shadows at the margin --------------------------------------------------------


def test_the_shadow_at_the_margin_of_the_sample_page_comes_out_white() -> None:
    page = cv2.imread(str(ROOT / "image.png"), cv2.IMREAD_GRAYSCALE)

    white = auto(np.asarray(page))

    # Print ends at column 1120; the shadow is darkest in the last columns and the lower corner.
    assert (white[:, 1150:] == 0).mean() < 0.001
    assert (white[:, -8:] == 0).mean() < 0.005
    assert (white[1500:, 640:] == 0).mean() < 0.001


# Deeper and narrower ones come out black in part; docs/quality.md says so.
@pytest.mark.parametrize("side", range(4))
def test_a_wide_and_slight_shadow_that_ends_at_a_margin_comes_out_white(side: int) -> None:
    ink = np.pad(text(680, 680), 60)
    fall = np.ones(800)
    fall[-140:] -= 0.3 * np.linspace(0, 1, 140) ** 2
    light = np.rot90(np.tile(fall, (800, 1)), side)

    white = ink_of(printed(ink) * light + noise(ink.shape, 3))

    margins = np.ones(ink.shape, bool)
    margins[50:-50, 50:-50] = False
    assert f_measure(white, ink) >= 94
    assert (white[margins] == 0).mean() < 0.001


# --- codes --------------------------------------------------------------------------


def matrix_code(module_px: int) -> tuple[Any, Any]:
    """(modules, ink) of a code of 24 x 24 modules like a DataMatrix in its quiet zone, by print."""
    modules = np.random.default_rng(module_px).random((24, 24)) < 0.5
    modules[0], modules[:, -1] = np.arange(24) % 2 == 0, np.arange(24) % 2 == 1
    modules[:, 0] = modules[-1] = True
    ink, side = np.pad(text(260, 400), ((240, 0), (40, 160))), 24 * module_px
    ink[40 : 40 + side, 60 : 60 + side] = np.kron(modules, np.ones((module_px, module_px)))
    return modules, ink


@pytest.mark.parametrize("module_px", [3, 4, 6])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: page + noise(page.shape, 3),
        lambda page: cv2.GaussianBlur(page, (0, 0), 0.8) + noise(page.shape, 4),
        lambda page: page * shadow(page.shape) + noise(page.shape, 5),
        lambda page: page + noise(page.shape, 12),
    ],
    ids=["scan", "blur", "shadow", "noise"],
)
def test_the_modules_of_a_small_code_stay_apart(spoil: Any, module_px: int) -> None:
    modules, ink = matrix_code(module_px)

    white = ink_of(spoil(printed(ink)))

    centres = 40 + module_px // 2 + module_px * np.arange(24)
    found = white[centres][:, centres + 20] == 0
    # Readers correct a quarter of the modules; none of a scan's has to be.
    assert (found != modules).mean() <= 0.02


# --- pages without ink ----------------------------------------------------------


# Not on paper of 250: white clips half of the noise there, and what is left of it in grains of a
# few pixels looks like pale print. docs/quality.md says so.
@pytest.mark.parametrize("paper", [130, 200, 230])
@pytest.mark.parametrize("grain_px", [0, 0.7, 1.5, 3])
@pytest.mark.parametrize("deviation", [0, 1, 4, 12])
def test_a_noisy_blank_page_stays_blank(paper: float, grain_px: float, deviation: float) -> None:
    page = paper + (noise(SHAPE, deviation, grain_px=grain_px) if deviation else np.zeros(SHAPE))

    assert (ink_of(page) == 255).all()


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_a_blank_page_stays_blank_in_shadow_and_as_jpeg(quality: int) -> None:
    page = 230 * shadow(SHAPE) + noise(SHAPE, 4)

    assert (ink_of(jpeg(page, quality)) == 255).all()


def test_one_short_word_on_a_noisy_page_is_not_taken_for_noise() -> None:
    ink = np.zeros((900, 700))
    ink[400:430, 300:400] = text()[30:60, 30:130]

    white = ink_of(printed(ink) + noise(ink.shape, 6))

    assert f_measure(white, ink) >= 93


@pytest.mark.parametrize(("gray", "expected"), [(255, 255), (128, 255), (64, 255), (63, 0), (0, 0)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (15, 17), (300, 200)])
def test_an_even_image_is_blank_paper_unless_it_is_nearly_black(
    gray: int, expected: int, shape: tuple[int, int]
) -> None:
    white = auto(np.full(shape, gray, np.uint8))

    assert white.shape == shape
    assert (white == expected).all()


@pytest.mark.parametrize("shape", [(1, 300), (300, 1)])
def test_a_line_of_pixels_keeps_its_dark_run(shape: tuple[int, int]) -> None:
    page = np.full(300, 240, np.uint8)
    page[100:104] = 20

    white = auto(page.reshape(shape))

    assert np.flatnonzero(white == 0).tolist() == [100, 101, 102, 103]


@pytest.mark.parametrize("height", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("width", [1, 2, 4, 16, 33])
def test_an_image_of_any_small_size_is_binarized(height: int, width: int) -> None:
    page = np.random.default_rng(3).integers(0, 256, (height, width), np.uint8)

    white = auto(page)

    assert white.shape == page.shape
    assert set(np.unique(white)) <= {0, 255}


# --- images that are no pages ---------------------------------------------------


def test_a_photograph_without_any_stroke_is_not_blanked() -> None:
    photo = scanned(128 + noise(SHAPE, 45, grain_px=8))

    white = ink_of(photo)

    seen_from_afar = cv2.blur(white, (31, 31)).astype(int)
    assert np.abs(seen_from_afar - cv2.blur(photo, (31, 31)))[16:-16, 16:-16].mean() < 3


def test_a_screenshot_is_legible_in_light_and_in_dark() -> None:
    ink = text(size_px=16)
    light = 245 - 215 * ink
    light[:40] = 60 + 180 * ink[:40]  # a title bar, white on gray-blue
    dark = 32 + 190 * ink

    assert f_measure(ink_of(light)[50:], ink[50:]) >= 92
    assert f_measure(ink_of(dark), ink) >= 92


def test_a_halftone_picture_keeps_its_tones() -> None:
    ink = text()
    y, x = np.mgrid[0:200, 0:400]
    dots = np.cos(x * 0.8) + np.cos(y * 0.8) + 2 * x / 400 - 1 > 0
    ink[250:450, 100:500] = dots

    white = ink_of(cv2.GaussianBlur(printed(ink), (0, 0), 0.5) + noise(SHAPE, 3))

    for left in (100, 200, 300, 400):
        part = (slice(250, 450), slice(left, left + 100))
        assert abs((white[part] == 0).mean() - ink[part].mean()) < 0.17
