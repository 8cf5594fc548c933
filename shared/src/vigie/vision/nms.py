"""Greedy, class-aware non-maximum suppression in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Candidates are taken in blocks of this many: the pairwise mask of a block stays in the cache (16 kB a plane), and a
# crowd costs kept x candidates in a few large operations instead of one small one for each kept box.
_BLOCK = 64


def nms(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    *,
    iou_max: float,
    limit: int = 300,
    block_size: int = _BLOCK,
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first, at most ``limit``.

    A box falls if a better kept box *of its own class* overlaps it by more than ``iou_max`` (equal stays);
    equal scores keep their input order. Classes are compared, not shifted apart by an offset, so that large
    coordinates lose no float32 precision.

    Args: boxes_xyxy: (N, 4) float32. scores: (N,) float32, finite. class_ids: (N,) int32. block_size: costs time only.
    Returns: (K,) indices into the inputs.
    Source: the greedy rule of torchvision.ops.batched_nms.
    """
    count = len(scores)
    if count == 0:
        return np.empty(0, np.intp)
    order = np.argsort(-scores, kind="stable")
    if count == 1:
        return order
    sides = np.ascontiguousarray(boxes_xyxy[order].T, np.float32)
    classes = class_ids[order]
    kept: list[int] = []
    for start in range(0, count, block_size):
        block = np.arange(start, min(start + block_size, count))
        if kept:
            block = block[~_falls(sides, classes, kept, block, iou_max).any(axis=0)]
        kept += _walk(block, _falls(sides, classes, block, block, iou_max))
        if len(kept) >= limit:
            break
    return order[kept[:limit]]


def _walk(block: NDArray[np.intp], falls: NDArray[np.bool_]) -> list[int]:
    """The greedy choice within a block: each box still standing stays and fells those after it."""
    kept: list[int] = []
    gone = np.zeros(len(block), bool)
    for at, index in enumerate(block.tolist()):
        if not gone[at]:
            kept.append(index)
            gone |= falls[at]
    return kept


def _falls(
    sides: NDArray[np.float32],
    classes: NDArray[np.int32],
    better: list[int] | NDArray[np.intp],
    worse: NDArray[np.intp],
    iou_max: float,
) -> NDArray[np.bool_]:
    """(len(better), len(worse)): whether the one fells the other. ``sides`` (4, N): x1, y1, x2, y2."""
    left, right = sides[:, better], sides[:, worse]
    shared = np.minimum(left[2][:, None], right[2])
    shared -= np.maximum(left[0][:, None], right[0])
    np.maximum(shared, 0.0, out=shared)
    other = np.minimum(left[3][:, None], right[3])
    other -= np.maximum(left[1][:, None], right[1])
    np.maximum(other, 0.0, out=other)
    shared *= other
    np.add(_areas(left)[:, None], _areas(right), out=other)
    other -= shared
    other *= np.float32(iou_max)
    # Compared as products: a division would make 0/0 of two empty boxes.
    falls: NDArray[np.bool_] = shared > other
    falls &= classes[better][:, None] == classes[worse]
    return falls


def _areas(sides: NDArray[np.float32]) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = np.maximum(sides[2] - sides[0], 0.0) * np.maximum(sides[3] - sides[1], 0.0)
    return areas
