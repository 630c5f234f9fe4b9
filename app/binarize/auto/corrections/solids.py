"""Keep solid areas black: bands, bars, slices and covers, also where they are wide or outlined.

The network sees 220 pixels. Inside a wider area, and beside a darker outline, it takes the gray of
the area for paper in a shadow. What tells them apart is the rim: from a solid area the paper is
never far, from a shadow it is, and on a page in the shade there is writing.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from ....numeric.compiled import compiled
from ....numeric.histogram import Gray, as_gray
from ..page_maps import PageMaps

#: The ranges of a flat block of 8 x 8 pixels and of those around it are at most so many times that
#: of the noise, and so many gray values; their means differ by at most so many, and an eighth of
#: the noise. Noise alone leaves holes in areas, and they do not count.
NOISES: Final = 2
MOST_RANGE: Final = 10
MOST_UNEVEN: Final = 8
#: Paper is looked for as far as so many spots of 128 pixels: half a page at 300 dpi is 1,750 wide.
FAR: Final = 16
#: Flat blocks are dark up to this share of its brightness.
DARKEST_PAPER: Final = 0.63
#: An area has a square of so many flat blocks of 8 x 8 pixels.
LEAST_BLOCKS: Final = 2
#: Of the blocks at the rim without another area nearby, this share has paper nearby.
NEAR_PAPER: Final = 0.9
#: Within 3 blocks, a pixel this share of the way from the gray of the area to paper is paper.
RISE: Final = 0.75
#: Within 6 blocks, another area is one whose gray differs by this share of the paper.
OTHER: Final = 0.08
#: There is writing on an area if, within 3 blocks, a pixel is darker than the area by this share of
#: its gray and so many times the noise, in a block with nothing brighter than this share of the
#: paper in it or beside it: an outline has paper beside it.
WRITTEN: Final = 0.3
WRITTEN_NOISES: Final = 2
NO_PAPER: Final = 0.8
#: At most so many blocks of the rim of an area are that near to writing.
MOST_WRITTEN: Final = 2
#: So many blocks are near the border.
BORDER: Final = 4
#: A page with more areas is a picture; 0 and 65,535 are none.
MOST_AREAS: Final = 65_534

_BYTES: Final = "uint8[:,::1]"


def solid_areas(maps: PageMaps, inside: tuple[int, ...] | None = None) -> Gray:
    """The gray below which a pixel is part of a solid area, at 1/8; 0 where none is near.

    With *inside*, the shape of the page, areas near its border do not count.
    """
    near = maps.paper_128
    far = as_gray(cv2.morphologyEx(near, cv2.MORPH_CLOSE, _square(FAR)))
    below = _solid_below(maps, near, inside)
    if (far - far // 5 > near).any():
        # Somewhere no paper is near: in a wide area, but also in the shade, where *near* is right.
        below = np.maximum(below, _solid_below(maps, far, inside))
    return as_gray(cv2.dilate(below, _square(2)))


def _solid_below(maps: PageMaps, paper_128: Gray, inside: tuple[int, ...] | None) -> Gray:
    """The most gray of the pixels of solid areas, at 1/8, where paper is as bright as this."""
    grays = (maps.mean_8, paper_128, maps.noise_32)
    flat, pale, below = (np.zeros_like(maps.paper) for _ in range(3))
    _find_flat(*_differences(maps), *grays, flat, pale)
    core = cv2.erode(flat, np.ones((LEAST_BLOCKS, LEAST_BLOCKS), np.uint8))
    count, areas = cv2.connectedComponents(flat, connectivity=4) if core.any() else (1, flat)
    if not 1 < count <= MOST_AREAS:
        return below
    labels = areas.astype(np.uint16)
    votes = np.zeros((count, 5), np.int64)
    around = (
        *_nearby(maps, flat, pale),
        _beside_others(labels),
        _darkest_without_paper(maps, paper_128),
    )
    _count_rims(labels, core, *around, *grays, votes)
    solid = _solid(votes)
    if inside:
        bottom, right = (side // 8 - BORDER for side in inside)
        for rim in (labels[:BORDER], labels[bottom:], labels[:, :BORDER], labels[:, right:]):
            solid[rim] = 0
    _mark_solid(labels, solid, *grays, below)
    return below


def _differences(maps: PageMaps) -> tuple[Any, Any]:
    """The greatest range of a block and of the eight around it; how far their means differ."""
    around, mean = _square(1), maps.mean_8
    uneven = cv2.subtract(cv2.dilate(mean, around), cv2.erode(mean, around))
    return cv2.dilate(maps.range_8, around), uneven


def _square(reach: int) -> Any:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)


def _nearby(maps: PageMaps, flat: Gray, pale: Gray) -> tuple[Any, ...]:
    """What is around each block of *flat*, for `_count_rims`.

    Whether all blocks beside it are flat and dark; whether one beside it is in *pale*; the
    brightest pixel; the lightest and the darkest flat block.
    """
    gray = maps.mean_8 & flat
    return (
        cv2.erode(flat, _square(1)),
        cv2.dilate(pale, _square(1)),
        cv2.dilate(maps.high_8, _square(3)),
        cv2.dilate(gray, _square(6)),
        cv2.erode(gray | ~flat, _square(6)),
    )


def _darkest_without_paper(maps: PageMaps, paper_128: Gray) -> Gray:
    """The darkest pixel of the blocks within 3 blocks that have no paper beside them, at 1/8."""
    bright = cv2.dilate(maps.high_8, _square(1))
    low = as_gray(cv2.subtract(maps.high_8, maps.range_8))
    _leave_out_paper(bright, paper_128, low)
    return as_gray(cv2.erode(low, _square(3)))


@compiled(f"void({', '.join(3 * [_BYTES])})")
def _leave_out_paper(bright: Any, paper_128: Any, low: Any) -> None:
    for y in range(bright.shape[0]):
        for x in range(bright.shape[1]):
            paper = np.float32(NO_PAPER) * np.float32(paper_128[y >> 4, x >> 4])
            if np.float32(bright[y, x]) > paper:
                low[y, x] = np.uint8(255)


def _beside_others(labels: Any) -> Gray:
    """Whether there are blocks of two areas within 6 blocks."""
    elsewhere = np.where(labels > 0, labels, np.uint16(65535))
    most, least = cv2.dilate(labels, _square(6)), cv2.erode(elsewhere, _square(6))
    return as_gray((most != least).astype(np.uint8))


@compiled()
def _most_range(noise: Any) -> Any:
    return np.float32(NOISES) * np.float32(noise) + np.float32(MOST_RANGE)


@compiled(f"void({', '.join(7 * [_BYTES])})")
def _find_flat(
    ranges: Any, uneven: Any, mean: Any, paper_128: Any, noise_32: Any, flat: Any, pale: Any
) -> None:
    """Set *flat* to 255 at dark flat blocks, *pale* at other flat ones, and both to 0 elsewhere."""
    for y in range(mean.shape[0]):
        for x in range(mean.shape[1]):
            paper = np.float32(paper_128[y >> 4, x >> 4])
            is_dark = np.float32(mean[y, x]) <= np.float32(DARKEST_PAPER) * paper
            noise = np.float32(noise_32[y >> 2, x >> 2])
            is_flat = np.float32(ranges[y, x]) <= _most_range(noise)
            is_flat &= np.float32(uneven[y, x]) <= np.float32(MOST_UNEVEN) + noise / np.float32(8)
            flat[y, x] = np.uint8(255) if is_flat and is_dark else np.uint8(0)
            pale[y, x] = np.uint8(255) if is_flat and not is_dark else np.uint8(0)


@compiled(f"void(uint16[:,::1], {', '.join(11 * [_BYTES])}, int64[:,::1])")
def _count_rims(
    labels: Any, core: Any, inner: Any, pale: Any, bright: Any, lightest: Any, darkest: Any,
    others: Any, low: Any, mean: Any, paper_128: Any, noise_32: Any, votes: Any,
) -> None:  # fmt: skip
    """Count the blocks of each area: of its rim, near paper, another area and writing; cores."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            area = labels[y, x]
            if area == 0:
                continue
            votes[area, 4] += np.int64(core[y, x] > 0)
            if inner[y, x] > 0:
                continue
            gray, paper = np.float32(mean[y, x]), np.float32(paper_128[y >> 4, x >> 4])
            rise = np.float32(bright[y, x]) - gray
            fall, noise = gray - np.float32(low[y, x]), np.float32(noise_32[y >> 2, x >> 2])
            if pale[y, x] == 0 and max(rise, fall) <= _most_range(noise):
                # A hole in the area, of nothing but noise.
                continue
            apart = max(np.float32(lightest[y, x]) - gray, gray - np.float32(darkest[y, x]))
            least = max(np.float32(WRITTEN) * gray, np.float32(WRITTEN_NOISES) * noise)
            is_beside = others[y, x] > 0 and apart >= np.float32(OTHER) * paper
            votes[area, 0] += 1
            if fall >= least and not is_beside:
                votes[area, 3] += 1
            elif rise >= np.float32(RISE) * (paper - gray):
                votes[area, 1] += 1
            elif is_beside:
                votes[area, 2] += 1


def _solid(votes: Any) -> Any:
    """Which areas are solid, as 0 or 1."""
    rim, near, other, written, cores = votes.T
    is_bounded = (near > 0) & (near >= NEAR_PAPER * (rim - other))
    found = is_bounded & (written <= MOST_WRITTEN) & (cores > 0)
    return found.astype(np.uint8)


@compiled(f"void(uint16[:,::1], uint8[::1], {', '.join(4 * [_BYTES])})")
def _mark_solid(
    labels: Any, solid: Any, mean: Any, paper_128: Any, noise_32: Any, below: Any
) -> None:
    """Set *below* at the blocks of solid areas to the most gray of their pixels."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if solid[labels[y, x]] > 0:
                gray, paper = np.float32(mean[y, x]), np.float32(paper_128[y >> 4, x >> 4])
                most = gray + _most_range(noise_32[y >> 2, x >> 2])
                below[y, x] = np.uint8(min(most, (gray + paper) / np.float32(2)))
