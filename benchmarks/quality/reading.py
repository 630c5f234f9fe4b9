"""Measure what Tesseract and code readers still read on black-and-white pages.

    python -m benchmarks.quality.reading [--draws 12]

--draws N also counts the codes that `auto` loses in N sets of 54, with other noise and texts.
Needs Debian's tesseract-ocr, tesseract-ocr-por, fonts-liberation and fonts-dejavu-core, and
zxing-cpp from PyPI.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.binarize.methods import binarize
from testkit.images.pages import jpeg, noise, printed, scanned, shadow

Binarizer = Callable[[Any], Any]

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
SHAPE: Final = (760, 1000)
SCALE: Final = 3
KINDS_OF_CODE: Final = ("QRCode", "DataMatrix", "Code128")
MODULES_PX: Final = (3, 4, 6)


def blurred(page: Any, deviation_px: float) -> Any:
    return cv2.GaussianBlur(page, (0, 0), deviation_px)


def typeset(font: Path, size: int, shape: tuple[int, int] = SHAPE) -> tuple[Any, str]:
    """The (ink coverage of each pixel, text) of a typeset page."""
    height, width = shape
    image = Image.new("L", (width * SCALE, height * SCALE))
    draw, face = ImageDraw.Draw(image), ImageFont.truetype(font, size * SCALE)
    words, lines, y, used = TEXT.split(), [], 30, 0
    while y < height - 2 * size and used < 400:
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


def pages() -> Iterator[tuple[str, Any, str]]:
    """(name, gray page, text) of twelve printed pages, each degraded in another way."""
    cells = np.random.default_rng(4).random((40, 52)).astype(np.float32)
    texture = cv2.resize(cells, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    back = blurred(typeset(SANS, 24)[0][:, ::-1], 2)
    for name, font, size, spoil in _spoiled(texture, back, _stain()):
        ink, text = typeset(font, size)
        yield name, scanned(spoil(ink)), text


def _stain() -> Any:
    stain = np.zeros(SHAPE, np.float32)
    cv2.circle(stain, (420, 330), 210, 1, -1)
    cv2.circle(stain, (760, 520), 150, 1, 18)
    return blurred(stain, 4)


def _spoiled(texture: Any, back: Any, stain: Any) -> list[tuple[str, Path, int, Binarizer]]:
    def grain(deviation: float) -> Any:
        return noise(SHAPE, deviation)

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
            + noise(SHAPE, 6, grain_px=1),
        ),
        ("jpeg 15", SANS, 18, lambda k: jpeg(printed(k), 15)),
        ("negative", SERIF, 24, lambda k: 255 - printed(k) + grain(4)),
    ]  # fmt: skip


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


def distance(a: str, b: str) -> int:
    """The Levenshtein distance: letters to insert, delete or replace."""
    letters = np.array([ord(c) for c in b])
    row = np.arange(len(b) + 1)
    places = np.arange(len(b) + 1)
    for number, letter in enumerate(a, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(letter)))
        values = np.concatenate([[number], changed])
        row = np.minimum.accumulate(values - places) + places
    return int(row[-1])


def read(page: Any) -> str:
    """The text that Tesseract reads."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        cv2.imwrite(file.name, page)
        command = ["tesseract", file.name, "-", "-l", "por", "--psm", "6", "--dpi", "200"]
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return " ".join(run.stdout.split())


def report(methods: dict[str, Binarizer]) -> None:
    """Print the recognition results per page or code, and method."""
    print("\n### Character errors of Tesseract, percent\n")
    _print_table(methods, errors(methods), "{:.2f}")
    print("\n### Codes read by zxing-cpp, of 18 each\n")
    _print_table(methods, codes_read(methods), "{}")


def _print_table(
    methods: dict[str, Binarizer], found: dict[str, dict[str, float]], form: str
) -> None:
    print(f"| | {' | '.join(methods)} |\n|---|{'---:|' * len(methods)}")
    for title, values in found.items():
        print(f"| {title} | {' | '.join(form.format(v) for v in values.values())} |")


def errors(methods: dict[str, Binarizer]) -> dict[str, dict[str, float]]:
    """The share of wrong characters per page and method, in percent; empty without Tesseract."""
    found: dict[str, dict[str, float]] = {}
    if not shutil.which("tesseract"):
        sys.stderr.write("Print is not read: no tesseract.\n")
        return found
    for title, gray, text in pages():
        wanted = " ".join(text.split())
        found[title] = {
            name: 100 * distance(wanted, read(method(gray.copy()))) / len(wanted)
            for name, method in methods.items()
        }
    return found


def codes_read(methods: dict[str, Binarizer]) -> dict[str, dict[str, float]]:
    """The number of codes read, of 18, per kind and method; empty without zxing-cpp."""
    try:
        zxing = importlib.import_module("zxingcpp")
    except ImportError:
        sys.stderr.write("Codes are not read: no zxing-cpp.\n")
        return {}
    found: dict[str, dict[str, float]] = {k: dict.fromkeys(methods, 0) for k in KINDS_OF_CODE}
    for kind, text, gray in codes(zxing):
        for name, method in methods.items():
            page = np.ascontiguousarray(method(gray.copy()))
            found[kind][name] += any(b.text == text for b in zxing.read_barcodes(page))
    return found


def lost_codes(method: Binarizer, draws: int) -> tuple[int, int]:
    """The number of codes that are readable in gray, and how many of them *method* loses."""
    zxing = importlib.import_module("zxingcpp")

    def is_read(page: Any, text: str) -> bool:
        return any(b.text == text for b in zxing.read_barcodes(np.ascontiguousarray(page)))

    readable = [
        (text, gray)
        for draw in range(draws)
        for _, text, gray in codes(zxing, draw)
        if is_read(gray, text)
    ]
    return len(readable), sum(not is_read(method(gray.copy()), text) for text, gray in readable)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=0, help="sets of 54 codes for `auto`")
    draws = parser.parse_args().draws
    report({"gray": lambda gray: gray})
    if draws:
        readable, lost = lost_codes(lambda gray: binarize(gray, "auto", {})[0], draws)
        print(f"\n{readable} codes of {draws} draws are read in gray; `auto` loses {lost}.")


if __name__ == "__main__":
    main()
