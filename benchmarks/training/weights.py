"""Write what was learned as whole numbers, with where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from app.page_maps import FEATURE_STEPS

#: Weights are kept in steps of this; see `app.surface` for why they are whole numbers.
WEIGHT_STEPS = 256


def write(path: Path, state: dict[str, Any], provenance: dict[str, Any]) -> None:
    arrays = {name: _whole(name, value.numpy()) for name, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half.npz")
    np.savez_compressed(half, provenance=np.array(json.dumps(provenance)), **arrays)
    half.rename(path)


def _whole(name: str, value: Any) -> Any:
    """Weights in steps of 1 / 256, biases in those of a product of weight and activation."""
    steps = WEIGHT_STEPS * FEATURE_STEPS if name.endswith("bias") else WEIGHT_STEPS
    shape = (value.shape[0], 9) if value.shape[2:] == (3, 3) else value.shape[:2]
    return np.rint(value * steps).reshape(shape).astype(np.int32)
