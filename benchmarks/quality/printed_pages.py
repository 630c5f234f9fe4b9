"""Printed pages whose text is known, each degraded in another way, to be read by Tesseract.

Needs Debian's fonts-liberation and fonts-dejavu-core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from testkit.images.pages import jpeg, noise, printed, scanned, shadow

Spoil = Callable[[Any], Any]

TEXT: Final = (
    "Senhor Diretor, venho por meio desta solicitar a emissão da segunda via da nota fiscal número "
    "4827, de 17 de abril de 2019, referente à compra de três máquinas de costura industriais. "
    "O pagamento foi efetuado à vista, no valor de R$ 12.450,90, conforme recibo anexo. Informo "
    "ainda que a entrega ocorreu com atraso de dez dias úteis, o que nos causou prejuízo na linha "
    "de produção. Solicitamos, portanto, a revisão das condições contratuais e o abatimento "
    "proporcional previsto na cláusula oitava. Aguardamos resposta no prazo de quinze dias, sob "
    "pena de adotarmos as medidas cabíveis. Atenciosamente, Joaquim Araújo, gerente de compras."
)
FONTS: Final = Path("/usr/share/fonts/truetype")
SERIF: Final = FONTS / "liberation/LiberationSerif-Regular.ttf"
ITALIC: Final = FONTS / "liberation/LiberationSerif-Italic.ttf"
MONO: Final = FONTS / "liberation/LiberationMono-Regular.ttf"
SANS: Final = FONTS / "dejavu/DejaVuSans.ttf"
#: The faces and the difference in size of draws after the first, in turn.
FACES: Final = (SERIF, SANS, FONTS / "dejavu/DejaVuSerif.ttf", MONO, ITALIC,
                FONTS / "liberation/LiberationSans-Regular.ttf")  # fmt: skip
LARGER_PX: Final = (-2, 3, -1, 6, 1)
SHAPE: Final = (760, 1000)
SCALE: Final = 3


def blurred(page: Any, deviation_px: float) -> Any:
    return cv2.GaussianBlur(page, (0, 0), deviation_px)


def typeset(
    font: Path, size: int, shape: tuple[int, int] = SHAPE, *, first_word: int = 0
) -> tuple[Any, str]:
    """The (ink coverage of each pixel, text) of a typeset page."""
    height, width = shape
    image = Image.new("L", (width * SCALE, height * SCALE))
    draw, face = ImageDraw.Draw(image), ImageFont.truetype(font, size * SCALE)
    words, lines, y, used = TEXT.split(), [], 30, first_word
    while y < height - 2 * size and used < first_word + 400:
        line = ""
        while True:
            longer = f"{line} {words[used % len(words)]}".strip()
            if draw.textlength(longer, face) >= (width - 80) * SCALE:
                break
            line, used = longer, used + 1
        draw.text((40 * SCALE, y * SCALE), line, 255, face)
        lines.append(line)
        y += int(size * 1.6)
    ink = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
    return ink / 255.0, "\n".join(lines)


def pages(draw: int = 0) -> Iterator[tuple[str, Any, str]]:
    """(name, gray page, text) of twelve printed pages, each degraded in another way.

    Each *draw* has other texts and other noise, and after the first, other faces and sizes.
    """
    cells = np.random.default_rng(4 + draw).random((40, 52)).astype(np.float32)
    texture = cv2.resize(cells, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    back = blurred(typeset(SANS, 24, first_word=11 * draw)[0][:, ::-1], 2)
    ways = _spoiled(texture, back, _stain(), draw)
    for number, (name, font, size, spoil) in enumerate(ways):
        if draw:
            font = FACES[(number + draw) % len(FACES)]
            size += LARGER_PX[draw % len(LARGER_PX)]
        ink, text = typeset(font, size, first_word=7 * draw)
        yield name, scanned(spoil(ink)), text


def _stain() -> Any:
    stain = np.zeros(SHAPE, np.float32)
    cv2.circle(stain, (420, 330), 210, 1, -1)
    cv2.circle(stain, (760, 520), 150, 1, 18)
    return blurred(stain, 4)


def _spoiled(texture: Any, back: Any, stain: Any, draw: int) -> list[tuple[str, Path, int, Spoil]]:
    def grain(deviation: float) -> Any:
        return noise(SHAPE, deviation, seed=2 + draw)

    light, dark = shadow(SHAPE), shadow(SHAPE, 0.2)
    return [
        ("clean 24", SERIF, 24, lambda k: printed(k) + grain(3)),
        ("small 14 blurred", SERIF, 14, lambda k: blurred(printed(k), 0.8) + grain(3)),
        ("blurred 1.3", SANS, 18, lambda k: blurred(printed(k), 1.3) + grain(3)),
        ("camera", SERIF, 22, lambda k: jpeg(blurred(printed(k) * light, 0.9) + grain(5), 70)),
        ("dark corner", SANS, 20, lambda k: printed(k) * dark + grain(3)),
        ("noisy", SERIF, 24, lambda k: printed(k, paper=220, black=60) + grain(22)),
        ("pale", SERIF, 22, lambda k: printed(k, paper=225, black=180) + grain(4)),
        ("show-through", SERIF, 24, lambda k: printed(k) - 90 * back * (1 - k) + grain(4)),
        ("stained", MONO, 20, lambda k: printed(k) * (1 - 0.45 * stain) + grain(4)),
        (
            "old paper", ITALIC, 24,
            lambda k: printed(k, paper=200, black=90) * (0.75 + 0.25 * texture)
            + noise(SHAPE, 6, grain_px=1, seed=2 + draw),
        ),
        ("jpeg 15", SANS, 18, lambda k: jpeg(printed(k), 15)),
        ("negative", SERIF, 24, lambda k: 255 - printed(k) + grain(4)),
    ]  # fmt: skip
