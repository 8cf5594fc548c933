"""A thing ready to be laid on a frame: lit, anti-aliased, with its shadow, and the silhouette that truth is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.canvas import Canvas, Floats
from vigie.synthetic.randomness import Dice
from vigie.synthetic.relief import Relief
from vigie.synthetic.shading import Light, shade

# Fixed point of what shines through: 128 is all. A power of two keeps cv2's product exact whatever unit computes it.
CLEAR: Final = 128

Drawer = Callable[[Canvas, Dice], Relief]


@dataclass(frozen=True, slots=True)
class Sprite:
    """``frame = frame * through / 128 + colour`` lays it down; every array starts at (left, top) from its centre.

    ``colour`` (h, w, 3) uint8 BGR, already times its coverage; ``through`` (h, w, 3) uint8, 0..128, coverage and
    shadow together; ``mask`` (h, w) bool, the silhouette; ``mask_box`` its box (left, top, right, bottom) inside the
    arrays; ``mask_px`` its pixels; ``size_px`` its longer side.
    """

    left: int
    top: int
    colour: NDArray[np.uint8]
    through: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    mask_box: tuple[int, int, int, int]
    mask_px: int
    size_px: int


def render_sprite(drawer: Drawer, length_px: float, angle: float, light: Light, dice: Dice) -> Sprite:
    """Draw, light and shrink one thing of about ``length_px`` pixels."""
    fine = 4 if length_px < 28 else 3 if length_px < 56 else 2
    canvas = Canvas(length_px, angle, fine)
    relief = drawer(canvas, dice)
    surface = shade(relief, light, canvas.px_per_unit, _grain(canvas.side, dice))
    surface[~relief.inside] = 0
    coverage = _shrink(relief.inside.astype(np.uint8), fine, total=CLEAR)
    colour = _shrink(surface, fine, total=1)
    peak = float(relief.height[relief.inside].max()) if relief.inside.any() else 0.0
    return _assemble(colour, coverage, peak * length_px / 2, light)


def _assemble(colour: NDArray[np.uint8], coverage: NDArray[np.uint8], height_px: float, light: Light) -> Sprite:
    side = coverage.shape[0]
    shift_x, shift_y = (math.floor(height_px * 0.8 * way + 0.5) for way in light.shadow)
    soft = max(1, min(9, int(height_px * 0.25))) | 1
    margin = max(abs(shift_x), abs(shift_y)) + soft + 2
    whole: NDArray[np.uint8] = np.pad(coverage, margin)
    cast = np.zeros_like(whole)
    # The thing stands on the belt: its shadow is swept from its foot to where its top throws it.
    steps = max(1, min(4, max(abs(shift_x), abs(shift_y)) // 2))
    for step in range(1, steps + 1):
        dx, dy = shift_x * step // steps, shift_y * step // steps
        moved = cast[margin + dy : margin + dy + side, margin + dx : margin + dx + side]
        np.maximum(moved, coverage, out=moved)
    cast = _soften(cast, soft)
    contact = _soften(whole, 5)
    dark = np.maximum(cast.astype(np.int32) * int(light.shadow_depth * 256) >> 8, contact.astype(np.int32) * 90 >> 8)
    through = ((CLEAR - dark) * (CLEAR - whole.astype(np.int32)) >> 7).astype(np.uint8)
    colour = np.pad(colour, ((margin, margin), (margin, margin), (0, 0)))
    mask = whole >= CLEAR // 2
    rows, columns = _span((through < CLEAR).any(axis=1)), _span((through < CLEAR).any(axis=0))
    mask = mask[rows, columns]
    ys, xs = _span(mask.any(axis=1)), _span(mask.any(axis=0))
    return Sprite(
        left=columns.start - side // 2 - margin,
        top=rows.start - side // 2 - margin,
        colour=np.ascontiguousarray(colour[rows, columns]),
        through=np.ascontiguousarray(np.repeat(through[rows, columns, None], 3, axis=2)),
        mask=np.ascontiguousarray(mask),
        mask_box=(xs.start, ys.start, xs.stop, ys.stop),
        mask_px=int(mask.sum()),
        size_px=max(xs.stop - xs.start, ys.stop - ys.start),
    )


def _shrink(image: NDArray[np.uint8], fine: int, total: int) -> NDArray[np.uint8]:
    """Mean of every ``fine`` x ``fine`` block times ``total``, in whole numbers."""
    sums = image[0::fine].astype(np.uint32)
    for row in range(1, fine):
        sums += image[row::fine]
    columns = sums[:, 0::fine].copy()
    for column in range(1, fine):
        columns += sums[:, column::fine]
    area = fine * fine
    return ((columns * np.uint32(total) + np.uint32(area // 2)) // np.uint32(area)).astype(np.uint8)


def _soften(image: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """A box of odd ``width``, twice: whole-number sums, so exact."""
    for _ in range(2):
        for axis in (0, 1):
            padding = ((width // 2 + 1, width // 2), (0, 0)) if axis == 0 else ((0, 0), (width // 2 + 1, width // 2))
            sums = np.cumsum(np.pad(image, padding), axis=axis, dtype=np.int32)
            spread = sums[width:] - sums[:-width] if axis == 0 else sums[:, width:] - sums[:, :-width]
            image = (spread // width).astype(np.uint8)
    return image


def _span(used: NDArray[np.bool_] | np.bool_) -> slice:
    """From the first to the last true entry; empty if there is none."""
    where = np.flatnonzero(used)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0)


def _grain(side: int, dice: Dice) -> Floats:
    """Surface texture cut from one fixed tile at a random place, so that a sprite costs no new noise."""
    tile = _grain_tile()
    top, left = dice.whole(0, tile.shape[0] - 1), dice.whole(0, tile.shape[1] - 1)
    rows = (np.arange(side) + top) % tile.shape[0]
    columns = (np.arange(side) + left) % tile.shape[1]
    return np.asarray(tile[rows[:, None], columns[None, :]], np.float32)


_TILES: list[Floats] = []


def _grain_tile() -> Floats:
    """256 x 256: fine noise over brushing in one direction."""
    if not _TILES:
        dice = Dice(977)
        fine = dice.bell((256, 256))
        brushed = dice.bell((256, 256))
        for reach in (1, 2, 4):
            brushed = (brushed + np.roll(brushed, reach, axis=1)) * np.float32(0.7)
        _TILES.append((fine * np.float32(0.5) + brushed * np.float32(0.8)).astype(np.float32))
    return _TILES[0]
