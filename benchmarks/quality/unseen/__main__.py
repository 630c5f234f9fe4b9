"""Judge `auto` on everyday pages of kinds that its training never saw.

    python -m benchmarks.quality.unseen [--kinds A,B] [--seeds 3] [--against FILE.npz]...

These pages were drawn without a look at the training's, so that the figures are those that a
stranger's pages may get. Marks: the share of the black marks of which at least half came out
black. F: the F-measure. Both in percent, means over the seeds. --against adds a column for each
file of weights; --pictures FOLDER keeps each page as scan, truth and result side by side.
Deterministic; needs the fonts of requirements/fonts.apt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.binarize.auto.reader import read
from app.binarize.auto.surface import WEIGHTS_FILE, weights
from benchmarks.quality import everyday
from benchmarks.quality.unseen import KINDS, drawn
from benchmarks.report.rows import rows


def main() -> None:
    arguments = _arguments()
    cv2.setNumThreads(1)
    head = ["kind", "auto: marks / F", *map(str, arguments.against)]
    for line in rows(head, _body(arguments)):
        print(line, flush=True)


def _body(arguments: argparse.Namespace) -> Iterator[list[str]]:
    files, means = [WEIGHTS_FILE, *arguments.against], []
    for kind in arguments.kinds:
        found = [_scores(kind, seed, files, arguments.pictures) for seed in range(arguments.seeds)]
        means.append(np.mean(found, axis=0))
        yield [kind, *_cells(means[-1])]
    yield ["**mean**", *_cells(np.mean(means, axis=0))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", type=_kinds, default=list(KINDS), help="names, by commas")
    parser.add_argument("--seeds", type=int, default=3, help="pages of each kind")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="FILE.npz")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    return parser.parse_args()


def _kinds(names: str) -> list[str]:
    unknown = sorted(set(names.split(",")) - set(KINDS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(KINDS)}")
    return names.split(",")


def _scores(
    kind: str, seed: int, files: Sequence[Path], pictures: Path | None
) -> list[tuple[float, float]]:
    """Marks kept and F-measure of one page, in percent, by each file of weights."""
    sheet = drawn(kind, seed)
    scan = sheet.scanned()
    gray = everyday.gray(scan, with_color=True)
    results = [read(gray, weights(path)).white for path in files]
    if pictures:
        _keep(pictures / f"{kind}-{seed}.png", scan, sheet.truth, results)
    scores = [everyday.score(sheet.truth, white) for white in results]
    return [(100 * score["marks"], score["f"]) for score in scores]


def _keep(path: Path, scan: Any, truth: Any, results: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grays = [cv2.cvtColor(each, cv2.COLOR_GRAY2BGR) for each in (truth, *results)]
    cv2.imwrite(str(path), np.hstack([scan[..., ::-1], *grays]))


def _cells(figures: Any) -> list[str]:
    return [f"{marks:.1f} / {f:.1f}" for marks, f in figures]


if __name__ == "__main__":
    main()
