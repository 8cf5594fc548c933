"""From the picture to the ground: where something stands in metres, and how fast it moves. Pure.

Four points that lie on one plane give the projection between picture and plane (a homography).
Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision", 2004, 4.1: eight linear equations.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from vigie.events.geometry import Point

Homography = tuple[float, float, float, float, float, float, float, float, float]

# A speed is that over so long: a box jitters from frame to frame. Below the least there is none yet.
_WINDOW_S, _LEAST_S = 1.0, 0.4
_PIVOT_LEAST = 1e-9


def homography(points: Sequence[Point], metres: Sequence[Point]) -> Homography:
    """The nine numbers h with x' = (h0 x + h1 y + h2) / (h6 x + h7 y + h8), and y' of h3 to h5; of four pairs.

    The divisor is positive below the horizon, where the four points are.

    Raises: ValueError: three of the points lie on a line, or two are the same.
    """
    rows: list[list[float]] = []
    for (x, y), (east, north) in zip(points, metres, strict=True):
        rows.append([x, y, 1.0, 0.0, 0.0, 0.0, -east * x, -east * y, east])
        rows.append([0.0, 0.0, 0.0, x, y, 1.0, -north * x, -north * y, north])
    if _flat(points) or _flat(metres):
        raise ValueError("three of the four points lie on a line: take the corners of a rectangle on the ground")
    for column in range(8):
        pivot = max(range(column, 8), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        if abs(rows[column][column]) < _PIVOT_LEAST:
            raise ValueError("the four points give no projection: check their order, in the picture and in metres")
        for row in range(8):
            if row != column and (share := rows[row][column] / rows[column][column]):
                rows[row] = [one - share * other for one, other in zip(rows[row], rows[column], strict=True)]
    a, b, c, d, e, f, g, h = (rows[n][8] / rows[n][n] for n in range(8))
    signs = {math.copysign(1.0, g * x + h * y + 1.0) for x, y in points}
    if len(signs) > 1:
        raise ValueError("the four points are not in the same order around in the picture and in metres")
    sign = signs.pop()
    return sign * a, sign * b, sign * c, sign * d, sign * e, sign * f, sign * g, sign * h, sign


def on_ground(h: Homography, point: Point) -> Point | None:
    """Where ``point`` of the picture is, in metres; None: at or above the horizon."""
    x, y = point
    depth = h[6] * x + h[7] * y + h[8]
    if depth <= _PIVOT_LEAST:
        return None
    return (h[0] * x + h[1] * y + h[2]) / depth, (h[3] * x + h[4] * y + h[5]) / depth


@dataclass(slots=True)
class GroundSpeed:
    """How fast one object moves over the ground."""

    _places: deque[tuple[float, Point]] = field(default_factory=deque)
    speed: float | None = None

    def see(self, place: Point | None, at_s: float) -> None:
        """It stands there now. ``speed``, in metres per second: over the last second; None: not known yet."""
        if place is None:
            return
        places = self._places
        places.append((at_s, place))
        while at_s - places[0][0] > _WINDOW_S and len(places) > 2 and at_s - places[1][0] >= _LEAST_S:
            places.popleft()
        since_s, begun = places[0]
        took_s = at_s - since_s
        self.speed = math.dist(begun, place) / took_s if took_s >= _LEAST_S else None


def _flat(corners: Sequence[Point]) -> bool:
    """Whether three of the four lie on a line, compared with how far they are apart."""
    for left_out in range(4):
        (ax, ay), (bx, by), (cx, cy) = (one for n, one in enumerate(corners) if n != left_out)
        twice_area = abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        longest = max(math.dist((ax, ay), (bx, by)), math.dist((bx, by), (cx, cy)), math.dist((ax, ay), (cx, cy)))
        if twice_area <= 1e-3 * longest * longest:
            return True
    return False
