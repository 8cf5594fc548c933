"""Privacy masks: polygons burnt into a frame before it leaves its decoder's process. Arrays in, arrays out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import PixelFormat
from vigie.vision.planes import CHROMA_SHIFTS, Planes
from vigie_camera.config import Point, PrivacyMask

Area = NDArray[np.bool_]

# A block is a 48th of the longer side: too coarse for a face at any distance at which a camera sees a whole room.
_BLOCKS, _LEAST_BLOCK = 48, 8
_BLACK_LIMITED, _NEUTRAL = 16, 128
# Of a block's pixels, so many in each direction make its mean.
_TAPS = 4


class Privacy:
    """Burns one camera's masks into its frames; the areas are made once per format."""

    def __init__(self, masks: Iterable[PrivacyMask]) -> None:
        """Masks overlap as they like: black wins over pixels."""
        self._masks = tuple(masks)
        self._format: PixelFormat | None = None
        self._layers: list[_Layer] = []

    def burn(self, planes: Planes) -> None:
        """Hide what is masked, in place. A pixel that a mask's border touches is hidden with it."""
        if planes.format != self._format:
            self._layers = _layers(self._masks, planes.format)
            self._format = planes.format
        for layer in self._layers:
            layer.burn(planes.arrays[layer.plane])


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one plane hides: ``black`` becomes ``level``, ``coarse`` blocks of ``block``, both within ``corner``."""

    plane: int
    top: int
    left: int
    black: Area
    coarse: Area
    level: int
    block_hw: tuple[int, int]

    def burn(self, plane: NDArray[np.uint8]) -> None:
        height, width = self.black.shape
        part = plane[self.top : self.top + height, self.left : self.left + width]
        black, coarse = self.black, self.coarse
        if part.ndim == 3:
            black, coarse = black[..., None], coarse[..., None]
        if coarse.any():
            np.copyto(part, _mosaic(part, self.block_hw), where=coarse)
        np.copyto(part, np.uint8(self.level), where=black)


def encloses_nothing(points: Iterable[Point]) -> bool:
    """Whether all corners lie on one line."""
    (x0, y0), *rest = points
    away = [(x - x0, y - y0) for x, y in rest]
    ax, ay = max(away, key=lambda one: abs(one[0]) + abs(one[1]))
    return all(abs(ax * y - ay * x) < 1e-9 for x, y in away)


def polygon_area(points: Iterable[Point], size_hw: tuple[int, int]) -> Area:
    """(H, W): pixels whose centre lies inside the polygon (non-zero winding), and all that its border touches.

    ``points``: x, y in shares of the picture.
    """
    height, width = size_hw
    corners = [(x * width, y * height) for x, y in points]
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))
    crossings = np.zeros((height, width + 1), np.int16)
    touched = np.zeros((height, width), np.bool_)
    for (x0, y0), (x1, y1) in edges:
        steps = int(16 * max(abs(x1 - x0), abs(y1 - y0))) + 2
        columns = np.clip(np.linspace(x0, x1, steps).astype(int), 0, width - 1)
        rows = np.clip(np.linspace(y0, y1, steps).astype(int), 0, height - 1)
        touched[rows, columns] = True
        low, high = sorted((y0, y1))
        centres = np.arange(max(0, math.ceil(low - 0.5)), min(height, math.ceil(high - 0.5)))
        if len(centres):
            at = x0 + (centres + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            np.add.at(crossings, (centres, np.clip(np.ceil(at - 0.5), 0, width).astype(int)), 1 if y1 > y0 else -1)
    return np.asarray((crossings.cumsum(axis=1)[:, :width] != 0) | touched, np.bool_)


def _layers(masks: Iterable[PrivacyMask], pixel_format: PixelFormat) -> list[_Layer]:
    size_hw = pixel_format.size_hw
    black, coarse = np.zeros(size_hw, np.bool_), np.zeros(size_hw, np.bool_)
    for mask in masks:
        into = black if mask.style == "black" else coarse
        into |= polygon_area(mask.points, size_hw)
    coarse &= ~black
    if not (black.any() or coarse.any()):
        return []
    block = max(_LEAST_BLOCK, 2 * math.ceil(max(size_hw) / _BLOCKS / 2))
    luma_level = 0 if pixel_format.layout == "bgr" or pixel_format.range == "full" else _BLACK_LIMITED
    layers = [_layer(0, black, coarse, luma_level, (block, block))]
    if pixel_format.layout in CHROMA_SHIFTS:
        down, across = CHROMA_SHIFTS[pixel_format.layout]
        small_black, small_coarse = _shrunk(black, down, across), _shrunk(coarse, down, across)
        # A sample of colour between a black and a pixelated pixel goes with the black one.
        small_coarse &= ~small_black
        layers += [
            _layer(plane, small_black, small_coarse, _NEUTRAL, (block >> down, block >> across))
            for plane in ((1,) if pixel_format.layout == "nv12" else (1, 2))
        ]
    return layers


def _layer(plane: int, black: Area, coarse: Area, level: int, block_hw: tuple[int, int]) -> _Layer:
    rows = np.flatnonzero((black | coarse).any(axis=1))
    columns = np.flatnonzero((black | coarse).any(axis=0))
    # Blocks lie on one grid over the picture, so that they stay where they are when a mask is moved.
    top, left = int(rows[0]) // block_hw[0] * block_hw[0], int(columns[0]) // block_hw[1] * block_hw[1]
    window = np.s_[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    return _Layer(plane, top, left, black[window].copy(), coarse[window].copy(), level, block_hw)


def _shrunk(area: Area, down: int, across: int) -> Area:
    """For chroma: a sample is hidden with any of the luma pixels that it colours."""
    height, width = area.shape
    padded = np.zeros((-(-height >> down) << down, -(-width >> across) << across), np.bool_)
    padded[:height, :width] = area
    shape = (padded.shape[0] >> down, 1 << down, padded.shape[1] >> across, 1 << across)
    return np.asarray(padded.reshape(shape).any(axis=(1, 3)), np.bool_)


def _mosaic(part: NDArray[np.uint8], block_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """``part`` in blocks of their mean colour, the same shape."""
    (height, width), (tall, wide) = part.shape[:2], block_hw
    rows, columns = _taps(height, tall), _taps(width, wide)
    taken = part[rows[:, None], columns[None, :]].astype(np.uint16)
    grid = taken.reshape(len(rows) // _TAPS, _TAPS, len(columns) // _TAPS, _TAPS, *part.shape[2:])
    means = (grid.sum(axis=(1, 3)) // (_TAPS * _TAPS)).astype(np.uint8)
    return np.asarray(means.repeat(tall, axis=0)[:height].repeat(wide, axis=1)[:, :width], np.uint8)


def _taps(length: int, block: int) -> NDArray[np.intp]:
    """Places of the pixels that make the means of the blocks along one side."""
    starts = np.arange(0, length, block)[:, None]
    return np.asarray(np.minimum(starts + np.arange(_TAPS) * block // _TAPS, length - 1).reshape(-1), np.intp)
