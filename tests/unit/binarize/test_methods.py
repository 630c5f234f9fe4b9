"""The catalogue of methods and the formulas behind their names."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from app.binarize import local_thresholds
from app.binarize.methods import FUNCTIONS, binarize
from app.domain.methods import DEFAULT_METHOD, METHODS, Method, choose_method
from app.errors import InvalidParameterError
from app.numeric.gaussian import gaussian_mean
from testkit.timing.waiting import assert_within

WINDOW = 9


def random_page(height: int = 40, width: int = 50) -> Any:
    """Noise on a slope with a dark block: every branch of every formula has work to do."""
    rng = np.random.default_rng(1)
    page = rng.normal(170, 15, (height, width)) + np.arange(width)
    page[10:20, 15:35] -= 120
    return page.clip(0, 255).astype(np.uint8)


def windows(page: Any, side: int) -> Any:
    """(H, W, side * side): the values around each pixel, borders repeated."""
    padded = np.pad(page.astype(np.float64), side // 2, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return around.reshape(*page.shape, -1)


# --- the formulas, written down a second time, slowly ---------------------------


def niblack(page: Any, k: float) -> Any:
    w = windows(page, WINDOW)
    return w.mean(-1) + k * w.std(-1)


def sauvola(page: Any, k: float) -> Any:
    w = windows(page, WINDOW)
    return w.mean(-1) * (1 + k * (w.std(-1) / 128 - 1))


def wolf(page: Any, k: float) -> Any:
    w = windows(page, WINDOW)
    m, s = w.mean(-1), w.std(-1)
    return m - k * (1 - s / s.max()) * (m - float(page.min()))


def nick(page: Any, k: float) -> Any:
    w = windows(page, WINDOW)
    return w.mean(-1) + k * np.sqrt(((w**2).sum(-1) - w.mean(-1) ** 2) / WINDOW**2)


def singh(page: Any, k: float) -> Any:
    m = windows(page / 255, WINDOW).mean(-1)
    d = page / 255 - m
    return 255 * m * (1 + k * (d / (1 - d) - 1))


def bradley(page: Any, percent: float) -> Any:
    return windows(page, WINDOW).mean(-1) * (100 - percent) / 100


def bernsen(page: Any, contrast: float) -> Any:
    w = windows(page, WINDOW)
    low, high = w.min(-1), w.max(-1)
    return np.where(high - low < contrast, 127, (low + high) / 2)


def adaptive_mean(page: Any, offset: float) -> Any:
    return windows(page, WINDOW).mean(-1) - offset


def adaptive_gaussian(page: Any, offset: float) -> Any:
    deviation = 0.3 * ((WINDOW - 1) * 0.5 - 1) + 0.8
    weights = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * deviation**2))
    weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
    return windows(page, WINDOW) @ weights - offset


@pytest.mark.parametrize(
    ("reference", "parameter", "value"),
    [
        (niblack, "k", -0.2),
        (niblack, "k", 0.7),
        (sauvola, "k", 0.34),
        (wolf, "k", 0.5),
        (nick, "k", -0.15),
        (singh, "k", 0.2),
        (bradley, "percent", 15),
        (bernsen, "contrast", 90),
        (adaptive_mean, "offset", 7),
        (adaptive_gaussian, "offset", 7),
    ],
)
def test_a_local_method_follows_its_formula(
    reference: Callable[[Any, float], Any], parameter: str, value: float
) -> None:
    page = random_page()
    name = reference.__name__.replace("_", "-")

    white, threshold = binarize(page, name, {"window": WINDOW, parameter: value})

    limit = reference(page, value)
    is_clear = np.abs(page - limit) > 0.01  # closer than that, rounding may decide
    assert is_clear.mean() > 0.97
    assert 0.01 < (white == 0).mean() < 0.99
    assert ((white == 255) == (page > limit))[is_clear].all()
    assert threshold is None


def test_otsu_splits_where_the_variance_between_the_classes_is_greatest() -> None:
    page = random_page()

    white, threshold = binarize(page, "otsu", {})

    def variance_between(t: int) -> float:
        low, high = page[page <= t].astype(float), page[page > t].astype(float)
        return low.size * high.size * (low.mean() - high.mean()) ** 2

    assert threshold is not None
    best = max(range(int(page.min()), int(page.max())), key=variance_between)
    assert variance_between(threshold) == pytest.approx(variance_between(best))
    assert ((white == 255) == (page > threshold)).all()


def test_triangle_splits_at_the_foot_of_the_peak() -> None:
    # A flat stretch of ink from 40 on, and from 180 on a steep rise to the paper's peak at 200.
    counts = np.interp(np.arange(256), [39, 40, 180, 200, 201], [0, 10, 10, 1000, 0]).astype(int)
    page = np.repeat(np.arange(256), counts).astype(np.uint8)[None]

    _, threshold = binarize(page, "triangle", {})

    assert threshold is not None
    assert 175 <= threshold <= 185


def test_simple_keeps_white_what_is_over_the_threshold() -> None:
    page = np.array([[0, 99, 100, 101, 255]], np.uint8)

    white, threshold = binarize(page, "simple", {"threshold": 100})

    assert white.tolist() == [[0, 0, 0, 255, 255]]
    assert threshold == 100


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (40, 50), (300, 3)])
def test_every_method_gives_ink_and_paper_of_the_same_size_and_nothing_else(
    name: str, shape: tuple[int, int]
) -> None:
    page = random_page(*shape) if shape == (40, 50) else np.full(shape, 200, np.uint8)
    before = page.copy()

    white, _ = binarize(page, name, METHODS[name].parse({}))
    again, _ = binarize(page, name, METHODS[name].parse({}))

    assert white.shape == shape
    assert white.dtype == np.uint8
    assert set(np.unique(white)) <= {0, 255}
    assert (page == before).all()
    assert (white == again).all()


def test_the_default_is_auto_and_comes_first() -> None:
    assert next(iter(METHODS)) == DEFAULT_METHOD == "auto"


def test_the_standard_methods_are_there_under_their_names() -> None:
    standard = "simple otsu triangle adaptive-mean adaptive-gaussian niblack sauvola wolf nick"

    assert set(standard.split()) <= set(METHODS)
    assert all(name == method.name for name, method in METHODS.items())


def test_every_method_of_the_catalogue_has_a_function_and_no_function_is_left_over() -> None:
    assert FUNCTIONS.keys() == METHODS.keys()


LOCAL_METHODS = [name for name, method in METHODS.items() if "window" in str(method.parameters)]


@pytest.mark.parametrize("name", LOCAL_METHODS)
def test_a_page_in_bands_is_the_same_as_in_one_piece(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, parameters = random_page(200, 50), METHODS[name].parse({"window": 15})
    whole, _ = binarize(page, name, parameters)

    monkeypatch.setattr(local_thresholds, "BAND_PX", 50)
    banded, _ = binarize(page, name, parameters)

    assert (banded == whole).all()


@pytest.mark.parametrize("window", [119, 121, 131])
@pytest.mark.parametrize("name", LOCAL_METHODS)
def test_bands_make_no_difference_to_a_large_window_either(
    name: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, parameters = random_page(701, 41), METHODS[name].parse({"window": window})
    monkeypatch.setattr(local_thresholds, "BAND_PX", 10**9)
    whole, _ = binarize(page, name, parameters)

    monkeypatch.setattr(local_thresholds, "BAND_PX", 50)
    banded, _ = binarize(page, name, parameters)

    assert (banded == whole).all()


def text_page() -> Any:
    """Lines of letters, a solid bar and a little noise."""
    page = np.full((601, 803), 225, np.uint8)
    page[40:90, 100:700] = 20
    for y in range(140, 580, 40):
        cv2.putText(page, "the quick brown fox jumps over", (30, y), 0, 1.3, 30, 2, cv2.LINE_AA)
    noise = np.random.default_rng(5).normal(0, 5, page.shape)
    return np.clip(page + noise, 0, 255).astype(np.uint8)


def opencv_gaussian(page: Any, window: int) -> Any:
    deviation = 0.15 * window + 0.35
    border = cv2.BORDER_REPLICATE
    return cv2.GaussianBlur(page.astype(np.float32), (window, window), deviation, borderType=border)


@pytest.mark.parametrize("window", [3, 15, 75])
def test_the_gaussian_of_windows_up_to_75_pixels_is_that_of_opencv(window: int) -> None:
    page = text_page()

    assert (gaussian_mean(page, window) == opencv_gaussian(page, window)).all()


@pytest.mark.parametrize("window", [77, 101, 143, 181])
def test_the_gaussian_of_larger_windows_comes_within_a_quarter_of_a_gray_value(
    window: int,
) -> None:
    page = text_page()
    exact = opencv_gaussian(page, window)

    mean = gaussian_mean(page, window)

    assert mean.shape == page.shape
    assert np.abs(mean - exact).max() <= 0.25
    assert ((page > mean - 15) != (page > exact - 15)).mean() <= 5e-5


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 3), (181, 180)])
def test_a_large_window_may_be_larger_than_the_page(shape: tuple[int, int]) -> None:
    page = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)

    assert np.abs(gaussian_mean(page, 181) - opencv_gaussian(page, 181)).max() <= 1.5


def cpu_s(page: Any, method: Method, given: dict[str, float]) -> float:
    """The best of three: what it costs, not what else the machine does."""
    parameters, times_s = method.parse(given), []
    for _ in range(3):
        started = time.process_time()
        binarize(page, method.name, parameters)
        times_s.append(time.process_time() - started)
    return min(times_s)


@pytest.mark.parametrize("name", METHODS)
def test_no_parameter_makes_a_page_cost_four_times_what_the_defaults_do(name: str) -> None:
    method = METHODS[name]
    page = np.full((2000, 2000), 255, np.uint8)

    usual_s = cpu_s(page, method, {})
    for parameter in method.parameters:
        for value in (parameter.minimum, parameter.maximum):
            assert_within(cpu_s(page, method, {parameter.name: value}), 4 * usual_s + 0.01)


@pytest.mark.parametrize("name", LOCAL_METHODS)
def test_an_even_window_counts_as_the_next_odd_one(name: str) -> None:
    page = random_page()

    even, _ = binarize(page, name, METHODS[name].parse({"window": 14}))
    odd, _ = binarize(page, name, METHODS[name].parse({"window": 15}))

    assert (even == odd).all()


@pytest.mark.parametrize("name", ["sauvola", "wolf", "nick", "niblack"])
def test_the_largest_window_does_not_overflow_on_the_brightest_page(name: str) -> None:
    page = np.full((400, 400), 255, np.uint8)
    page[100:104, 100:300] = 0

    white, _ = binarize(page, name, METHODS[name].parse({"window": 181}))

    assert (white[100:104, 100:300] == 0).all()
    assert (white[[50, 250]] == 255).all()


@pytest.mark.parametrize(
    ("name", "parameter", "value", "limits"),
    [
        ("simple", "threshold", "255", "0 to 254"),
        ("simple", "threshold", "12.5", "0 to 254"),
        ("sauvola", "window", "2", "3 to 181"),
        ("wolf", "window", "182", "3 to 181"),
        ("nick", "k", "0.1", "-1 to 0"),
        ("niblack", "k", "nan", "-2 to 2"),
        ("bradley", "percent", "x", "0 to 100"),
        ("bernsen", "contrast", "256", "0 to 255"),
        ("adaptive-mean", "offset", "inf", "-255 to 255"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name_value_and_range(
    name: str, parameter: str, value: str, limits: str
) -> None:
    with pytest.raises(InvalidParameterError) as refusal:
        METHODS[name].parse({parameter: value})

    assert f"{parameter}='{value}'" in refusal.value.detail
    assert limits in refusal.value.detail
    assert refusal.value.facts["parameter"] == parameter


def test_a_parameter_that_a_method_does_not_take_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="auto takes no parameter 'window'"):
        METHODS["auto"].parse({"window": "25"})


def test_an_unknown_method_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(InvalidParameterError, match="'magic' is not one of auto, otsu"):
        choose_method(METHODS, "magic")
