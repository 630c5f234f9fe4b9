"""Small PNGs that take much memory or time to read, and big ones."""

from __future__ import annotations

from collections.abc import Iterator

from testkit.corpora import png_variants as make
from testkit.corpora.png_cases import ACCEPT, EITHER, REJECT, Case
from testkit.png.pngs import GRAY, RGBA, chunk


def bombs() -> Iterator[Case]:
    yield from _text_bombs()
    yield from _pixel_bombs()


def big_bombs() -> Iterator[Case]:
    """Files of up to 10 MB that take seconds to make."""
    yield Case("big_50000_1bit", REJECT, "honest 2.5 Gpx", make.black(50000, 50000, 1, GRAY))
    yield Case("big_rgba16_9000", EITHER, "honest 648 MB", make.black(9000, 9000, 16, RGBA))
    long = make.png(8, 8, 8, GRAY, stream=make.zeros(1024 * make.MIB))
    yield Case("big_idat_1GB", EITHER, "8 x 8 pixels that inflate to 1 GB", long)
    many = make.png(before=chunk(b"abCd") * 700_000)
    yield Case("big_chunks_700k", EITHER, "700,000 empty chunks", many)
    bytewise = make.png(600, 400, level=0, split=1)
    yield Case("big_idat_split1", EITHER, "720,000 IDAT of one byte", bytewise)
    text = make.png(before=chunk(b"tEXt", b"k\0" + b"v" * (10 * make.MIB)))
    # Its size is no reason to refuse: nothing reads it, and its checksum takes milliseconds.
    yield Case("big_over_10MiB", ACCEPT, "10 MiB of text around a small picture", text)


def _text_bombs():
    bomb = make.zeros(64 * make.MIB)
    for kind, prefix in ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"icc\0\0")):
        png = make.png(before=chunk(kind, prefix + bomb))
        yield Case(f"bomb_{kind.decode()}", ACCEPT, "metadata that inflates to 64 MB", png)


def _pixel_bombs():
    yield Case("bomb_px_20000_1bit", REJECT, "honest 400 Mpx", make.black(20000, 20000, 1, GRAY))
    long = make.png(8, 8, 8, GRAY, stream=make.zeros(256 * make.MIB))
    yield Case("bomb_idat_256MB", EITHER, "8 x 8 pixels that inflate to 256 MB", long)
