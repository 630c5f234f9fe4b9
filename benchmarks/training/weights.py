"""Write what was learned as whole numbers, with where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.binarize.auto.page_maps import FEATURE_STEPS, cells_of, page_maps
from app.binarize.auto.surface import surface

#: Weights are kept in steps of this; `app.binarize.auto.surface` says why.
WEIGHT_STEPS = 256
#: The output that says how sharp to look.
SHARPNESS = 9


def write(path: Path, state: dict[str, Any], provenance: dict[str, Any]) -> None:
    arrays = {name: _whole(name, value.numpy()) for name, value in state.items()}
    provenance = {**provenance, "reader": reader_digest(arrays)}
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half.npz")
    np.savez_compressed(half, provenance=np.array(json.dumps(provenance)), **arrays)
    half.rename(path)


def reader_digest(arrays: Mapping[str, Any]) -> str:
    """What `auto` makes of a page with weights of these shapes that nobody learned.

    It changes if the reader sees or computes anything else than when the weights were written:
    then these have to be learned anew.
    """
    y, x = np.mgrid[0:256, 0:320]
    page = ((y * y * 3 + x * x * 5 + x * y * 2) // 97 % 256).astype(np.uint8)
    page[100:180, 60:250] = 230 - (y * x)[100:180, 60:250] // 700
    page[130:140, 80:230:7] = 40
    made = {
        name: ((np.arange(array.size) * 7919 + 13) % 121 - 55).reshape(array.shape)
        for name, array in sorted(arrays.items())
    }
    # So that the sharpness comes to its limits.
    made["leave.weight"][SHARPNESS] *= 20
    learned = {name: np.ascontiguousarray(array, np.float32) for name, array in made.items()}
    parts = surface(page_maps(cells_of(page)), learned)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def _whole(name: str, value: Any) -> Any:
    """Weights in steps of 1 / 256, biases in those of a product of weight and activation."""
    steps = WEIGHT_STEPS * FEATURE_STEPS if name.endswith("bias") else WEIGHT_STEPS
    shape = (value.shape[0], 9) if value.shape[2:] == (3, 3) else value.shape[:2]
    return np.rint(value * steps).reshape(shape).astype(np.int32)
