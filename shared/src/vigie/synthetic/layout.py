"""What lies where on the belt: column by column, each from its own stream of randomness, rendered when first seen."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np

from vigie.synthetic.clutter import CLUTTER, COVERS
from vigie.synthetic.parts import LABELS, PARTS, RELATIVE_SIZE
from vigie.synthetic.randomness import Dice
from vigie.synthetic.shading import Light
from vigie.synthetic.sprite import Sprite, render_sprite
from vigie.synthetic.truth import HARD_OCCLUSION

_COLUMNS_KEPT: Final = 48
_COVER_MOST: Final = 0.58


@dataclass(frozen=True, slots=True)
class Placed:
    """One thing on the belt. (``x``, ``y``) is its centre in belt pixels; ``label`` None: clutter. ``z``: higher is
    on top.
    """

    label: str | None
    x: int
    y: int
    z: float
    sprite: Sprite


@dataclass(frozen=True, slots=True)
class Style:
    """How a stretch of belt is filled. ``slot_px``: width and height of the place of one thing; ``length_px``: least
    and greatest length of a part; ``filled``: share of slots with a part; ``clutter``: with clutter besides;
    ``relative``: keep real proportions between classes; ``covered``: each part lies half under something.
    """

    slot_px: int
    length_px: tuple[float, float]
    filled: float
    clutter: float
    relative: bool = True
    covered: bool = False


class Layout:
    """The endless list of things, asked for by stretch."""

    def __init__(self, key: tuple[int, ...], style: Style, light: Light, rows_px: tuple[int, int]) -> None:
        """``rows_px``: the first and last row that a centre may have."""
        self._key, self._style, self._light, self._rows_px = key, style, light, rows_px
        self._columns: OrderedDict[int, list[Placed]] = OrderedDict()
        # The farthest that a thing reaches from its centre, shadow included: which columns a frame has to ask.
        self._reach_px = math.ceil(style.length_px[1] * 1.5) + style.slot_px

    def between(self, left_px: int, right_px: int) -> list[Placed]:
        """Everything that may be seen in this stretch of belt, lowest first."""
        slot = self._style.slot_px
        first, last = (left_px - self._reach_px) // slot, (right_px + self._reach_px) // slot
        found = [placed for column in range(first, last + 1) for placed in self._column(column)]
        found.sort(key=lambda placed: placed.z)
        return found

    def _column(self, column: int) -> list[Placed]:
        known = self._columns.get(column)
        if known is not None:
            self._columns.move_to_end(column)
            return known
        placed = self._fill(column)
        self._columns[column] = placed
        while len(self._columns) > _COLUMNS_KEPT + 2 * self._reach_px // self._style.slot_px:
            self._columns.popitem(last=False)
        return placed

    def _fill(self, column: int) -> list[Placed]:
        style, slot = self._style, self._style.slot_px
        dice = Dice(*self._key, column)
        top, bottom = self._rows_px
        rows = max(1, (bottom - top) // slot)
        pitch = (bottom - top) / rows
        placed: list[Placed] = []
        for row in range(rows):
            x = column * slot + int(slot * dice.uniform(0.2, 0.8))
            y = top + int(pitch * (row + dice.uniform(0.2, 0.8)))
            if dice.chance(style.filled):
                placed += self._part(dice, x, y)
            if dice.chance(style.clutter):
                length = style.length_px[1] * dice.uniform(0.2, 0.62)
                sprite = render_sprite(
                    dice.choose(CLUTTER), max(8, length), dice.uniform(0, 2 * math.pi), self._light, dice
                )
                across = x + int(slot * dice.uniform(-0.5, 0.5)), y + int(pitch * dice.uniform(-0.5, 0.5))
                placed.append(Placed(None, *across, dice.uniform(0, 0.8), sprite))
        return placed

    def _part(self, dice: Dice, x: int, y: int) -> list[Placed]:
        style = self._style
        label = dice.choose(LABELS)
        least, most = style.length_px
        if style.relative:
            small, large = RELATIVE_SIZE[label]
            length = max(least, most * dice.uniform(small, large))
        else:
            length = dice.uniform(least, most)
        sprite = render_sprite(PARTS[label], length, dice.uniform(0, 2 * math.pi), self._light, dice)
        z = dice.uniform(0.1, 0.9)
        part = Placed(label, x, y, z, sprite)
        return [part, _cover(part, dice, self._light)] if style.covered else [part]


def _cover(part: Placed, dice: Dice, light: Light) -> Placed:
    """Something laid over ``part`` so that 30 to 60 percent of it are hidden: slid in from a side until enough is."""
    length = part.sprite.size_px * dice.uniform(0.75, 1.15)
    turn = dice.uniform(0, 2 * math.pi)
    wanted = dice.uniform(HARD_OCCLUSION + 0.03, _COVER_MOST)
    while True:
        cover = render_sprite(dice.choose(COVERS), length, dice.uniform(0, 2 * math.pi), light, dice)
        for step in range(int(length * 1.5), -1, -1):
            at = (part.x + int(step * math.cos(turn)), part.y + int(step * math.sin(turn)))
            if _hidden(part, cover, at) >= wanted:
                return Placed(None, *at, part.z + 1e-6, cover)
        length *= 1.3  # too slim to hide enough even when centred


def _hidden(part: Placed, cover: Sprite, at: tuple[int, int]) -> float:
    """The share of ``part``'s silhouette under ``cover`` centred at ``at``."""
    below, above = part.sprite.mask, cover.mask
    dx = at[0] + cover.left - part.x - part.sprite.left
    dy = at[1] + cover.top - part.y - part.sprite.top
    x0, y0 = max(0, dx), max(0, dy)
    x1, y1 = min(below.shape[1], dx + above.shape[1]), min(below.shape[0], dy + above.shape[0])
    if x1 <= x0 or y1 <= y0:
        return 0.0
    both = below[y0:y1, x0:x1] & above[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
    return int(np.count_nonzero(both)) / max(1, part.sprite.mask_px)
