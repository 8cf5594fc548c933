"""Box arithmetic: arrays in, arrays out. Corner boxes are (x1, y1, x2, y2) in continuous pixels, x2 > x1."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating)
Boxes = NDArray[np.float32]


def xywh_to_xyxy(boxes_cxcywh: Boxes) -> Boxes:
    """(N, 4) centre and size -> (N, 4) corners, a new array."""
    corners = np.empty_like(boxes_cxcywh)
    half = boxes_cxcywh[:, 2:] * 0.5
    np.subtract(boxes_cxcywh[:, :2], half, out=corners[:, :2])
    np.add(boxes_cxcywh[:, :2], half, out=corners[:, 2:])
    return corners


def xyxy_to_xywh(boxes_xyxy: Boxes) -> Boxes:
    """(N, 4) corners -> (N, 4) centre and size, a new array."""
    centres = np.empty_like(boxes_xyxy)
    np.add(boxes_xyxy[:, :2], boxes_xyxy[:, 2:], out=centres[:, :2])
    centres[:, :2] *= 0.5
    np.subtract(boxes_xyxy[:, 2:], boxes_xyxy[:, :2], out=centres[:, 2:])
    return centres


def clip_xyxy(boxes_xyxy: Boxes, size_hw: tuple[int, int]) -> Boxes:
    """Corners clipped to ``0..width`` and ``0..height``, a new (N, 4) array."""
    height, width = size_hw
    return np.clip(boxes_xyxy, 0.0, np.array([width, height, width, height], np.float32))


def area_xyxy(boxes_xyxy: NDArray[Float]) -> NDArray[Float]:
    """(N,) areas in square pixels, in the boxes' own precision; inverted boxes have none."""
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    areas: NDArray[Float] = sides[:, 0] * sides[:, 1]
    return areas


def iou_matrix(left_xyxy: NDArray[Float], right_xyxy: NDArray[Float]) -> NDArray[Float]:
    """(N, M) intersection over union of every pair, in the boxes' own precision; 0 where both boxes are empty."""
    low = np.maximum(left_xyxy[:, None, :2], right_xyxy[None, :, :2])
    high = np.minimum(left_xyxy[:, None, 2:], right_xyxy[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = area_xyxy(left_xyxy)[:, None] + area_xyxy(right_xyxy)[None, :] - shared
    ratio: NDArray[Float] = np.zeros_like(shared)
    np.divide(shared, union, out=ratio, where=union > 0)
    return ratio
