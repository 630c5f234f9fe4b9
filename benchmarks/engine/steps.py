"""Median CPU milliseconds of each step of `auto`, and what colour adds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Final

from app.binarize.auto.reader import read
from app.binarize.color import darken_thin_color
from app.image_processor import encode_page
from app.png.check import inspect
from app.png.decode import decode
from app.png.format import PngInfo
from app.png.limits import PngLimits

Step = Callable[[], object]
ROUNDS: Final = 11


def report(pages: dict[str, bytes], limits: PngLimits) -> None:
    print("\n### Where the time goes, CPU ms\n")
    print("| | inspect | decode | with colour | colour, times | `auto` | encode |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for title, data in pages.items():
        ms = {name: _median_ms(step) for name, step in _steps(data, inspect(data, limits), limits)}
        in_color = ms["with colour"] / ms["decode"]
        print(
            f"| {title} | {ms['inspect']:.1f} | {ms['decode']:.1f} | {ms['with colour']:.1f} "
            f"| {in_color:.2f} | {ms['auto']:.1f} | {ms['encode']:.1f} |"
        )


def _steps(data: bytes, info: PngInfo, limits: PngLimits) -> list[tuple[str, Step]]:
    gray = decode(data, info).gray
    white = read(gray).white
    return [
        ("inspect", lambda: inspect(data, limits)),
        ("decode", lambda: decode(data, info)),
        ("with colour", lambda: _decoded_with_color(data, info)),
        ("auto", lambda: read(gray)),
        ("encode", lambda: encode_page(white, None)),
    ]


def _decoded_with_color(data: bytes, info: PngInfo) -> None:
    page = decode(data, info, with_chroma=True)
    if page.chroma is not None:
        darken_thin_color(page.gray, page.chroma)


def _median_ms(step: Step) -> float:
    spent = []
    for _ in range(ROUNDS + 1):
        started = time.process_time()
        step()
        spent.append((time.process_time() - started) * 1000)
    # The first round warms up.
    return statistics.median(spent[1:])
