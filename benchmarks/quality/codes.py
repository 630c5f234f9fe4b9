"""Codes above print, in three sizes, each degraded in six ways, to be read by zxing-cpp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from testkit.images.pages import jpeg, noise, printed, scanned, shadow

from .printed_pages import SERIF, blurred, typeset

KINDS_OF_CODE: Final = ("QRCode", "DataMatrix", "Code128")
MODULES_PX: Final = (3, 4, 6)


def codes(zxing: Any, draw: int = 0) -> Iterator[tuple[str, str, Any]]:
    """(kind, text, gray page) of codes in three sizes, each degraded in six ways.

    Each *draw* has other texts and other noise.
    """
    for kind in KINDS_OF_CODE:
        sizes = [(module, way) for module in MODULES_PX for way in range(6)]
        for number, (module, way) in enumerate(sizes, len(sizes) * draw):
            is_bars = kind == "Code128"
            text = f"NF{number:03d}-004217" if is_bars else f"NF{number:03d}-{kind[:3]}-2019/04/17"
            dark = _code(zxing, kind, text, (module + 1) // 2 if is_bars else module)
            ink = typeset(SERIF, 18, (440, 640))[0]
            ink[: 84 + len(dark)] = 0
            ink[60 : 60 + len(dark), 60 : 60 + dark.shape[1]] = dark
            yield kind, text, scanned(_spoiled_code(ink, way, draw))


def _code(zxing: Any, kind: str, text: str, scale: int) -> Any:
    barcode = zxing.create_barcode(text, getattr(zxing.BarcodeFormat, kind))
    image = np.array(zxing.write_barcode_to_image(barcode, scale=scale, add_quiet_zones=True))
    image = image[..., 0] if image.ndim == 3 else image
    if len(image) < 60:
        image = np.repeat(image, 60 // len(image) + 1, 0)
    return image[:370, :570] < 128


def _spoiled_code(ink: Any, way: int, draw: int) -> Any:
    def grain(deviation: float) -> Any:
        return noise(ink.shape, deviation, seed=2 + draw)

    light, dim, dark = (shadow(ink.shape, d) for d in (0.45, 0.5, 0.15))
    ways: list[Callable[[], Any]] = [
        lambda: printed(ink) + grain(3),
        lambda: blurred(printed(ink), 1.0) + grain(4),
        lambda: jpeg(blurred(printed(ink) * light, 0.8) + grain(5), 60),
        lambda: printed(ink, paper=215, black=70) + grain(20),
        lambda: printed(ink, paper=190, black=120) * dim + grain(4),
        lambda: printed(ink) * dark + grain(3),
    ]
    return ways[way]()
