"""Draw pages of every kind into shards.

    python -m benchmarks.training.drawing FOLDER [--shards 10] [--held-out]

A shard is an .npz of SHARD_PAGES pages that are padded to one size; the same seed gives the same.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from . import archive, fine, more, office  # noqa: F401 - they enter their kinds
from .kinds import KINDS
from .sheet import Rng, require_fonts
from .spoil import scanned

SHARD_PAGES: Final = 60
SOURCES: Final = ("kinds", "sheet", "spoil", "office", "more", "archive", "fine", "drawing")


def drawn(rng: Rng, name: str) -> tuple[Any, Any]:
    """(gray, truth) of one page of this kind, spoiled."""
    chosen = KINDS[name]
    return scanned(chosen.draw(rng), hard=chosen.hard)


def pages(seed: int, count: int, *, held_out: bool = False) -> Iterator[tuple[str, Any, Any]]:
    """(kind, gray, truth) of *count* pages: of the kinds that are trained on, or of the others."""
    names = [n for n, k in KINDS.items() if k.is_held_out == held_out]
    weights = np.array([KINDS[n].weight for n in names])
    chosen = np.random.default_rng([seed, int(held_out)]).choice(
        names, count, p=weights / weights.sum()
    )
    for number, name in enumerate(chosen.tolist()):
        # Of its own random numbers each, so that a change of one kind leaves the others.
        yield name, *drawn(np.random.default_rng([seed, int(held_out), number]), name)


def drawing_code() -> str:
    """A hash of the code that draws, for the provenance of the weights."""
    return hash_of(SOURCES)


def hash_of(modules: Iterable[str]) -> str:
    """A hash of what these modules of this package do, whatever their layout and prose."""
    folder = Path(__file__).parent
    trees = (ast.parse((folder / f"{name}.py").read_text()) for name in modules)
    return hashlib.sha256("".join(map(_without_prose, trees)).encode()).hexdigest()[:16]


def _without_prose(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return ast.dump(tree)


def shard(folder: Path, seed: int) -> Path:
    """The file of this shard, drawn if it is not there."""
    path = folder / f"{drawing_code()}-{seed:04d}.npz"
    if not path.exists():
        require_fonts()
        names, grays, truths = zip(*pages(seed, SHARD_PAGES), strict=True)
        arrays = {f"gray{i}": g for i, g in enumerate(grays)}
        arrays |= {f"truth{i}": t for i, t in enumerate(truths)}
        folder.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half.npz")
        np.savez(half, names=np.array(names), **arrays)
        half.rename(path)
    return path


def load(path: Path) -> list[tuple[str, Any, Any]]:
    with np.load(path) as file:
        names = file["names"].tolist()
        return [(n, file[f"gray{i}"], file[f"truth{i}"]) for i, n in enumerate(names)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for seed in range(arguments.first, arguments.first + arguments.shards):
        print(shard(arguments.folder, seed), flush=True)


if __name__ == "__main__":
    main()
