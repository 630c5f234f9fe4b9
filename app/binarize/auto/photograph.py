"""Tell a photograph, which is dithered, from a document, whose writing is separated from paper."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ...numeric.histogram import Histogram, as_gray, histogram, quantile
from .page_maps import PageMaps
from .paper_depth import blotches

#: In a photograph, at most MOST_PAPER of the page has a tone over PAPER_TONE, ...
PAPER_TONE: Final = 230
MOST_PAPER: Final = 0.6
#: ... the page has, if nothing on it stands out, at least this many of 32 grays (coarse grain has
#: eight to ten), ...
LEAST_GRAYS: Final = 10
#: ... and the brightness of half of the page differs by this many gray values from that of the
#: 160 x 160 pixels around: 0.1 to 0.5 on everyday pages, 0.8 on half of the old ones, up to 22 on
#: desks.
LEAST_BLOTCHES: Final = 1.2
#: Besides, a ground that is lighter than what is on it, and strong changes, speak against a
#: photograph; many grays speak for it. Their weighted sum is below MOST_LIKE_WRITING.
#: benchmarks.training.photograph_rule fits both.
WEIGHTS: Final = (3.97, 1.0, -0.71)
MOST_LIKE_WRITING: Final = -0.79
#: A change is strong if it has over this share of the contrast nearby.
STRONG_SHARE: Final = 0.45
#: The range of an uneven block is greater than that of the noise by so many gray values, or by this
#: share of the brightest paper where that is less: on dark pages, where blocks with slight changes
#: count as even ones and as changes.
LEAST_CHANGE: Final = 10
LEAST_CHANGE_SHARE: Final = 1 / 20


def is_photograph(maps: PageMaps, shape: tuple[int, ...], *, vote: float, has_ink: bool) -> bool:
    """Whether the page of this *shape* has continuous tones.

    *vote* is the size of its polarity; *has_ink* says that something stands out from the noise.

    A photograph has little or no paper, many grays and changes of any size, while ink is dark right
    beside the paper, and covers less of its surroundings than paper does.
    """
    found = evidence(maps, shape, vote=vote, has_ink=has_ink)
    return found is not None and float(np.dot(WEIGHTS, found)) < MOST_LIKE_WRITING


def evidence(
    maps: PageMaps, shape: tuple[int, ...], *, vote: float, has_ink: bool
) -> tuple[float, ...] | None:
    """What WEIGHTS weigh; None for a page that is no photograph whatever they say."""
    far = cv2.resize(maps.paper_32, maps.paper.shape[::-1], interpolation=cv2.INTER_NEAREST)
    tone = as_gray(cv2.divide(maps.mean_8, np.maximum(far, 1), scale=255))
    if np.count_nonzero(tone > PAPER_TONE) > MOST_PAPER * tone.size:
        return None
    grays = _grays(histogram(tone))
    if not has_ink and grays < LEAST_GRAYS:
        return None
    if blotches(maps.paper, shape)[1] < LEAST_BLOTCHES:
        return None
    noise = quantile(histogram(maps.noise_32), 0.5)
    return vote, _strong(maps, noise), float(np.log(grays))


def _strong(maps: PageMaps, noise: int) -> float:
    """The share of the uneven blocks with over STRONG_SHARE of the contrast nearby."""
    near = cv2.resize(maps.depth_32, maps.paper.shape[::-1], interpolation=cv2.INTER_NEAREST)
    contrast = cv2.multiply(maps.paper, near, scale=STRONG_SHARE / 255)
    bright = quantile(histogram(maps.paper_32), 0.9)  # a page, on however dark a desk
    is_uneven = maps.range_8 > 1.3 * noise + min(LEAST_CHANGE, bright * LEAST_CHANGE_SHARE)
    strong = int(np.count_nonzero((maps.range_8 > contrast) & is_uneven))
    return strong / max(1, int(np.count_nonzero(is_uneven)))


def _grays(counts: Histogram) -> float:
    """The effective number of grays, 1 to 32: the exponential of the histogram's entropy."""
    shares = counts.reshape(32, 8).sum(1) / max(counts.sum(), 1)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))
