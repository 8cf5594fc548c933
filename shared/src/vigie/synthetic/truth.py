"""What is known about a rendered frame: every part, where it can be seen, and how hard that is."""

from __future__ import annotations

from typing import Final, NamedTuple

# A part of which less can be seen is not asked for: nobody could name it.
MIN_VISIBLE: Final = 0.2
# The hard split (issue of the shipped detector): a part is hard for one of these reasons.
HARD_OCCLUSION: Final = 0.30
HARD_SIZE_PX: Final = 16


class PartTruth(NamedTuple):
    """One part in one frame.

    ``box_xyxy``: left, top, right, bottom of its visible pixels, in pixels; right and bottom are one past the last.
    ``occlusion``: 0..1, the share of its silhouette that something covers or that lies outside the frame.
    ``size_px``: the longer side of its whole silhouette, hidden pixels included.
    ``part``: names it in every frame of its shot (where on the belt it lies); no two parts share one.
    """

    label: str
    box_xyxy: tuple[int, int, int, int]
    occlusion: float
    size_px: int
    part: tuple[int, int]
