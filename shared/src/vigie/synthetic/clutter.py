"""What lies on a belt and is no part: swarf, paper tags, cardboard, cable ties, chips of wood. Never in the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from vigie.synthetic.canvas import Canvas, triangle_wave
from vigie.synthetic.randomness import Dice
from vigie.synthetic.relief import CARDBOARD, NYLON, PAPER, RUBBER, STEEL, WOOD, ZINC, Relief


def swarf(canvas: Canvas, dice: Dice) -> Relief:
    """A curl of metal from a lathe."""
    turns, grow = dice.uniform(0.6, 1.6), dice.uniform(0.2, 0.5)
    line = []
    for step in range(40):
        t = step / 39
        radius = grow + (0.85 - grow) * t
        angle = 2 * math.pi * turns * t
        line.append((radius * math.cos(angle), radius * math.sin(angle) * dice.uniform(0.97, 1.0)))
    inside = canvas.stroke(line, dice.uniform(0.05, 0.1))
    height = 0.1 + 0.12 * triangle_wave(canvas.radius() * 3)
    return Relief(np.asarray(height, np.float32), inside, dice.choose((STEEL, ZINC)))


def tag(canvas: Canvas, dice: Dice) -> Relief:
    """A paper tag with printed lines."""
    tall = dice.uniform(0.4, 0.75)
    u, v = canvas.u, canvas.v
    inside = (np.abs(u) <= 0.82) & (np.abs(v) <= tall)
    lines = dice.whole(3, 6)
    row = (v / np.float32(tall) + 1) * (lines / 2)
    printed = (np.abs(row - np.floor(row) - 0.5) < 0.16) & (np.abs(u) < dice.uniform(0.5, 0.72))
    tint = np.where(printed, 0.35, 1.0)
    height = 0.03 + 0.03 * (u + 1)
    return Relief(np.asarray(height, np.float32), inside, PAPER, tint=np.asarray(tint, np.float32))


def cardboard(canvas: Canvas, dice: Dice) -> Relief:
    """A torn piece of cardboard with its flutes showing."""
    count = dice.whole(5, 8)
    outline = [
        (
            dice.uniform(0.6, 1.0) * math.cos(2 * math.pi * k / count),
            dice.uniform(0.5, 0.9) * math.sin(2 * math.pi * k / count),
        )
        for k in range(count)
    ]
    inside = canvas.polygon(outline)
    height = 0.08 + 0.025 * triangle_wave(canvas.v * np.float32(dice.uniform(6, 10)))
    return Relief(np.asarray(height, np.float32), inside, CARDBOARD)


def cable_tie(canvas: Canvas, dice: Dice) -> Relief:
    """A cut cable tie."""
    bend = dice.uniform(-0.5, 0.5)
    line = [(t / 10 - 1, bend * (1 - (t / 10 - 1) ** 2) - bend / 2) for t in range(21)]
    inside = canvas.stroke(line, dice.uniform(0.06, 0.1))
    head = (np.abs(canvas.u + 0.92) < 0.09) & (np.abs(canvas.v + bend / 2) < 0.11)
    height = 0.08 + 0.03 * triangle_wave(canvas.u * 18)
    return Relief(np.asarray(np.where(head, 0.16, height), np.float32), inside | head, dice.choose((NYLON, RUBBER)))


def chip(canvas: Canvas, dice: Dice) -> Relief:
    """A chip of wood or rubber."""
    count = dice.whole(4, 7)
    outline = [
        (math.cos(2 * math.pi * k / count), dice.uniform(0.2, 0.6) * math.sin(2 * math.pi * k / count))
        for k in range(count)
    ]
    inside = canvas.polygon(outline)
    height = 0.2 - 0.12 * np.abs(canvas.v) + 0.02 * triangle_wave(canvas.v * 9 + canvas.u)
    return Relief(np.asarray(height, np.float32), inside, dice.choose((WOOD, WOOD, RUBBER)))


CLUTTER: Final[tuple[Callable[[Canvas, Dice], Relief], ...]] = (swarf, swarf, tag, cable_tie, chip, chip)
# Large and flat: what hides a part in the hard split.
COVERS: Final[tuple[Callable[[Canvas, Dice], Relief], ...]] = (tag, cardboard, cardboard, chip)
