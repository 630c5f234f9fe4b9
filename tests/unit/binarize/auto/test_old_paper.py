"""Old paper: which pages are on it, and what is ink there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize.auto import old_paper, paper_depth
from app.binarize.auto.compare import Limits, binarized
from app.binarize.auto.corrections.solids import solid_areas
from app.binarize.auto.page_maps import cells_of, page_maps
from app.binarize.auto.reader import read
from testkit.images.pages import (
    f_measure,
    jpeg,
    noise,
    on_old_paper,
    printed,
    scanned,
    shadow,
    text,
)

SHAPE = (700, 900)


def ink_of(size_px: int = 44) -> Any:
    return text(*SHAPE, size_px=size_px)


def split(gray: Any) -> Any:
    """In black and white, or None."""
    limits = old_paper.limits(gray, page_maps(cells_of(gray)))
    return None if limits is None else binarized(gray, limits)


# --- which pages are on old paper ---------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_a_page_on_old_paper_is_binarized_by_the_classical_method(turned: bool) -> None:
    page = on_old_paper(ink_of())

    reading = read(255 - page if turned else page)

    assert (reading.kind, reading.inverted) == ("writing", turned)
    assert (reading.white == split(page)).all()


def on_a_desk(page: Any) -> Any:
    desk = scanned(70 + noise((1200, 1500), 12, grain_px=9))
    desk[300:1000, 400:1300] = page
    return desk


@pytest.mark.parametrize("size_px", [22, 44])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: page,
        lambda page: page + noise(SHAPE, 2),
        lambda page: page + noise(SHAPE, 8),
        lambda page: page * shadow(SHAPE) + noise(SHAPE, 4),
        lambda page: jpeg(page * shadow(SHAPE), 50),
        lambda page: on_a_desk(scanned(page)),
    ],
    ids=["clean", "scan", "noise", "shadow", "jpeg", "desk"],
)
def test_print_on_clean_paper_is_left_to_the_network(spoil: Any, size_px: int) -> None:
    assert split(scanned(spoil(printed(ink_of(size_px))))) is None


def out_of_focus() -> Any:
    page = printed(text(1000, 800, size_px=24, seed=24))
    return scanned(cv2.GaussianBlur(page, (0, 0), 1.3) + noise(page.shape, 3))


def from_a_camera() -> Any:
    page = printed(text(1000, 800, size_px=16, seed=16))
    page = cv2.GaussianBlur(page * shadow(page.shape), (0, 0), 0.9)
    return jpeg(page + noise(page.shape, 5), 70)


@pytest.mark.parametrize("page", [out_of_focus, from_a_camera])
def test_modern_print_that_is_blurred_is_left_to_the_network(page: Callable[[], Any]) -> None:
    assert split(page()) is None


def test_a_solid_area_amid_print_makes_no_old_paper() -> None:
    page = printed(ink_of()) + noise(SHAPE, 2)
    page[200:420, 300:600] = 90

    assert split(scanned(page)) is None


def test_a_page_too_small_to_judge_is_left_to_the_network() -> None:
    assert split(on_old_paper(ink_of())[:120, :120].copy()) is None


def test_old_paper_with_nothing_on_it_is_blank() -> None:
    reading = read(on_old_paper(np.zeros(SHAPE)))

    assert reading.kind == "blank"
    assert (reading.white == 255).all()


def test_writing_on_paper_of_many_grays_is_no_photograph() -> None:
    ink = ink_of()
    ink[:, 450:] = 0
    spots = noise(SHAPE, 1, grain_px=12, seed=9)
    spots = (spots - spots.min()) / (spots.max() - spots.min())
    page = on_old_paper(ink, other_side=0.6) * (1 - 0.5 * spots)
    page = scanned(cv2.GaussianBlur(page, (0, 0), 1) + noise(SHAPE, 1))

    reading = read(page)

    assert reading.kind == "writing"
    assert f_measure(reading.white, ink + 0.2) > 85


def test_blotches_alone_are_not_taken_for_ink() -> None:
    blotches = noise(SHAPE, 9, grain_px=40) + noise(SHAPE, 5, grain_px=9) + noise(SHAPE, 1)

    assert split(scanned(185 + blotches)) is None


# --- what is ink on them --------------------------------------------------------------


@pytest.mark.parametrize("other_side", [0, 0.3, 0.6])
def test_ink_comes_out_and_stains_and_the_other_side_do_not(other_side: float) -> None:
    ink = ink_of()

    white = split(on_old_paper(ink, other_side=other_side))

    # Bolder than half coverage, as people draw it.
    assert f_measure(white, ink + 0.2) > 93
    far_from_ink = cv2.dilate(ink, np.ones((9, 9))) == 0
    assert (white[far_from_ink] == 0).mean() < 0.002


def test_a_dark_margin_leaves_the_writing_as_it_is() -> None:
    ink = ink_of()
    page = on_old_paper(ink)
    page[:, :90] = page[630:] = 0
    page[:, :90] += scanned(25 + noise((700, 90), 5))
    page[630:] += scanned(25 + noise((70, 900), 5))

    white = split(page)

    # Its rim may be taken for a stroke.
    inside = slice(30, 600), slice(120, 870)
    assert f_measure(white[inside], ink[inside] + 0.2) > 94
    assert (white[640:] == 0).mean() < 0.01


def test_grain_of_the_paper_stays_white() -> None:
    ink = ink_of()
    grain = noise(SHAPE, 7, grain_px=0.8)

    white = split(scanned(on_old_paper(ink) + grain))

    assert (white[cv2.dilate(ink, np.ones((9, 9))) == 0] == 0).mean() < 0.005
    assert f_measure(white, ink + 0.2) > 90


@pytest.mark.parametrize("scale", [0.8, 1.0, 2.2])
def test_strokes_are_measured_on_the_page(scale: float) -> None:
    page = on_old_paper(ink_of())
    page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    run_px = old_paper._typical_run(page, page_maps(cells_of(page)))

    assert run_px == pytest.approx(5.4 * scale, rel=0.35)


# --- the arithmetic, written down a second time -----------------------------------------


def test_blotches_are_differences_from_the_mean_around() -> None:
    paper = np.random.default_rng(5).integers(150, 230, (48, 61), np.uint8)
    spots = paper[:48, :60].reshape(12, 4, 15, 4).mean((1, 3))

    differences = sorted(
        abs(spots[y, x] - spots[y - 2 : y + 3, x - 2 : x + 3].mean())
        for y in range(2, 10)
        for x in range(2, 13)
    )

    last = len(differences) - 1
    expected = [differences[last * i // 4] for i in (1, 2, 3)]
    assert paper_depth.blotches(paper, (8 * 48, 8 * 61)) == pytest.approx(expected)


@pytest.mark.parametrize("reach", [1, 4, 30])
def test_sums_around_a_spot_stop_at_the_page(reach: int) -> None:
    values = np.random.default_rng(6).integers(0, 1000, (17, 23)).astype(float)
    out = np.empty((24, 24))

    paper_depth._sums_around(values, reach, out)

    for y, x in [(0, 0), (3, 22), (16, 11), (9, 5)]:
        rows = slice(max(0, y - reach), y + reach + 1)
        assert out[y, x] == values[rows, max(0, x - reach) : x + reach + 1].sum()
    assert (out[17:] == out[16]).all()
    assert (out[:, 23] == out[:, 22]).all()


def test_runs_are_counted_on_one_row_of_eight() -> None:
    page = np.full((17, 40), 200, np.uint8)
    page[0, 3:9] = page[8, 30:40] = page[16, 0:2] = 50
    page[1:8] = 50
    runs = np.zeros(256, np.int64)

    old_paper._count_runs(page, np.full((3, 10), 100, np.uint8), runs)

    assert {int(length): int(runs[length]) for length in np.flatnonzero(runs)} == {
        2: 1,
        6: 1,
        10: 1,
    }


def test_a_margin_may_turn_white() -> None:
    learned, white = np.full((20, 20), 255, np.uint8), np.full((20, 20), 255, np.uint8)
    learned[:, :8] = 0
    learned[10, 12:17] = white[10, 12:17] = 0

    assert old_paper._hollow_share(learned, white) == 0


def test_a_page_whose_ink_would_mostly_turn_hollow_keeps_the_networks_result() -> None:
    learned, hollow = np.full((20, 20), 255, np.uint8), np.full((20, 20), 255, np.uint8)
    learned[3:18, 3:18] = hollow[3:18, 3:18] = 0
    hollow[4:17, 4:17] = 255

    assert old_paper._hollow_share(learned, hollow) > old_paper.MOST_HOLLOW
    assert old_paper._hollow_share(learned, learned) == 0


# --- solid areas --------------------------------------------------------------------


def test_solid_areas_are_filled_but_for_margins_of_the_scan() -> None:
    page = np.full(SHAPE, 220.0)
    page[200:400, 300:600] = page[-60:] = 80
    page = scanned(page + noise(SHAPE, 2))
    below = solid_areas(page_maps(cells_of(page)), page.shape)
    nothing = np.full((2 * below.shape[0], 2 * below.shape[1]), -1, np.float32)

    white = binarized(page, Limits(nothing, np.zeros(below.shape, np.float32), below))

    assert f_measure(white[:-70], page[:-70] < 150) > 99
    assert (white[-50:] == 255).all()
