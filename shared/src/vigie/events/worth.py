"""How well an object is seen in a frame. Pure."""

from __future__ import annotations

import math

from vigie.contracts.detections import Detection

# A box that touches the picture's edge is cut off.
_EDGE_PX = 2.0


def worth_of(found: Detection, frame_hw: tuple[int, int]) -> float:
    """Its score times its size in pixels; half as much where it is cut off."""
    left, top, right, bottom = found.box_xyxy
    size = math.sqrt(max(0.0, right - left) * max(0.0, bottom - top))
    cut = min(left, top, frame_hw[1] - right, frame_hw[0] - bottom) < _EDGE_PX
    return found.score * size * (0.5 if cut else 1.0)
