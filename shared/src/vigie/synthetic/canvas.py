"""Coordinates to draw one part in: turned, and finer than the pixels it will end up in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

REACH: Final = 1.12
_SHIFT: Final = 4  # cv2 draws polygons with corners on 1/16 pixel


class Canvas:
    """A square of ``side`` fine pixels whose units are half lengths of the part: its ends lie at u = -1 and u = 1.

    ``u`` and ``v`` are (side, side) float32. Only sums, products and square roots are taken of arrays: those are exact
    in IEEE 754, so a part has the same pixels whatever vector unit computed it.
    """

    def __init__(self, length_px: float, angle: float, fine: int) -> None:
        """A part of ``length_px`` final pixels turned by ``angle`` (radians), with ``fine`` x ``fine`` samples each."""
        self.px_per_unit = length_px * fine / 2
        side = math.ceil(2 * REACH * self.px_per_unit)
        self.side = side + (-side) % fine
        self._cos, self._sin = math.cos(angle), math.sin(angle)
        axis = ((np.arange(self.side, dtype=np.float32) + np.float32(0.5 - self.side / 2)) / self.px_per_unit).astype(
            np.float32
        )
        x, y = axis[None, :], axis[:, None]
        self.u: Floats = x * np.float32(self._cos) + y * np.float32(self._sin)
        self.v: Floats = y * np.float32(self._cos) - x * np.float32(self._sin)

    def radius(self, u0: float = 0.0, v0: float = 0.0) -> Floats:
        """Distance of every sample from (u0, v0), in units."""
        du, dv = self.u - np.float32(u0), self.v - np.float32(v0)
        return np.asarray(np.sqrt(du * du + dv * dv), np.float32)

    def pixel(self, u: float, v: float) -> tuple[float, float]:
        """Where (u, v) lies, in fine pixels."""
        x = (u * self._cos - v * self._sin) * self.px_per_unit + self.side / 2 - 0.5
        y = (u * self._sin + v * self._cos) * self.px_per_unit + self.side / 2 - 0.5
        return x, y

    def polygon(self, points_uv: Sequence[tuple[float, float]]) -> Mask:
        """The samples inside a closed outline."""
        return np.asarray(self._drawn(points_uv, thickness=None) > 0)

    def stroke(self, points_uv: Sequence[tuple[float, float]], width: float) -> Mask:
        """The samples within ``width`` units of an open line."""
        return np.asarray(self._drawn(points_uv, thickness=max(1, round(width * self.px_per_unit))) > 0)

    def _drawn(self, points_uv: Sequence[tuple[float, float]], thickness: int | None) -> NDArray[np.uint8]:
        corners = np.array([self.pixel(u, v) for u, v in points_uv])
        fixed = np.floor(corners * (1 << _SHIFT) + 0.5).astype(np.int32)
        image = np.zeros((self.side, self.side), np.uint8)
        if thickness is None:
            cv2.fillPoly(image, [fixed], 255, cv2.LINE_8, _SHIFT)
        else:
            cv2.polylines(image, [fixed], isClosed=False, color=255, thickness=thickness, shift=_SHIFT)
        return image


def triangle_wave(phase: NDArray[np.floating[Any]]) -> Floats:
    """0..1..0 over each whole number: the exact stand-in for a sine."""
    fraction = phase - np.floor(phase)
    return np.asarray(1 - np.abs(2 * fraction - 1), np.float32)
