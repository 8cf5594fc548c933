"""Class masks: all that one frame shows of one class, a fine grid stretched over the box around it.

A class mask is told by the same runs as an object's mask. Its box ends where its last cell does, so two that differ by
one stray cell may have boxes that hardly overlap: class masks are compared cell by cell where they lie.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

GRID = 64
# Of all class masks of one frame together. A run takes 2 to 5 characters: at most 20 kB of a message, usually 3.
RUNS_MAX = 4000
# Class masks are compared on a grid of this side over everything that either side shows.
_CANVAS = 256


def class_mask_of(inside: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The box of the cells (h, w) that are inside, as x1, y1, x2, y2 in shares of the sides, and its (GRID, GRID).

    Raises: ValueError: no cell is inside.
    """
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        raise ValueError("a class mask without a cell")
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    height, width = inside.shape
    box = np.array([left / width, top / height, right / width, bottom / height], np.float32)
    steps = (np.arange(GRID) + 0.5) / GRID
    at_y = top + (steps * (bottom - top)).astype(np.intp)
    at_x = left + (steps * (right - left)).astype(np.intp)
    return box, inside[np.ix_(at_y, at_x)]


def within_budget(class_masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, G, G): the class masks at the finest grid at which all of them take no more than ``RUNS_MAX`` runs."""
    while class_masks.shape[-1] > 2 and _count_runs(class_masks) > RUNS_MAX:
        half = class_masks.shape[-1] // 2
        shares = class_masks.reshape(len(class_masks), half, 2, half, 2).mean(axis=(2, 4))
        # A class mask never loses its last cell: what is told to be there has a place.
        least = np.maximum(shares.max(axis=(1, 2), keepdims=True), 1e-6)
        class_masks = shares >= np.minimum(0.5, least)
    return class_masks


def _count_runs(class_masks: NDArray[np.bool_]) -> int:
    flat = class_masks.reshape(len(class_masks), -1)
    return int((flat[:, 1:] != flat[:, :-1]).sum()) + 2 * len(flat)


def class_mask_likeness(
    boxes_left: NDArray[np.float32],
    left: NDArray[np.bool_],
    boxes_right: NDArray[np.float32],
    right: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """(N, M) intersection over union of class masks where they lie: the IoU per class of semantic segmentation.

    Args: boxes_left: (N, 4), boxes_right: (M, 4), in one unit. left: (N, G, G). right: (M, G, G).
    """
    boxes = np.concatenate([boxes_left, boxes_right])
    if not len(boxes_left) or not len(boxes_right):
        return np.zeros((len(boxes_left), len(boxes_right)), np.float32)
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    scale = _CANVAS / np.maximum(high - low, 1e-6)
    first = np.stack(list(_placed(boxes_left, left, low, scale)))
    second = np.stack(list(_placed(boxes_right, right, low, scale)))
    shared = first @ second.T
    union = first.sum(axis=1)[:, None] + second.sum(axis=1)[None] - shared
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1), 1.0), np.float32)


def _placed(
    boxes: NDArray[np.float32], class_masks: NDArray[np.bool_], low: NDArray[np.float32], scale: NDArray[np.float32]
) -> Iterator[NDArray[np.float32]]:
    """Each class mask on the canvas, flat, by the cell that each of its middles lies in."""
    middles = (np.arange(_CANVAS, dtype=np.float32) + 0.5) / scale[:, None] + low[:, None]
    side = class_masks.shape[-1]
    for box, class_mask in zip(boxes, class_masks, strict=True):
        cells, there = [], []
        for axis in (0, 1):
            share = (middles[axis] - box[axis]) / max(float(box[axis + 2] - box[axis]), 1e-6)
            there.append((share >= 0) & (share < 1))
            cells.append(np.clip((share * side).astype(np.intp), 0, side - 1))
        canvas = class_mask[np.ix_(cells[1], cells[0])] & there[1][:, None] & there[0][None, :]
        yield canvas.ravel().astype(np.float32)
