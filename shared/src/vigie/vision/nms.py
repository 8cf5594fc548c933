"""Greedy, class-aware non-maximum suppression in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Above this many boxes the pairwise mask costs more than walking the kept ones (0.5 MB of bool at 700).
_PAIRWISE_LIMIT = 160


def nms(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    *,
    iou_max: float,
    limit: int = 300,
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first, at most ``limit``.

    A box falls if a better kept box *of its own class* overlaps it by more than ``iou_max`` (equal stays);
    equal scores keep their input order. Classes are compared, not shifted apart by an offset, so that large
    coordinates lose no float32 precision.

    Args: boxes_xyxy: (N, 4) float32. scores: (N,) float32, finite. class_ids: (N,) int32.
    Returns: (K,) indices into the inputs.
    Source: the greedy rule of torchvision.ops.batched_nms.
    """
    count = len(scores)
    if count == 0:
        return np.empty(0, np.intp)
    order = np.argsort(-scores, kind="stable")
    if count == 1:
        return order
    boxes = boxes_xyxy[order]
    classes = class_ids[order]
    kept = (
        _walk_mask(boxes, classes, iou_max, limit)
        if count <= _PAIRWISE_LIMIT
        else _walk_rows(boxes, classes, iou_max, limit)
    )
    return order[kept]


def _walk_mask(boxes: NDArray[np.float32], classes: NDArray[np.int32], iou_max: float, limit: int) -> list[int]:
    x1, y1, x2, y2 = boxes.T
    area = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    shared = np.minimum(x2[:, None], x2)
    shared -= np.maximum(x1[:, None], x1)
    np.maximum(shared, 0.0, out=shared)
    high = np.minimum(y2[:, None], y2)
    high -= np.maximum(y1[:, None], y1)
    np.maximum(high, 0.0, out=high)
    shared *= high
    np.add(area[:, None], area, out=high)
    high -= shared
    high *= np.float32(iou_max)
    falls = shared > high
    falls &= classes[:, None] == classes
    kept: list[int] = []
    gone = np.zeros(len(boxes), bool)
    for index in range(len(boxes)):
        if gone[index]:
            continue
        kept.append(index)
        if len(kept) == limit:
            break
        gone |= falls[index]
    return kept


def _walk_rows(boxes: NDArray[np.float32], classes: NDArray[np.int32], iou_max: float, limit: int) -> list[int]:
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    area = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    left = np.arange(len(boxes))
    kept: list[int] = []
    while left.size and len(kept) < limit:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        wide = np.minimum(x2[left], x2[best]) - np.maximum(x1[left], x1[best])
        high = np.minimum(y2[left], y2[best]) - np.maximum(y1[left], y1[best])
        shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
        falls = shared > np.float32(iou_max) * (area[left] + area[best] - shared)
        falls &= classes[left] == classes[best]
        left = left[~falls]
    return kept
