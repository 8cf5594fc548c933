"""Whether anything moves in a picture, decided on a small grid of luma before the frame costs anything.

A background model per cell: a mean that follows slowly, and the deviation that is usual there, so that a sensor's
noise, an encoder's pulses and leaves in the wind raise their own threshold. A change of the whole picture's brightness
is taken off first; a lamp that stays on becomes background. Figures: docs/decisions/0041.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vigie_camera.config import MotionGate, PrivacyMask
from vigie_camera.decode.privacy import polygon_area

# About so many cells along the longer side; a person at the far end of a yard takes two.
_CELLS = 96
# A cell moves beyond so many levels, and beyond so many times what is usual there.
_LEAST_LEVELS, _TIMES_USUAL = 9.0, 5.0
# Cells that move, each with a neighbour that does; fewer are noise.
_LEAST_CELLS = 2
# Time constants, seconds: a calm cell's mean, one that moves (what stops becomes background), the usual deviation.
_CALM_S, _MOVING_S, _USUAL_S = 2.0, 4.0, 4.0
# Until the usual deviation is known, everything counts as motion.
_LEARN_S = 2.0

Grid = NDArray[np.float32]


class MotionDetector:
    """One camera's gate; fed every frame."""

    def __init__(self, settings: MotionGate, masks: tuple[PrivacyMask, ...] = ()) -> None:
        """``masks``: what is hidden moves unseen."""
        self._settings, self._masks = settings, masks
        self._shape: tuple[int, ...] = ()
        self._mean: Grid | None = None
        self._usual: Grid | None = None
        self._seen: NDArray[np.bool_] | None = None
        self._learned_s = self._last_s = -math.inf
        self._moved_s = self._passed_s = -math.inf

    def passes(self, plane: NDArray[np.uint8], now_s: float) -> bool:
        """Whether this frame goes on: something moves, moved within ``hold_s``, or none went for ``every_s``.

        ``plane``: luma (H, W), or (H, W, 3) of which green is taken.
        """
        if self._moves(plane, now_s):
            self._moved_s = now_s
        if now_s - self._moved_s <= self._settings.hold_s or now_s - self._passed_s >= self._settings.every_s:
            self._passed_s = now_s
            return True
        return False

    def _moves(self, plane: NDArray[np.uint8], now_s: float) -> bool:
        grid = _cells(plane)
        if self._mean is None or self._usual is None or plane.shape != self._shape or now_s < self._last_s:
            self._begin(plane.shape, grid, now_s)
            return True
        passed_s, self._last_s = now_s - self._last_s, now_s
        away = grid - self._mean
        away -= _middle(away[::3, ::3])
        size = np.abs(away)
        moving = size > np.maximum(_LEAST_LEVELS, _TIMES_USUAL * self._usual)
        if self._seen is not None:
            moving &= self._seen
        self._mean += np.where(moving, _share(passed_s, _MOVING_S), _share(passed_s, _CALM_S)) * (grid - self._mean)
        self._usual += _share(passed_s, _USUAL_S) * (np.minimum(size, 4 * self._usual + 1) - self._usual)
        if now_s - self._learned_s < _LEARN_S:
            return True
        beside = np.zeros_like(moving)
        beside[:, 1:] |= moving[:, :-1]
        beside[:, :-1] |= moving[:, 1:]
        beside[1:] |= moving[:-1]
        beside[:-1] |= moving[1:]
        return int(np.count_nonzero(moving & beside)) >= _LEAST_CELLS

    def _begin(self, shape: tuple[int, ...], grid: Grid, now_s: float) -> None:
        self._shape, self._mean, self._usual = shape, grid, np.full_like(grid, 1.0)
        self._learned_s = self._last_s = now_s
        hidden = np.zeros(grid.shape, np.bool_)
        for mask in self._masks:
            hidden |= polygon_area(mask.points, (grid.shape[0], grid.shape[1]))
        self._seen = ~hidden if hidden.any() else None


def _middle(values: Grid) -> np.float32:
    """The median, or the value beside it: four times as fast as NumPy's."""
    flat = values.ravel()
    return np.float32(np.partition(flat, len(flat) // 2)[len(flat) // 2])


def _share(passed_s: float, constant_s: float) -> np.float32:
    return np.float32(1 - math.exp(-passed_s / constant_s))


def _cells(plane: NDArray[np.uint8]) -> Grid:
    """The picture in cells, each the mean of four of its pixels; (h, w), at least one cell."""
    luma = plane if plane.ndim == 2 else plane[:, :, 1]
    step = max(1, round(max(luma.shape) / _CELLS))
    half = step // 2
    height, width = -(-luma.shape[0] // step), -(-luma.shape[1] // step)
    total = np.zeros((height, width), np.uint16)
    for down in (0, half):
        for across in (0, half):
            part = luma[down::step, across::step]
            # A cell that the picture's edge cuts may lack a pixel: its first one stands in.
            total[: part.shape[0], : part.shape[1]] += part
            if part.shape != total.shape:
                whole = luma[::step, ::step]
                total[part.shape[0] :] += whole[part.shape[0] :]
                total[: part.shape[0], part.shape[1] :] += whole[: part.shape[0], part.shape[1] :]
    return np.asarray(total, np.float32) / np.float32(4)
