"""Straightening a photographed page: by pointer, by keys, or by the proposed corners."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from testkit.browser.browsing import READY_MS, act, check_page, choose, expect_state
from testkit.images.desks import HEIGHT, WIDTH, Scene, scenes
from testkit.images.photographs import jpeg, sheet, shows_sheet
from tests.browser.test_formats import expect_ready, originals

#: As a share of the page's shortest side.
TOLERANCE = 0.02
SEARCHED_PX = 400


def look(page: Page, scene: Scene) -> list[list[float]] | None:
    """The corners that the script finds in a copy of the size that its worker uses."""
    size = (round(WIDTH * SEARCHED_PX / HEIGHT), SEARCHED_PX)
    small = cv2.resize(scene.pixels, size, interpolation=cv2.INTER_AREA).min(axis=2)
    return page.evaluate(
        """async ([data, width, height]) => {
            const { findCorners } = await import("/static/convert/corners.js");
            const pixels = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
            return findCorners(pixels, width, height);
        }""",
        [b64encode(small).decode(), *size],
    )


def error(found: list[list[float]] | None, scene: Scene) -> float:
    """The largest error of a corner, as a share of the page's shortest side."""
    if found is None:
        return np.inf
    true = scene.corners * (WIDTH, HEIGHT)
    sides = np.linalg.norm(true - np.roll(true, 1, axis=0), axis=1)
    off = np.linalg.norm(np.array(found) * (WIDTH, HEIGHT) - true, axis=1)
    return float(off.max() / sides.min())


def test_the_proposal_is_right_for_nine_of_ten_pages(page: Page) -> None:
    drawn = scenes(20)

    errors = {f"{n} {scene.name}": error(look(page, scene), scene) for n, scene in enumerate(drawn)}

    wrong = {name: round(off, 3) for name, off in errors.items() if off > TOLERANCE}
    print(f"wrong: {wrong}; median error {np.median(list(errors.values())):.4f}")
    assert len(wrong) <= 2, wrong


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = scenes(1)[0]
    Image.fromarray(scene.pixels).save(tmp_path / "desk.jpg", quality=95)
    return scene


def ask_first(page: Page, *files: Path) -> Locator:
    page.get_by_label("Straighten and crop each photo before it is sent").check()
    choose(page, *files)
    dialog = page.get_by_role("dialog", name="Straighten and crop")
    expect(dialog).to_be_visible()
    return dialog


def test_the_proposal_is_applied_only_on_request(
    page: Page, url: str, scene: Scene, tmp_path: Path
) -> None:
    dialog = ask_first(page, tmp_path / "desk.jpg")

    corner = dialog.get_by_role("button", name="Upper left corner")
    expect(corner).to_have_accessible_name("Upper left corner: 0% across, 0% down")
    check_page(page, "straighten")
    dialog.get_by_role("button", name="Use the proposal").click()
    check_page(page, "straighten-proposed")
    dialog.get_by_role("button", name="Straighten and send").click()
    expect_ready(page, 1)

    straight = originals(page, url)["desk.jpg"]["picture"]
    sides = np.linalg.norm(np.diff(scene.corners * (WIDTH, HEIGHT), axis=0), axis=1)
    assert straight.size == pytest.approx((sides[[0, 2]].max(), sides[1]), rel=0.06)
    # The border of the result is paper: nothing of the desk is left.
    pixels = np.asarray(straight)
    border = np.concatenate([pixels[8], pixels[-9], pixels[:, 8], pixels[:, -9]])
    assert (border > 150).mean() > 0.98
    expect(page.locator(".numbers")).to_contain_text("was JPEG, straightened")


def test_corners_are_moved_by_keys_and_the_page_is_cropped_to_them(
    page: Page, url: str, tmp_path: Path
) -> None:
    """The sheet is upright, in the middle of a dark desk."""
    desk = Image.new("L", (400, 560), 40)
    desk.paste(sheet(), (100, 140))
    dialog = ask_first(page, jpeg(tmp_path / "desk.jpg", page=desk))

    steps = {
        "Upper left": "ArrowRight ArrowDown",
        "Upper right": "ArrowLeft ArrowDown",
        "Lower right": "ArrowLeft ArrowUp",
        "Lower left": "ArrowRight ArrowUp",
    }
    for name, keys in steps.items():
        corner = dialog.get_by_role("button", name=f"{name} corner")
        corner.focus()
        for key in keys.split():
            for _ in range(25):
                page.keyboard.press(key)
        expect(corner).to_be_focused()
    expect(dialog.get_by_role("status")).to_contain_text("Lower left corner: 25% across, 75% down")
    dialog.get_by_role("button", name="Straighten and send").press("Enter")
    expect_ready(page, 1)

    straight = originals(page, url)["desk.jpg"]["picture"]
    assert straight.size == (200, 280)
    assert shows_sheet(straight)


def test_corners_are_dragged_and_a_page_on_its_side_is_turned(
    page: Page, url: str, tmp_path: Path
) -> None:
    lying = Image.new("L", (560, 400), 40)
    lying.paste(sheet().transpose(Image.Transpose.ROTATE_90), (280, 200))
    dialog = ask_first(page, jpeg(tmp_path / "desk.jpg", page=lying))
    box = dialog.locator(".photo > canvas").first.bounding_box()
    assert box

    for name, (x, y) in {"Upper left": (1, 1), "Upper right": (2, 1), "Lower left": (1, 2)}.items():
        dialog.get_by_role("button", name=f"{name} corner").hover()
        page.mouse.down()
        page.mouse.move(box["x"] + x * box["width"] / 2, box["y"] + y * box["height"] / 2, steps=6)
        expect(dialog.locator(".loupe")).to_be_visible()
        page.mouse.up()
    expect(dialog.get_by_role("button", name="Upper left corner")).to_have_accessible_name(
        "Upper left corner: 50% across, 50% down"
    )
    dialog.get_by_role("button", name="Turn right").click()
    expect(dialog.get_by_role("button", name="Upper right corner")).to_have_accessible_name(
        "Upper right corner: 50% across, 50% down"
    )
    dialog.get_by_role("button", name="Straighten and send").click()
    expect_ready(page, 1)

    straight = originals(page, url)["desk.jpg"]["picture"]
    assert straight.size == pytest.approx((200, 280), abs=3)
    assert shows_sheet(straight)


def test_the_dialog_asks_about_each_photograph_until_the_rest_are_sent_as_they_are(
    page: Page, url: str, tmp_path: Path
) -> None:
    files = [jpeg(tmp_path / f"{name}.jpg") for name in "abc"]
    dialog = ask_first(page, *files)

    expect(dialog.locator("b")).to_have_text("a.jpg")
    expect(dialog.get_by_role("button", name="Use the proposal")).to_be_disabled()
    dialog.get_by_role("button", name="Send as it is").click()
    expect(dialog.locator("b")).to_have_text("b.jpg")
    dialog.get_by_role("button", name="This and the next as they are").click()

    expect_ready(page, 3)
    assert [
        n for n, image in originals(page, url).items() if not shows_sheet(image["picture"])
    ] == []


def test_straightening_a_ready_page_adds_a_new_image(page: Page, url: str, tmp_path: Path) -> None:
    choose(page, jpeg(tmp_path / "a.jpg"))
    sent = expect_state(page, "a.jpg", "Ready")

    act(sent, "Straighten")
    dialog = page.get_by_role("dialog", name="Straighten and crop")
    dialog.get_by_role("button", name="Turn right").click(timeout=READY_MS)
    dialog.get_by_role("button", name="Turn right").click()
    dialog.get_by_role("button", name="Straighten", exact=True).click()
    expect_ready(page, 2)

    first, second = page.evaluate("JSON.parse(localStorage['alvura.images'])")
    assert first != second
    turned = page.request.get(f"{url}/images/{first}/original").body()
    (tmp_path / "turned.png").write_bytes(turned)
    assert shows_sheet(Image.open(tmp_path / "turned.png").rotate(180))
