"""The belt itself: one endless strip per scene, in one of several textures, scratched and stained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.canvas import Floats, triangle_wave
from vigie.synthetic.randomness import Dice


def belt_strip(dice: Dice, length_px: int, height_px: int, scale: float) -> NDArray[np.uint8]:
    """(height, length, 3) uint8 BGR whose right edge continues at its left one. ``scale``: 1 at 480 rows."""
    texture = dice.choose(TEXTURES)
    relief, bgr = texture(dice, length_px, height_px)
    value = relief + _stains(dice, length_px, height_px) + dice.bell((height_px, length_px)) * np.float32(2.5)
    strip = np.empty((height_px, length_px, 3), np.uint8)
    for channel in range(3):
        strip[..., channel] = np.clip(np.float32(bgr[channel]) * (np.float32(1) + value / np.float32(100)), 0, 255)
    _scratches(dice, strip, scale)
    return strip


def _rubber(dice: Dice, length: int, height: int) -> tuple[Floats, tuple[float, float, float]]:
    """Black rubber with a fine weave."""
    x, y = _grid(length, height)
    weave = np.asarray(triangle_wave(x / 6) * triangle_wave(y / 6) * np.float32(16), np.float32) - 4
    tone = dice.uniform(44, 78)
    return np.asarray(weave + _cloudy(dice, length, height, 14), np.float32), (tone, tone * 0.98, tone * 0.96)


def _green_pvc(dice: Dice, length: int, height: int) -> tuple[Floats, tuple[float, float, float]]:
    """Green PVC with diamonds pressed into it."""
    x, y = _grid(length, height)
    pitch = np.float32(24)
    lines = np.maximum(np.abs(triangle_wave((x + y) / pitch) - 0.5), np.abs(triangle_wave((x - y) / pitch) - 0.5))
    pressed = np.where(lines > 0.42, np.float32(-16), np.float32(0))
    return np.asarray(pressed + _cloudy(dice, length, height, 10), np.float32), (96, dice.uniform(110, 142), 74)


def _modular_blue(dice: Dice, length: int, height: int) -> tuple[Floats, tuple[float, float, float]]:
    """Blue plastic modules with hinges and drain slots."""
    x, y = _grid(length, height)
    along, across = np.mod(x, 48), np.mod(y, 32)
    hinge = np.where(along < 3, np.float32(-55), np.where(along < 5, np.float32(18), np.float32(0)))
    slot = (np.abs(along - 26) < 9) & (np.abs(across - 16) < 4)
    lit = (np.abs(along - 26) < 9) & (np.abs(across - 21) < 1)
    value = np.where(slot, np.float32(-60), np.where(lit, np.float32(14), hinge))
    return np.asarray(value + _cloudy(dice, length, height, 7), np.float32), (dice.uniform(140, 170), 104, 62)


def _grey_cleated(dice: Dice, length: int, height: int) -> tuple[Floats, tuple[float, float, float]]:
    """Light grey with low chevron cleats."""
    x, y = _grid(length, height)
    middle = np.abs(y - np.float32(height / 2))
    phase = np.mod(x + middle * np.float32(0.5), 96)
    cleat = np.where(phase < 4, np.float32(16), np.where(phase < 9, np.float32(-18), np.float32(0)))
    tone = dice.uniform(128, 158)
    return np.asarray(cleat + _cloudy(dice, length, height, 9), np.float32), (tone, tone, tone * 0.97)


def _white_food(dice: Dice, length: int, height: int) -> tuple[Floats, tuple[float, float, float]]:
    """Off-white, smooth, seams across it: bright parts on it have little contrast."""
    x, _ = _grid(length, height)
    seam = np.where(np.mod(x, 192) < 2, np.float32(-14), np.float32(0))
    tone = dice.uniform(176, 204)
    return np.asarray(seam + _cloudy(dice, length, height, 6), np.float32), (tone * 0.97, tone, tone)


TEXTURES: Final[tuple[Callable[[Dice, int, int], tuple[Floats, tuple[float, float, float]]], ...]] = (
    _rubber,
    _green_pvc,
    _modular_blue,
    _grey_cleated,
    _white_food,
)
# The longest repeat of any texture: strip lengths are multiples of it.
REPEAT_PX: Final = 192


def _grid(length: int, height: int) -> tuple[Floats, Floats]:
    return np.arange(length, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]


def _cloudy(dice: Dice, length: int, height: int, depth: float) -> Floats:
    """Slow changes of brightness, +- ``depth`` percent, closing at the ends."""
    cell = 64
    rows, columns = height // cell + 2, max(2, length // cell)
    coarse = (dice.field((rows, columns)) - np.float32(0.5)) * np.float32(2 * depth)
    y = (np.arange(height, dtype=np.float32) / np.float32(cell)).astype(np.float32)
    x = (np.arange(length, dtype=np.float32) * np.float32(columns / length)).astype(np.float32)
    y0, x0 = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    fy, fx = _smooth(y - y0.astype(np.float32)), _smooth(x - x0.astype(np.float32))
    above, below = coarse[y0], coarse[y0 + 1]
    lines = above + (below - above) * fy[:, None]
    left, right = lines[:, x0 % columns], lines[:, (x0 + 1) % columns]
    return np.asarray(left + (right - left) * fx[None, :], np.float32)


def _smooth(t: Floats) -> Floats:
    return np.asarray(t * t * (np.float32(3) - np.float32(2) * t), np.float32)


def _stains(dice: Dice, length: int, height: int) -> Floats:
    """Oil and dust: soft ellipses, darker or lighter."""
    value = np.zeros((height, length), np.float32)
    for _ in range(dice.whole(4, 10) * length // 1024 + 1):
        width, tall = dice.whole(20, 110), dice.whole(14, 70)
        left, top = dice.whole(0, max(0, length - width)), dice.whole(0, max(0, height - tall))
        x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width / 2) - np.float32(1)
        y = (np.arange(tall, dtype=np.float32) + np.float32(0.5)) / np.float32(tall / 2) - np.float32(1)
        depth = np.maximum(np.float32(1) - x[None, :] ** 2 - y[:, None] ** 2, 0)
        spot = value[top : top + tall, left : left + width]
        spot += (depth * np.float32(dice.uniform(-28, 14)))[: spot.shape[0], : spot.shape[1]]
    return value


def _scratches(dice: Dice, strip: NDArray[np.uint8], scale: float) -> None:
    """Thin lines mostly along the way of the belt."""
    height, length = strip.shape[:2]
    for _ in range(dice.whole(6, 18)):
        x, y = dice.whole(0, length - 1), dice.whole(0, height - 1)
        run, rise = dice.whole(10, int(120 * scale) + 10), dice.whole(-6, 6)
        tone = [int(c) for c in strip[y, x].astype(np.int32) + dice.whole(-22, 30)]
        cv2.line(strip, (x, y), (x + run, y + rise), tuple(max(0, min(255, t)) for t in tone), 1, cv2.LINE_8)
