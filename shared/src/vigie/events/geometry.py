"""Points, polygons and lines in shares of the picture. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]

# A side of an edge counts when the object is clear of it by this share of its box's width: one that stands there and
# jitters changes sides hundreds of times a minute.
BAND = 0.15


def anchors_of(box_xyxy: tuple[float, float, float, float], frame_hw: tuple[int, int]) -> dict[str, Point]:
    """The middle of a box's lower edge (``bottom``) and of the box (``centre``), in shares of the picture."""
    left, top, right, bottom = box_xyxy
    height, width = frame_hw
    x = (left + right) / 2 / width
    return {"bottom": (x, bottom / height), "centre": (x, (top + bottom) / 2 / height)}


def bounds(corners: Sequence[Point]) -> tuple[float, float, float, float]:
    """Least x, least y, greatest x, greatest y."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def inside(point: Point, corners: Sequence[Point]) -> bool:
    """Whether a polygon holds ``point``: it crosses the edges to one side of it an odd number of times."""
    x, y = point
    odd = False
    x1, y1 = corners[-1]
    for x2, y2 in corners:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
        x1, y1 = x2, y2
    return odd


def offside_px(point: Point, line: Sequence[Point], frame_hw: tuple[int, int]) -> float:
    """Pixels from ``point`` to the endless line: positive to the right of who walks from its first to its second."""
    height, width = frame_hw
    (ax, ay), (bx, by) = ((x * width, y * height) for x, y in line)
    dx, dy = bx - ax, by - ay
    length = (dx * dx + dy * dy) ** 0.5
    return (dx * (point[1] * height - ay) - dy * (point[0] * width - ax)) / length if length else 0.0


def clearance_px(point: Point, corners: Sequence[Point], frame_hw: tuple[int, int]) -> float:
    """Pixels from ``point`` to the nearest edge of a polygon, whichever side of it the point is on."""
    height, width = frame_hw
    x, y = point[0] * width, point[1] * height
    nearest = float("inf")
    ax, ay = corners[-1][0] * width, corners[-1][1] * height
    for corner in corners:
        bx, by = corner[0] * width, corner[1] * height
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        along = max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / length)) if length else 0.0
        nearest = min(nearest, math.hypot(x - ax - along * dx, y - ay - along * dy))
        ax, ay = bx, by
    return nearest


def segments_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the way from ``a`` to ``b`` goes through the segment from ``c`` to ``d``; touching counts."""

    def turn(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return turn(a, b, c) * turn(a, b, d) <= 0 and turn(c, d, a) * turn(c, d, b) <= 0
