"""Photographs, TIFFs and PDFs of a sheet with known ink."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

WIDTH, HEIGHT, DPI = 200, 280, 300
#: The ink is at the top left, so that every rotation is visible.
INK = (20, 30, 120, 90)
_EXIF_ORIENTATION = 0x0112
#: The transposition that each EXIF orientation undoes.
_LAIN = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}


def sheet(paper: int = 235, ink: int = 30) -> Image.Image:
    """A gray page with a black bar."""
    page = Image.new("L", (WIDTH, HEIGHT), paper)
    ImageDraw.Draw(page).rectangle((INK[0], INK[1], INK[2] - 1, INK[3] - 1), fill=ink)
    return page


def shows_sheet(page: Image.Image) -> bool:
    """Whether *page* has dark ink where the sheet has it, at any size, and paper elsewhere."""
    pixels = np.asarray(page.convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[INK[1] + 3 : INK[3] - 3, INK[0] + 3 : INK[2] - 3] = True
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[INK[1] - 3 : INK[3] + 3, INK[0] - 3 : INK[2] + 3] = False
    return bool(pixels[inside].max() < 90 and pixels[outside].min() > 180)


def jpeg(path: Path, *, orientation: int = 1, page: Image.Image | None = None, **how: Any) -> Path:
    """A colour JPEG as a camera held in *orientation* stores it."""
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = orientation
    lain, turn = (page or sheet()).convert("RGB"), _LAIN[orientation]
    (lain.transpose(turn) if turn is not None else lain).save(path, exif=exif, quality=92, **how)
    return path


def noisy(width: int, height: int, *, seed: int = 1) -> Image.Image:
    """The sheet as a large, noisy photograph that hardly compresses."""
    pixels = np.asarray(sheet().resize((width, height)), np.int16)
    noise = np.random.default_rng(seed).normal(0, 5, (height, width))
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


# --- PDF -----------------------------------------------------------------------------------------


def pdf_of(*pictures: tuple[str, bytes]) -> bytes:
    """A PDF with one page per picture (dictionary entries, stream), at DPI."""
    box = f"{WIDTH * 72 / DPI:g} {HEIGHT * 72 / DPI:g}"
    pages = []
    for n, (about, data) in enumerate(pictures):
        contents = f"{box.replace(' ', ' 0 0 ')} 0 0 cm /Im Do".encode()
        size = f"/Width {WIDTH} /Height {HEIGHT}"
        image = f"/Type /XObject /Subtype /Image {size} {about}"
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {box}] /Contents {4 + 3 * n} 0 R "
            f"/Resources << /XObject << /Im {5 + 3 * n} 0 R >> >> >>"
        )
        pages += [page.encode(), stream("", contents), stream(image, data)]
    return _pdf(pages)


def pdf_of_text(words: str) -> bytes:
    """A PDF with *words* in Helvetica, not embedded: every PDF reader must have it."""
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 100] /Contents 4 0 R /Resources "
        b"<< /Font << /F 5 0 R >> >> >>"
    )
    contents = f"BT /F 40 Tf 10 40 Td ({words}) Tj ET".encode()
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
    return _pdf([page, stream("", contents), font])


def stream(about: str, data: bytes) -> bytes:
    return f"<< {about} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _pdf(pages: list[bytes]) -> bytes:
    kids = " ".join(f"{n} 0 R" for n in range(3, 3 + len(pages), 3))
    tree = f"<< /Type /Pages /Count {len(pages) // 3} /Kids [{kids}] >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", tree.encode(), *pages]
    made, offsets = b"%PDF-1.7\n", []
    for n, content in enumerate(objects, 1):
        offsets.append(len(made))
        made += b"%d 0 obj\n" % n + content + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    count = len(objects) + 1
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n"
    return made + f"{end}startxref\n{len(made)}\n%%EOF\n".encode()


def pictures() -> dict[str, tuple[str, bytes]]:
    """The sheet, encoded by every filter that scanners use in PDFs."""
    gray = "/ColorSpace /DeviceGray /BitsPerComponent"
    fax = fax_of(sheet())
    return {
        "DCTDecode": (f"{gray} 8 /Filter /DCTDecode", _encoded(sheet(), "JPEG")),
        "JPXDecode": ("/Filter /JPXDecode", _encoded(sheet(), "JPEG2000")),
        "CCITTFaxDecode": (
            f"{gray} 1 /Filter /CCITTFaxDecode /DecodeParms "
            f"<< /K -1 /Columns {WIDTH} /Rows {HEIGHT} >>",
            fax,
        ),
        "JBIG2Decode": (f"{gray} 1 /Filter /JBIG2Decode", jbig2_of(fax)),
    }


def _encoded(page: Image.Image, kind: str) -> bytes:
    made = BytesIO()
    page.save(made, kind)
    return made.getvalue()


def fax_of(page: Image.Image) -> bytes:
    """*page* by ITU-T T.6, ink as black runs: the one strip of a TIFF."""
    made = BytesIO()
    black = ImageOps.invert(page).point(lambda value: 255 * (value > 127)).convert("1")
    black.save(made, "TIFF", compression="group4", tiffinfo={278: page.height})
    made.seek(0)
    tags = TiffImageFile(made).tag_v2
    (start,), (length,) = tags[273], tags[279]
    return made.getvalue()[start : start + length]


def jbig2_of(fax: bytes) -> bytes:
    """A page and one region, coded as a fax is (ITU-T T.88, sections 7.4.6 and 7.4.8)."""
    size = struct.pack(">II", WIDTH, HEIGHT)
    page = size + struct.pack(">IIBH", 0, 0, 0, 0)
    region = size + struct.pack(">IIBB", 0, 0, 0, 1) + fax
    segments = enumerate(((48, page), (38, region)))
    return b"".join(struct.pack(">IBBBI", n, kind, 0, 1, len(x)) + x for n, (kind, x) in segments)
