"""`auto` on pages that are mostly dark."""

from __future__ import annotations

import numpy as np
import pytest

from app.binarize.auto.reader import read
from testkit.images.pages import f_measure, noise, printed, scanned, text


@pytest.mark.parametrize("share", [0.12, 0.2, 0.4])
@pytest.mark.parametrize("desk", [40, 75])
def test_a_receipt_on_a_dark_desk_is_read(share: float, desk: int) -> None:
    side = int(1000 * share**0.5)
    ink, at = text(side, side, size_px=20), (1000 - side) // 2
    wood = desk + 8 * np.sin(np.arange(1000) / 11) + noise((1000, 1000), 4)
    inside = slice(at, at + side), slice(at, at + side)
    wood[inside] = printed(ink, paper=228, black=60) + noise(ink.shape, 4)

    reading = read(scanned(wood))

    assert (reading.kind, reading.inverted) == ("writing", False)
    rim = slice(12, -12), slice(12, -12)
    assert f_measure(reading.white[inside][rim], ink[rim]) >= 90


def test_light_words_on_a_dark_band_and_dark_words_beside_it_are_both_read() -> None:
    ink = text(600, 800)
    ink[:, :250] = 1 - ink[:, :250]

    reading = read(scanned(printed(ink, black=45) + noise(ink.shape, 2)))

    assert not reading.inverted
    for part in (slice(0, 240), slice(260, 800)):
        assert f_measure(reading.white[:, part], ink[:, part]) >= 93
        # What is light is legible, too: words on the band, paper beside it.
        assert f_measure(255 - reading.white[:, part], 1 - ink[:, part]) >= 90


def test_dark_slides_on_a_page_whose_other_half_is_empty_are_not_inverted() -> None:
    slide = text(300, 380, size_px=20)
    page = np.full((1060, 800), 245.0)
    spots = [(slice(top, top + 300), slice(20, 400)) for top in (40, 380, 720)]
    for spot in spots:
        page[spot] = printed(slide, paper=45, black=245)

    reading = read(scanned(page + noise(page.shape, 2)))

    assert not reading.inverted
    assert (reading.white[:, 420:] == 255).all()
    for spot in spots:
        assert f_measure(255 - reading.white[spot], slide) >= 85
