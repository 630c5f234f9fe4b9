"""Read a page through its histogram: where it splits, how it spreads, what is noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Histogram = NDArray[np.float64]

#: A share of a normal distribution of 0.3 % lies further out than this many deviations.
CLIP_DEVIATIONS: Final = 3.0


@dataclass(frozen=True)
class Split:
    """Two classes of a histogram: bins up to *threshold*, and the bins over it.

    *eta* is the share of the total variance that the split explains, 0 to 1: Otsu's measure of
    how two-humped the histogram is. The means are in bins.
    """

    threshold: int
    eta: float
    low_mean: float
    high_mean: float


@dataclass(frozen=True)
class Noise:
    """The hump at the low end of a histogram; its last bin is *limit*."""

    mean: float
    deviation: float
    limit: int


def histogram(pixels: Gray, mask: Gray | None = None) -> Histogram:
    """Count the 256 values of *pixels*, where *mask* is not 0."""
    counts = cv2.calcHist([pixels], [0], mask, [256], [0, 256])
    return np.asarray(counts, np.float64).ravel()


def moments(counts: Histogram) -> tuple[float, float]:
    """Mean and standard deviation in bins; 0 and 0 of an empty histogram."""
    total = counts.sum()
    if total == 0:
        return 0.0, 0.0
    bins = np.arange(counts.size)
    mean = float(counts @ bins / total)
    return mean, float(np.sqrt(counts @ (bins - mean) ** 2 / total))


def quantile(counts: Histogram, share: float) -> int:
    """The first bin at which *share*, 0 to 1, of the counts is reached."""
    return int(np.searchsorted(counts.cumsum(), share * counts.sum()))


def otsu_split(counts: Histogram) -> Split:
    """Split where the variance between the two classes is greatest.

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
    """Find the hump at the low end of the histogram, starting from its bins up to *start*.

    Sigma clipping: take what lies below a limit, set the limit to its mean plus three
    deviations, and again until it stands still. A threshold cuts a single hump in two and so
    sees half its spread; clipping finds the whole of it.
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
    """Tell the type checker that what OpenCV returned is (H, W) uint8."""
    return pixels.astype(np.uint8, copy=False)
