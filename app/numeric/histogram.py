"""Histogram statistics of a page: moments, quantiles, Otsu's split and the noise peak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Histogram = NDArray[np.float64]

#: 0.3 % of a normal distribution lies beyond this many standard deviations.
CLIP_DEVIATIONS: Final = 3.0


@dataclass(frozen=True)
class Split:
    """Two classes of a histogram: bins up to *threshold*, and the bins over it.

    *eta* is the share of the total variance that the split explains, 0 to 1: Otsu's measure of
    bimodality. The means are in bins.
    """

    threshold: int
    eta: float
    low_mean: float
    high_mean: float


@dataclass(frozen=True)
class Noise:
    """The peak at the low end of a histogram; its last bin is *limit*."""

    mean: float
    deviation: float
    limit: int


def histogram(pixels: Gray, mask: Gray | None = None) -> Histogram:
    """The number of *pixels* with each of the 256 values, where *mask* is not 0."""
    counts = cv2.calcHist([pixels], [0], mask, [256], [0, 256])
    return np.asarray(counts, np.float64).ravel()


def moments(counts: Histogram) -> tuple[float, float]:
    """The mean and the standard deviation in bins; 0 and 0 for an empty histogram."""
    total = counts.sum()
    if total == 0:
        return 0.0, 0.0
    bins = np.arange(counts.size)
    mean = float(counts @ bins / total)
    return mean, float(np.sqrt(counts @ (bins - mean) ** 2 / total))


def quantile(counts: Histogram, share: float) -> int:
    """The first bin at which the cumulative count reaches *share*, 0 to 1."""
    return int(np.searchsorted(counts.cumsum(), share * counts.sum()))


def otsu_split(counts: Histogram) -> Split:
    """The split with the greatest variance between its two classes.

    With w the share and m the first moment of the bins up to t, and M the mean of all, the
    variance between the classes is (M w - m)^2 / (w (1 - w)).

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC
    9(1):62-66, 1979, doi:10.1109/TSMC.1979.4310076.
    """
    shares = counts / max(counts.sum(), 1e-9)
    low, moment = shares.cumsum(), (shares * np.arange(counts.size)).cumsum()
    high, mean = 1 - low, moment[-1]
    is_split = (low > 1e-9) & (high > 1e-9)
    between = np.zeros(counts.size)
    np.divide((mean * low - moment) ** 2, low * high, out=between, where=is_split)
    best = int(between.argmax())
    return Split(
        threshold=best,
        eta=float(between[best] / max(moments(counts)[1] ** 2, 1e-9)),
        low_mean=float(moment[best] / max(low[best], 1e-9)),
        high_mean=float((mean - moment[best]) / max(high[best], 1e-9)),
    )


def clipped_noise(counts: Histogram, start: int) -> Noise:
    """The peak at the low end of the histogram, found from its bins up to *start*.

    Sigma clipping: take the bins below a limit, set the limit to their mean plus three standard
    deviations, and repeat until the limit is stable. A threshold would cut a single peak in two and
    measure half its spread; clipping measures all of it.
    """
    limit = start
    for _ in range(counts.size):
        mean, deviation = moments(counts[: limit + 1])
        following = min(int(mean + CLIP_DEVIATIONS * max(deviation, 0.5)), counts.size - 1)
        if following == limit:
            break
        limit = following
    return Noise(mean, deviation, limit)


def as_gray(pixels: NDArray[Any]) -> Gray:
    """*pixels*, an array from OpenCV, typed as (H, W) uint8."""
    return pixels.astype(np.uint8, copy=False)
