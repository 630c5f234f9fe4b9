"""Fit the weights that tell photographs from documents: app/binarize/auto/photograph.py.

    python -m benchmarks.training.photograph_rule FOLDER [--pages 1200]

A logistic regression on the photographs of benchmarks.quality.photographs, which says what FOLDER
holds, and on drawn pages of the kinds that train, all of them as they are and altered. It prints
the weights, scaled to 1 for strong changes, and the limit below which at most FALSE_ALARMS of the
altered pages are; it changes nothing. Needs requirements/training.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from tqdm import tqdm

from app.binarize.auto.photograph import MOST_LIKE_WRITING, WEIGHTS, evidence
from app.binarize.auto.reader import seen
from benchmarks.quality.photographs import WAYS, photographs
from testkit.images.pages import scanned

from . import drawing

#: Not the pages that train the network, nor those that judge it.
SEED: Final = 9_000
#: A page in dots is worse than a photograph in blots.
FALSE_ALARMS: Final = 0.007
#: The penalty of large weights: the photographs are few.
RIDGE: Final = 3e-4
STRONG: Final = 1


def found_in(gray: Any) -> tuple[float, ...] | None:
    """The evidence on this page, as `reader.read` weighs it."""
    page, maps, vote, has_ink, _ = seen(gray)
    return evidence(maps, page.shape, vote=vote, has_ink=has_ink)


def _found(grays: Iterator[Any]) -> list[tuple[float, ...] | None]:
    return [found_in(scanned(way(gray))) for gray in grays for way in WAYS.values()]


def fitted(photos: Any, pages: Any) -> Any:
    """The weights of a logistic regression for a page; both kinds count the same."""
    both = torch.tensor(np.concatenate([photos, pages]), dtype=torch.float64)
    is_page = torch.tensor([0.0] * len(photos) + [1.0] * len(pages), dtype=torch.float64)
    shares = torch.tensor([1 / len(photos)] * len(photos) + [1 / len(pages)] * len(pages))
    line = torch.zeros(both.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([line], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> Any:
        solver.zero_grad()
        z = both @ line[:-1] + line[-1]
        wrong = F.binary_cross_entropy_with_logits(z, is_page, shares, reduction="sum")
        (wrong + RIDGE * (line[:-1] ** 2).sum()).backward()
        return wrong

    solver.step(loss)
    return line[:-1].detach().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=1200)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    drawing.require_fonts()
    photos = _found(iter(tqdm(photographs(arguments.folder))))
    drawn = drawing.pages(SEED, arguments.pages)
    pages = _found(gray for _, gray, _ in tqdm(drawn, total=arguments.pages))
    _print(photos, pages)


def _print(photos: list[Any], pages: list[Any]) -> None:
    like_photos, like_pages = (np.array([f for f in found if f]) for found in (photos, pages))
    weights = fitted(like_photos, like_pages)
    weights /= weights[STRONG]
    rank = max(1, round(FALSE_ALARMS * len(pages)))
    limit = float(np.sort(like_pages @ weights)[rank])
    print("weights", *weights.round(2), "limit", round(limit, 2))
    for title, line, most in (
        ("in use", np.array(WEIGHTS), MOST_LIKE_WRITING),
        ("fitted", weights, limit),
    ):
        right, wrong = (int((found @ line < most).sum()) for found in (like_photos, like_pages))
        print(f"{title}: {right} of {len(photos)} photographs, {wrong} of {len(pages)} pages")


if __name__ == "__main__":
    main()
