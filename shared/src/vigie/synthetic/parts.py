"""The parts on the belt: one drawer per class, each of many designs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.canvas import Canvas, Floats, Mask, triangle_wave
from vigie.synthetic.randomness import Dice
from vigie.synthetic.relief import (
    BLACK_OXIDE,
    BRASS,
    CAST,
    COPPER,
    NYLON,
    RUBBER,
    RUSTY,
    SEAL_BROWN,
    STEEL,
    YELLOW_ZINC,
    ZINC,
    Relief,
)

_METALS: Final = (STEEL, STEEL, ZINC, ZINC, YELLOW_ZINC, BRASS, BLACK_OXIDE, RUSTY)


def bolt(canvas: Canvas, dice: Dice) -> Relief:
    """A hexagon-head bolt on its side, head at u = -1: flats, shank, thread, chamfered tip."""
    u, v = canvas.u, canvas.v
    head = dice.uniform(0.24, 0.36)
    head_half = dice.uniform(0.30, 0.42)
    shank = head_half * dice.uniform(0.48, 0.62)
    thread_from = dice.uniform(-0.7, 0.25)
    pitch = dice.uniform(0.075, 0.11)
    across = np.abs(v)
    # Three flats are seen: the one on top, and two that fall away to the sides.
    flats = np.minimum(0.87 * head_half, (head_half - across) * 1.5 + 0.35 * head_half)
    flats = np.where((u + 1) < 0.07, flats - (0.07 - (u + 1)) * 0.9, flats)
    in_head = (u >= -1) & (u <= head - 1) & (across <= head_half - np.maximum(0, 0.05 - (u + 1)) * 1.1)
    threaded = u > thread_from
    ridge = np.where(threaded, triangle_wave((u + 0.16 * v) / np.float32(pitch)) * (0.45 * pitch), 0.4 * pitch)
    radius = shank - 0.45 * pitch + ridge - np.maximum(0, u - 0.93) * 1.3
    in_shank = (u > head - 1) & (u <= 1) & (across <= radius)
    round_height = np.sqrt(np.maximum(radius * radius - v * v, 0)) + (0.87 * head_half - shank) * 0.3
    flange = (u > head - 1) & (u <= head - 0.96) & (across <= head_half * 0.96)
    height = np.where(in_head, flats, np.where(flange, 0.6 * head_half, round_height))
    return Relief(_f32(height), in_head | in_shank | flange, dice.choose(_METALS))


def nut(canvas: Canvas, dice: Dice) -> Relief:
    """A hexagon nut lying flat: chamfered corners, threaded hole; sometimes with a nylon ring or a flange."""
    hexagon = _hexagon(canvas)
    radius = canvas.radius()
    hole = dice.uniform(0.42, 0.54)
    thick = dice.uniform(0.35, 0.55)
    top = np.minimum(thick, thick - (radius - 0.84) * 0.75)
    rim = np.minimum((0.866 - hexagon) * 2.5 + 0.6 * thick, 2.0)
    mouth = np.minimum((radius - hole) * 1.6 + 0.55 * thick, 2.0)
    height = np.minimum(np.minimum(top, rim), mouth)
    inside = (hexagon <= 0.866) & (radius >= hole - 0.06)
    # The first thread turns are seen in the mouth of the hole.
    height = np.where(radius < hole, thick * 0.25 + 0.08 * triangle_wave(radius * 30), height)
    second = None
    if dice.chance(0.2):
        second = (NYLON, inside & (radius < hole + 0.13))
    return Relief(_f32(height), inside, dice.choose(_METALS), second)


def washer(canvas: Canvas, dice: Dice) -> Relief:
    """A plain washer, or a split spring washer."""
    radius = canvas.radius()
    split = dice.chance(0.3)
    hole = dice.uniform(0.60, 0.68) if split else dice.uniform(0.42, 0.56)
    thick = 0.22 if split else dice.uniform(0.08, 0.14)
    edge = np.minimum(radius - hole, 1 - radius)
    height = np.minimum(thick, thick * 0.45 + edge * 1.1)
    inside = (radius >= hole) & (radius <= 1)
    if split:
        height = height + 0.08 * canvas.v
        inside &= ~((canvas.u > 0) & (np.abs(canvas.v + 0.35 * (canvas.u - 0.8)) < 0.05))
    return Relief(_f32(height), inside, dice.choose((*_METALS, COPPER)))


def gear(canvas: Canvas, dice: Dice) -> Relief:
    """A spur gear: trapezoid teeth, hub, bore; solid, recessed, or with round cut-outs."""
    teeth = dice.whole(11, 24)
    root = 1 - min(0.24, 3.4 / teeth)
    outline = []
    for tooth in range(teeth):
        for at, radius_at in ((-0.27, root), (-0.15, 1.0), (0.15, 1.0), (0.27, root)):
            turn = 2 * math.pi * (tooth + at) / teeth
            outline.append((radius_at * math.cos(turn), radius_at * math.sin(turn)))
    inside = canvas.polygon(outline)
    radius = canvas.radius()
    bore = dice.uniform(0.16, 0.26)
    hub = bore + dice.uniform(0.10, 0.16)
    thick = dice.uniform(0.16, 0.26)
    height = np.minimum(thick, thick * 0.55 + (1 - radius) * 1.2)
    web = (radius > hub) & (radius < root - 0.16)
    height = np.where(web, thick * dice.uniform(0.45, 1.0), height)
    height = np.where(radius <= hub, thick + np.minimum(0.1, (hub - radius) * 1.5 + 0.04), height)
    inside &= radius >= bore
    if dice.chance(0.45):
        middle, size = (hub + root - 0.16) / 2, (root - 0.16 - hub) * 0.42
        count = dice.whole(4, 6)
        for k in range(count):
            turn = 2 * math.pi * k / count
            inside &= canvas.radius(middle * math.cos(turn), middle * math.sin(turn)) > size
    elif dice.chance(0.5):
        inside &= ~((np.abs(canvas.v) < bore * 0.35) & (canvas.u > 0) & (canvas.u < bore * 1.35))
    return Relief(_f32(height), inside, dice.choose((STEEL, STEEL, CAST, BRASS, BLACK_OXIDE, NYLON, RUSTY)))


def bearing(canvas: Canvas, dice: Dice) -> Relief:
    """A ball bearing: two bright races, and between them balls in a cage or a rubber seal."""
    radius = canvas.radius()
    bore = dice.uniform(0.34, 0.46)
    inner = bore + dice.uniform(0.12, 0.15)
    outer = 1 - dice.uniform(0.12, 0.16)
    thick = 0.38
    races = np.minimum(thick, thick * 0.7 + np.minimum(1 - radius, radius - bore) * 1.4)
    between = (radius > inner) & (radius < outer)
    inside = (radius <= 1) & (radius >= bore)
    if dice.chance(0.5):
        dish = thick - 0.06 + 0.03 * triangle_wave((radius - inner) / np.float32((outer - inner) / 2))
        return Relief(
            _f32(np.where(between, dish, races)), inside, STEEL, (dice.choose((RUBBER, RUBBER, SEAL_BROWN)), between)
        )
    height = np.where(between, thick * 0.35, races)
    middle, ball = (inner + outer) / 2, (outer - inner) * 0.44
    count = max(6, min(14, int(2 * math.pi * middle / (2.7 * ball))))
    balls = np.zeros(height.shape, np.bool_)
    for k in range(count):
        turn = 2 * math.pi * k / count
        distance = canvas.radius(middle * math.cos(turn), middle * math.sin(turn))
        on_ball = distance < ball
        balls |= on_ball
        height = np.where(on_ball, thick * 0.4 + np.sqrt(np.maximum(ball * ball - distance * distance, 0)), height)
    cage = dice.choose((BRASS, CAST))
    return Relief(_f32(height), inside, STEEL, (cage, between & ~balls))


def spring(canvas: Canvas, dice: Dice) -> Relief:
    """A compression spring on its side: wire seen in front and, between the turns, behind."""
    u, v = canvas.u, canvas.v
    half = dice.uniform(0.30, 0.42)
    turns = dice.whole(6, 10)
    wire = dice.uniform(0.34, 0.5) / turns
    pitch = (2 - 2 * wire) / turns
    slant = 0.5 * pitch / (2 * half)
    reach = 1 - (v / np.float32(half)) ** 2
    front = _coil(u - slant * v, pitch, wire)
    back = _coil(u + slant * v + pitch / 2, pitch, wire)
    # A turn closes at the sides, where front and back meet.
    envelope = (np.abs(v) <= half) & (np.abs(u) <= 1)
    seen_front = envelope & (front > 0)
    seen_back = envelope & (back > 0) & ~seen_front
    bulge = np.sqrt(np.maximum(reach, 0)) * half
    height = np.where(seen_front, half + 0.7 * bulge + front, np.where(seen_back, half - 0.8 * bulge + back, 0))
    shade = np.where(seen_back, np.float32(0.6), np.float32(1.0))
    material = dice.choose((STEEL, ZINC, BLACK_OXIDE, COPPER, YELLOW_ZINC))
    return Relief(_f32(height), seen_front | seen_back, material, tint=_f32(shade))


def bracket(canvas: Canvas, dice: Dice) -> Relief:
    """An L-shaped plate with rounded ends and holes, one arm lifted a little."""
    # The L is larger than its unit circle: shrunk and moved so that no corner leaves the canvas.
    scale, lift = 1.4, 0.2
    u, v = canvas.u * np.float32(scale), canvas.v * np.float32(scale) + np.float32(lift)
    arm = dice.uniform(0.24, 0.32)
    short = dice.uniform(0.75, 1.25)
    top, left = -0.62, -1.0
    long_arm = _rounded(u, v, (left, top, 1.0, top + 2 * arm), 0.12)
    short_arm = _rounded(u, v, (left, top, left + 2 * arm, top + 2 * arm + short), 0.12)
    edge = np.maximum(long_arm, short_arm)
    holes = [(1.0 - arm, top + arm), (left + arm, top + 2 * arm + short - arm), (left + arm, top + arm)]
    if dice.chance(0.5):
        holes.append((0.0, top + arm))
    bore = arm * dice.uniform(0.36, 0.5)
    for at_u, at_v in holes:
        edge = np.minimum(edge, canvas.radius(at_u / scale, (at_v - lift) / scale) * np.float32(scale) - bore)
    thick = dice.uniform(0.07, 0.11)
    height = np.minimum(thick, thick * 0.4 + edge * 1.4) + 0.05 * u
    material = dice.choose((ZINC, STEEL, YELLOW_ZINC, BLACK_OXIDE, CAST))
    return Relief(_f32(height + 0.06), edge >= 0, material)


PARTS: Final[dict[str, Callable[[Canvas, Dice], Relief]]] = {
    "bolt": bolt,
    "nut": nut,
    "washer": washer,
    "gear": gear,
    "bearing": bearing,
    "spring": spring,
    "bracket": bracket,
}
LABELS: Final[tuple[str, ...]] = tuple(PARTS)

# Real ones differ in size as well: length as a share of the largest on this belt.
RELATIVE_SIZE: Final[dict[str, tuple[float, float]]] = {
    "bolt": (0.65, 1.0),
    "nut": (0.38, 0.68),
    "washer": (0.36, 0.7),
    "gear": (0.55, 1.0),
    "bearing": (0.5, 0.95),
    "spring": (0.55, 1.0),
    "bracket": (0.7, 1.0),
}


def _coil(along: NDArray[np.floating[Any]], pitch: float, wire: float) -> Floats:
    """Height of wires of half width ``wire`` across their run; 0 between them."""
    phase = along / np.float32(pitch)
    distance = np.abs(phase - np.floor(phase + np.float32(0.5))) * np.float32(pitch)
    return _f32(np.sqrt(np.maximum(wire * wire - distance * distance, 0)))


def _hexagon(canvas: Canvas) -> Floats:
    u, v = np.abs(canvas.u), np.abs(canvas.v)
    return _f32(np.maximum(v, u * np.float32(0.8660254) + v * np.float32(0.5)))


def _rounded(u: Floats, v: Floats, box: tuple[float, float, float, float], corner: float) -> Floats:
    """Depth inside a rounded rectangle (left, top, right, bottom): positive inside, negative outside."""
    left, top, right, bottom = box
    du = np.abs(u - np.float32((left + right) / 2)) - np.float32((right - left) / 2 - corner)
    dv = np.abs(v - np.float32((top + bottom) / 2)) - np.float32((bottom - top) / 2 - corner)
    au, av = np.maximum(du, 0), np.maximum(dv, 0)
    outside = np.sqrt(au * au + av * av)
    return _f32(corner - outside - np.minimum(np.maximum(du, dv), 0))


def _f32(array: Floats | Mask) -> Floats:
    return np.asarray(array, np.float32)
