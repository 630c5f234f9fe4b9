"""Measure each method at the extremes of its parameters, on pages of the largest size.

    python -m benchmarks.engine.method_cost [--megapixels 40]

Prints CPU seconds on a blank, a noisy and a text page, and the largest ratio to the same method's
defaults. One thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.binarize.methods import binarize
from app.domain.methods import METHODS, Method
from benchmarks.engine.text_pages import A4_RATIO, drawn_text

Page = NDArray[np.uint8]


def pages(megapixels: float) -> list[Page]:
    """A blank page, a noisy page and a page of text."""
    height = round((megapixels * 1e6 * A4_RATIO) ** 0.5)
    width = round(height / A4_RATIO)
    noise = np.random.default_rng(1).normal(215, 9, (height, width))
    blank = np.full((height, width), 255, np.uint8)
    return [blank, np.clip(noise, 0, 255).astype(np.uint8), drawn_text(width, height)]


def settings_of(method: Method) -> Iterator[tuple[str, dict[str, float]]]:
    yield "default", {}
    for parameter in method.parameters:
        for value in (parameter.minimum, parameter.maximum):
            yield f"{parameter.name} {value:g}", {parameter.name: value}


def cost_s(page: Page, method: Method, given: dict[str, float]) -> float:
    started = time.process_time()
    binarize(page, method.name, method.parse(given))
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=40)
    drawn = pages(parser.parse_args().megapixels)
    print("| method | parameter | blank | noisy | text | times the default |")
    print("|---|---|---:|---:|---:|---:|")
    for method in METHODS.values():
        usual: list[float] = []
        for name, given in settings_of(method):
            times_s = [cost_s(page, method, given) for page in drawn]
            usual = usual or times_s
            ratio = max(now / then for now, then in zip(times_s, usual, strict=True))
            shown = " | ".join(f"{seconds:.2f}" for seconds in times_s)
            print(f"| {method.name} | {name} | {shown} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
