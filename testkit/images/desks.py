"""Draw photographs of a printed page on a desk, with known corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 900, 1200
_PAGE = (620, 877)


@dataclass(frozen=True)
class Scene:
    """*pixels*: (H, W, 3) RGB uint8; *corners*: (4, 2) of 0 to 1, clockwise from the top left."""

    name: str
    pixels: Any
    corners: Any


def scenes(count: int = 20, seed: int = 7) -> list[Scene]:
    """Scenes with each desk, light and hand in turn, and a random angle and perspective."""
    rng = np.random.default_rng(seed)
    desks = (wood, dark, fabric, tiles, pale)
    lights = (even, lamp, shadow)
    return [draw(desks[n % len(desks)], lights[n % len(lights)], rng) for n in range(count)]


def draw(desk: Any, light: Any, rng: Any) -> Scene:
    corners = _quad(rng)
    page = _printed(rng)
    flat = np.array([[0, 0], [_PAGE[0], 0], _PAGE, [0, _PAGE[1]]], np.float32)
    warp = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    warped = cv2.warpPerspective(page, warp, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.ones(page.shape[:2], np.float32), warp, (WIDTH, HEIGHT))
    ground = desk(rng)
    # The page has a soft shadow under it.
    under = cv2.GaussianBlur(np.roll(mask, (8, 6), (0, 1)), (0, 0), 9)[..., None]
    scene = ground * (1 - 0.35 * under) * (1 - mask[..., None]) + warped * mask[..., None]
    scene = cv2.GaussianBlur(scene * light(rng)[..., None], (0, 0), 1.1)
    scene = scene + rng.normal(0, 4, scene.shape)
    pixels = np.clip(scene, 0, 255).astype(np.uint8)
    return Scene(f"{desk.__name__}, {light.__name__}", pixels, corners / (WIDTH, HEIGHT))


def _quad(rng: Any) -> Any:
    """The corners of an A4 page, turned by up to 22 degrees and in perspective."""
    scale, angle = rng.uniform(0.62, 0.8) * HEIGHT, np.radians(rng.uniform(-22, 22))
    page = np.array([[-0.3536, -0.5], [0.3536, -0.5], [0.3536, 0.5], [-0.3536, 0.5]])
    page = page * (1 + page[:, 1:] * rng.uniform(-0.25, 0.25)) * scale
    page += rng.uniform(-0.03, 0.03, (4, 2)) * scale
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = page @ turn
    room = np.array([WIDTH, HEIGHT]) - np.ptp(turned, axis=0)
    if (room < 20).any():
        return _quad(rng)
    return turned - turned.min(axis=0) + 10 + rng.uniform(0.2, 0.8, 2) * (room - 20)


def _printed(rng: Any) -> Any:
    page = np.full((_PAGE[1], _PAGE[0], 3), rng.uniform(215, 245), np.float32)
    page[..., 2] -= rng.uniform(0, 12)
    for y in range(70, _PAGE[1] - 60, 22):
        if rng.random() < 0.12:
            continue
        end = int(rng.uniform(0.5, 1) * (_PAGE[0] - 60))
        for x in range(50, end, 9):
            cv2.rectangle(page, (x, y), (x + int(rng.uniform(2, 7)), y + 9), (50, 50, 55), -1)
    if rng.random() < 0.5:  # a picture, or a table with a frame
        cv2.rectangle(page, (80, 300), (540, 560), (90, 80, 80), 3)
    if rng.random() < 0.05:
        cv2.rectangle(page, (0, 0), (_PAGE[0], 60), (60, 70, 120), -1)  # a letterhead to the edge
    return page


# --- desks ---------------------------------------------------------------------------------------


def _grain(rng: Any, deviation: float, grain_px: float) -> Any:
    noise = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), grain_px)
    return noise * deviation / noise.std()


def _coloured(gray: Any, color: tuple[float, float, float]) -> Any:
    return np.clip(gray[..., None] * np.array(color), 0, 255).astype(np.float32)


def wood(rng: Any) -> Any:
    y = np.linspace(0, 40, HEIGHT)[:, None] + _grain(rng, 1.2, 30)
    return _coloured(128 + 18 * np.sin(y * 4) + _grain(rng, 6, 1), (1.15, 0.85, 0.6))


def dark(rng: Any) -> Any:
    return _coloured(48 + _grain(rng, 5, 2), (1, 1, 1))


def fabric(rng: Any) -> Any:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return _coloured(
        115 + 14 * np.sin(x / 3) * np.sin(y / 3) + _grain(rng, 14, 3), (0.8, 0.95, 1.1)
    )


def tiles(rng: Any) -> Any:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    joints = ((x + 40) % 210 < 7) | ((y + 90) % 210 < 7)
    return _coloured(np.where(joints, 75, 140) + _grain(rng, 6, 4), (1.05, 1, 0.9))


def pale(rng: Any) -> Any:
    return _coloured(172 + _grain(rng, 4, 6), (1, 0.98, 0.94))


# --- lights --------------------------------------------------------------------------------------


def even(rng: Any) -> Any:
    return np.ones((HEIGHT, WIDTH))


def lamp(rng: Any) -> Any:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    near = np.hypot(x - rng.uniform(0, WIDTH), y - rng.uniform(0, HEIGHT)) / HEIGHT
    return 1.05 - 0.45 * np.clip(near, 0, 1)


def shadow(rng: Any) -> Any:
    """The shadow of the photographer's head and arm."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    edge = (y * rng.uniform(0.4, 1) + x * rng.uniform(-0.6, 0.6)) - HEIGHT * rng.uniform(0.3, 0.6)
    return 1 - 0.42 / (1 + np.exp(-edge / rng.uniform(6, 25)))
