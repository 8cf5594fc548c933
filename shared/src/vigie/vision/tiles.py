"""Where a frame is looked at: a part of it, in tiles that overlap, and as a whole. Whole pixels, no arrays.

Source of the idea: Akyon et al., Slicing Aided Hyper Inference (SAHI), 2022. A grid rather than a tile's size: what a
frame costs is then the same whatever size the camera sends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Box = tuple[int, int, int, int]
Shares = tuple[float, float, float, float]

WHOLE: Final[Shares] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """``columns`` x ``rows`` tiles, each sharing ``overlap`` (0..0.5) of its side with the next; ``whole``: and all."""

    columns: int
    rows: int
    overlap: float
    whole: bool


def plan_views(frame_hw: tuple[int, int], shares_xyxy: Shares, grid: Grid | None) -> tuple[Box, ...]:
    """Boxes (left, top, right, bottom) to look at, the whole region first where it is wanted, then row by row.

    Sides lie on even pixels or on the frame's edge, so that planes with halved chroma can be cut there; a tile grows
    for that and never shrinks. Every pixel of the region is in one of them, and none is empty.

    Args: frame_hw: in pixels. shares_xyxy: the region in shares of the frame, left < right and top < bottom.
    """
    height, width = frame_hw
    across = _side(shares_xyxy[0] * width, shares_xyxy[2] * width, width)
    down = _side(shares_xyxy[1] * height, shares_xyxy[3] * height, height)
    region = (across[0], down[0], across[1], down[1])
    if grid is None or grid.columns * grid.rows == 1:
        return (region,)
    columns = _cut(*across, grid.columns, grid.overlap, width)
    rows = _cut(*down, grid.rows, grid.overlap, height)
    # A frame of a few pixels gives the same tile twice.
    tiles = tuple(dict.fromkeys((left, top, right, bottom) for top, bottom in rows for left, right in columns))
    return (region, *(tile for tile in tiles if tile != region)) if grid.whole else tiles


def _cut(first: int, last: int, count: int, overlap: float, edge: int) -> list[tuple[int, int]]:
    length = (last - first) / (count - (count - 1) * overlap)
    step = length * (1 - overlap)
    sides = [_side(first + index * step, first + index * step + length, edge) for index in range(count)]
    return [
        (max(first, low), last if index == count - 1 else min(last, high)) for index, (low, high) in enumerate(sides)
    ]


def _side(low: float, high: float, edge: int) -> tuple[int, int]:
    """From the even pixel at or before ``low`` to the one at or after ``high``, or the edge; at least one pixel."""
    # A share such as 0.57 of 100 is 56.99999999999999.
    begin = min(math.floor(low + 1e-6), edge - 1) & ~1
    end = math.ceil(high - 1e-6)
    return begin, min(edge, max(end + (end & 1), begin + 2))
