"""Light on a relief: normals, lamp, highlight, and the hall mirrored in metal. Exact arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.canvas import Floats
from vigie.synthetic.randomness import Dice
from vigie.synthetic.relief import Material, Relief

# A steeper wall than this looks the same from above; clamping keeps edges from turning black.
_SLOPE_MAX = 2.2


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp over the belt. ``to_lamp`` is a unit vector (x right, y down, z up); ``bgr`` its tint, about 1.

    ``shadow`` is the way of shadows in pixels per pixel of height; ``shadow_depth`` 0..1 how dark they are.
    """

    to_lamp: tuple[float, float, float]
    bgr: tuple[float, float, float]
    shadow: tuple[float, float]
    shadow_depth: float

    @classmethod
    def draw(cls, dice: Dice) -> Self:
        """A lamp somewhere above, lower or higher, warmer or colder."""
        turn, height = dice.uniform(0, 2 * math.pi), dice.uniform(0.75, 1.2)
        x, y = math.cos(turn), math.sin(turn)
        norm = math.sqrt(1 + height * height)
        warm = dice.uniform(-0.08, 0.08)
        return cls(
            to_lamp=(x / norm, y / norm, height / norm),
            bgr=(1 - warm, 1.0, 1 + warm),
            shadow=(-x / height, -y / height),
            shadow_depth=dice.uniform(0.35, 0.65),
        )


def shade(relief: Relief, light: Light, px_per_unit: float, grain: Floats) -> NDArray[np.uint8]:
    """The lit surface (side, side, 3) uint8 BGR; meaningless outside the silhouette.

    ``grain``: float32 of the relief's shape, mean 0, deviation about 1.
    Source: Blinn, "Models of light reflection for computer synthesized pictures", SIGGRAPH 1977 (half vector).
    """
    height = relief.height * np.float32(px_per_unit)
    nx, ny = np.zeros_like(height), np.zeros_like(height)
    nx[:, 1:-1] = (height[:, :-2] - height[:, 2:]) * np.float32(0.5)
    ny[1:-1] = (height[:-2] - height[2:]) * np.float32(0.5)
    np.clip(nx, -_SLOPE_MAX, _SLOPE_MAX, out=nx)
    np.clip(ny, -_SLOPE_MAX, _SLOPE_MAX, out=ny)
    nz = np.float32(1) / np.sqrt(nx * nx + ny * ny + np.float32(1))
    nx *= nz
    ny *= nz
    lx, ly, lz = (np.float32(c) for c in light.to_lamp)
    lamp = np.maximum(nx * lx + ny * ly + nz * lz, 0)
    half = math.sqrt(2 + 2 * float(lz))
    toward = nx * np.float32(lx / half) + ny * np.float32(ly / half) + nz * np.float32((lz + 1) / half)
    np.maximum(toward, 0, out=toward)
    # Mirrored hall: bright overhead windows in a band, dark floor and walls elsewhere.
    up = np.float32(2) * nz * nz - np.float32(1)
    side = np.float32(2) * nz * (ny * ly + nx * lx)
    hall = np.clip(np.float32(0.55) * up + np.float32(0.75) * side + np.float32(0.25), 0, 1)
    texture = np.float32(1) + grain * np.float32(relief.material.grain)
    if relief.tint is not None:
        texture *= relief.tint
    answer = _Answer(lamp, toward, hall, texture)
    surface = _surface(relief.material, light, answer)
    if relief.second is not None:
        material, where = relief.second
        surface[where] = _surface(material, light, answer)[where]
    return surface


class _Answer(NamedTuple):
    """What every sample meets: lamp and highlight cosines, mirrored hall, own texture; float32 of one shape."""

    lamp: Floats
    toward: Floats
    hall: Floats
    texture: Floats


def _surface(material: Material, light: Light, answer: _Answer) -> NDArray[np.uint8]:
    matt = np.float32(material.ambient) + np.float32(material.diffuse) * answer.lamp
    matt = matt + np.float32(material.mirror) * (answer.hall - np.float32(0.35))
    matt *= answer.texture
    highlight = answer.toward
    for _ in range(material.sharpness):
        highlight = highlight * highlight
    highlight = highlight * np.float32(material.gloss)
    out = np.empty((*matt.shape, 3), np.uint8)
    for channel in range(3):
        value = matt * np.float32(material.bgr[channel]) + highlight
        value *= np.float32(light.bgr[channel])
        np.clip(value, 0, 255, out=value)
        out[..., channel] = value
    return out
