"""One stretch of recording: a belt under one light seen by one lens. The normal scene is one shot without end."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.belt import REPEAT_PX, belt_strip
from vigie.synthetic.layout import Layout, Placed, Style
from vigie.synthetic.lens import Lens, Optics
from vigie.synthetic.randomness import Dice
from vigie.synthetic.shading import Light
from vigie.synthetic.sprite import CLEAR, Sprite
from vigie.synthetic.truth import HARD_SIZE_PX, PartTruth
from vigie.synthetic.url import SceneSpec

Regime = Literal["normal", "occluded", "blurred", "small"]
HARD_REGIMES: Final[tuple[Regime, ...]] = ("occluded", "blurred", "small")


class Shot:
    """Frames by number, from 0; the same number always gives the same pixels and truth."""

    def __init__(self, spec: SceneSpec, number: int, regime: Regime, style: Style | None = None) -> None:
        """Draw belt, rails, light and lens; things on the belt are drawn when first seen.

        ``style``: fill the belt otherwise than scenes of that regime do (training packs it denser).
        """
        self.spec, self.regime = spec, regime
        width, height = spec.size_wh
        self.scale = min(width * 3 / 4, height) / 480
        key = (spec.seed, number, ("normal", *HARD_REGIMES).index(regime))
        dice = Dice(*key, 0)
        light = Light.draw(dice)
        self._forward = dice.chance(0.5)
        self._speed = width * dice.uniform(0.10, 0.26)  # pixels a second
        self._rail_px = max(4, int(height * dice.uniform(0.04, 0.08)))
        self._belt_px = height - 2 * self._rail_px
        length = -(-int(width * 1.25) // REPEAT_PX) * REPEAT_PX
        self._strip = belt_strip(dice, length, self._belt_px, self.scale)
        self._rail = _rail(dice, width, self._rail_px)
        self.lens = Lens(dice, spec.size_wh, _optics(dice, regime, self._speed / 30, self.scale))
        slack = int(14 * self.scale)
        self._layout = Layout(
            key,
            style or _style(dice, regime, self.scale),
            light,
            (self._rail_px - slack // 2, height - self._rail_px + slack // 2),
        )

    def render_into(self, frame_bgr: NDArray[np.uint8], index: int) -> None:
        """Write frame ``index`` into ``frame_bgr`` (H, W, 3) uint8."""
        self.compose_into(frame_bgr, index)
        self.lens.expose(frame_bgr, index)

    def compose_into(self, frame_bgr: NDArray[np.uint8], index: int) -> None:
        """The frame as it is before any light fall-off, blur or noise."""
        left = self._left(index)
        self._lay_belt(frame_bgr, left)
        for placed in self.placed(index):
            _lay(frame_bgr, placed.sprite, placed.x - left + placed.sprite.left, placed.y + placed.sprite.top)
        frame_bgr[: self._rail_px] = self._rail
        frame_bgr[-self._rail_px :] = self._rail[::-1]

    def placed(self, index: int) -> list[Placed]:
        """Everything that may be in frame ``index``, lowest first, in belt pixels."""
        left = self._left(index)
        return self._layout.between(left, left + self.spec.size_wh[0])

    def truth(self, index: int, min_visible: float) -> list[PartTruth]:
        """The parts of frame ``index`` of which at least ``min_visible`` can be seen."""
        width, height = self.spec.size_wh
        left = self._left(index)
        owner = np.zeros((height, width), np.int16)
        placed = self.placed(index)
        for number, thing in enumerate(placed, start=1):
            sprite = thing.sprite
            cut = _cut(owner.shape, sprite.mask.shape, thing.x - left + sprite.left, thing.y + sprite.top)
            if cut is not None:
                rows, columns, of_rows, of_columns = cut
                owner[rows, columns][sprite.mask[of_rows, of_columns]] = number
        owner[: self._rail_px] = 0
        owner[-self._rail_px :] = 0
        found = []
        for number, thing in enumerate(placed, start=1):
            if thing.label is None:
                continue
            sprite = thing.sprite
            cut = _cut(owner.shape, sprite.mask.shape, thing.x - left + sprite.left, thing.y + sprite.top)
            if cut is None:
                continue
            rows, columns, _, _ = cut
            seen = owner[rows, columns] == number
            count = int(np.count_nonzero(seen))
            if count == 0 or count < min_visible * sprite.mask_px:
                continue
            ys, xs = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            box = (
                columns.start + int(xs[0]),
                rows.start + int(ys[0]),
                columns.start + int(xs[-1]) + 1,
                rows.start + int(ys[-1]) + 1,
            )
            occlusion = 1 - count / sprite.mask_px
            found.append(PartTruth(thing.label, box, occlusion, sprite.size_px, (thing.x, thing.y)))
        return found

    def _left(self, index: int) -> int:
        """The belt pixel at the left edge of the frame."""
        moved = int(index * self._speed / self.spec.fps)
        return -moved if self._forward else moved

    def _lay_belt(self, frame_bgr: NDArray[np.uint8], left: int) -> None:
        width, length = frame_bgr.shape[1], self._strip.shape[1]
        belt = frame_bgr[self._rail_px : self._rail_px + self._belt_px]
        start = left % length
        first = min(width, length - start)
        belt[:, :first] = self._strip[:, start : start + first]
        if first < width:
            belt[:, first:] = self._strip[:, : width - first]


def _lay(frame_bgr: NDArray[np.uint8], sprite: Sprite, x: int, y: int) -> None:
    cut = _cut(frame_bgr.shape[:2], sprite.mask.shape, x, y)
    if cut is None:
        return
    rows, columns, of_rows, of_columns = cut
    below = frame_bgr[rows, columns]
    cv2.multiply(below, sprite.through[of_rows, of_columns], dst=below, scale=1 / CLEAR)
    cv2.add(below, sprite.colour[of_rows, of_columns], dst=below)


def _cut(
    frame_hw: tuple[int, ...], thing_hw: tuple[int, ...], x: int, y: int
) -> tuple[slice, slice, slice, slice] | None:
    """Rows and columns of the frame, then of the thing, where the thing at (x, y) meets the frame; None: nowhere."""
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(frame_hw[1], x + thing_hw[1]), min(frame_hw[0], y + thing_hw[0])
    if x1 <= x0 or y1 <= y0:
        return None
    return slice(y0, y1), slice(x0, x1), slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)


def _style(dice: Dice, regime: Regime, scale: float) -> Style:
    if regime == "small":
        # Silhouettes may come out a pixel longer than asked for.
        return Style(44, (12.0, HARD_SIZE_PX - 1.0), filled=0.22, clutter=0.02, relative=False)
    most = 104 * scale
    slot = max(24, int(108 * scale))
    if regime == "occluded":
        return Style(slot, (30 * scale, most), filled=0.5, clutter=0.06, covered=True)
    return Style(slot, (26 * scale, most), filled=dice.uniform(0.35, 0.6), clutter=dice.uniform(0.05, 0.25))


def _optics(dice: Dice, regime: Regime, step_px: float, scale: float) -> Optics:
    if regime == "blurred":
        wide = dice.chance(0.5)
        motion, focus = (dice.uniform(15, 21), 3) if wide else (3, dice.uniform(11, 17))
        return Optics(_odd(motion * scale), _odd(focus * scale), noise=dice.uniform(3, 6))
    # Shutters of 1/250 to 1/60 s smear a fraction of what the belt moves in a frame.
    return Optics(_odd(step_px * dice.uniform(0.1, 0.6)), dice.choose((1, 1, 3, 3, 5)), noise=dice.uniform(2, 6))


def _odd(width: float) -> int:
    return max(1, int(width) // 2 * 2 + 1)


def _rail(dice: Dice, width: int, rows: int) -> NDArray[np.uint8]:
    """The upper side rail (rows, W, 3): bent sheet with a bright edge and screws; the lower one is its mirror."""
    y = (np.arange(rows, dtype=np.float32) / np.float32(rows))[:, None]
    tone = dice.uniform(70, 150)
    plane = np.broadcast_to(np.float32(tone) * (np.float32(0.75) + np.float32(0.4) * y), (rows, width)).copy()
    plane += dice.bell((1, width)) * np.float32(1.5)
    plane[int(rows * 0.72) : int(rows * 0.82) + 1] *= np.float32(1.35)
    plane[int(rows * 0.88) :] *= np.float32(0.45)
    rail = np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    tint = dice.choose(((1.0, 1.0, 1.0), (1.0, 0.85, 0.7), (0.55, 0.9, 1.1)))
    for channel, factor in enumerate(tint):
        rail[..., channel] = np.clip(rail[..., channel].astype(np.float32) * np.float32(factor), 0, 255)
    radius = max(1, rows // 7)
    for x in range(dice.whole(10, 60), width, dice.whole(110, 190)):
        cv2.circle(rail, (x, rows // 2), radius, (60, 60, 60), -1)
        cv2.circle(rail, (x, rows // 2 - 1), max(1, radius - 1), (150, 150, 150), -1)
    return np.ascontiguousarray(rail)
