"""The engine turns a PNG to the orientation at which Chromium shows it."""

from __future__ import annotations

from base64 import b64encode

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from app.binarize.turning import upright
from app.png.check import inspect
from app.png.exif import UPRIGHT
from app.png.limits import PngLimits
from testkit.images.exifs import CONTENTS, PLACES, exif
from testkit.png.pngs import IEND, Picture

STORED = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
CASES = {name: (exif(data), b"") for name, (data, _) in CONTENTS.items()}
CASES |= {name: (before, after) for name, (before, after, _) in PLACES.items()}
SHOWN = """async (url) => {
  const image = new Image();
  image.src = url;
  document.body.append(image);  // Chromium turns only images that are in a document
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: canvas.height }, (_, y) =>
    Array.from({ length: canvas.width }, (_, x) => data[4 * (y * canvas.width + x)]));
}"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Page:
    page = browser.new_page()
    page.set_content("<p>")
    return page


@pytest.mark.parametrize("case", CASES)
def test_a_page_is_turned_as_chromium_turns_it(blank: Page, case: str) -> None:
    before, after = CASES[case]
    png = Picture(STORED[..., np.newaxis], metadata=before).encode()
    png = png.removesuffix(IEND) + after + IEND

    shown = blank.evaluate(SHOWN, "data:image/png;base64," + b64encode(png).decode())

    orientation = inspect(png, PngLimits()).orientation
    assert shown == upright(STORED.copy(), orientation).tolist()
    assert orientation == UPRIGHT or shown != STORED.tolist()
