"""Masks of single objects: a small grid of yes and no, stretched over the object's box.

A grid is the same whatever the frame's size is, and bounds what a message carries: at most ``GRID`` x ``GRID`` cells,
written as runs. Source of the idea: He et al., Mask R-CNN, 2017 (28 x 28 cells per box).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRID = 28


def sample_masks(
    boxes_xyxy: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    input_hw: tuple[int, int],
) -> NDArray[np.bool_]:
    """(N, GRID, GRID): where each box's mix of prototypes is positive, looked up at the middle of each cell.

    Args: boxes_xyxy: (N, 4) in tensor pixels. coefficients: (N, K). prototypes: (K, h, w), over the whole tensor.
    Source: Bolya et al., YOLACT, 2019; bilinear between the middles of prototype cells, as torch's interpolate has it.
    """
    count, (_, rows, columns) = len(boxes_xyxy), prototypes.shape
    if count == 0:
        return np.zeros((0, GRID, GRID), np.bool_)
    steps = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    x = boxes_xyxy[:, 0:1] + (boxes_xyxy[:, 2:3] - boxes_xyxy[:, 0:1]) * steps
    y = boxes_xyxy[:, 1:2] + (boxes_xyxy[:, 3:4] - boxes_xyxy[:, 1:2]) * steps
    at_x = np.clip(x * (columns / input_hw[1]) - 0.5, 0, columns - 1)
    at_y = np.clip(y * (rows / input_hw[0]) - 0.5, 0, rows - 1)
    left, top = np.floor(at_x).astype(np.intp), np.floor(at_y).astype(np.intp)
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    across, down = (at_x - left)[:, None, :], (at_y - top)[:, :, None]
    masks = np.empty((count, GRID, GRID), np.bool_)
    for index in range(count):  # one box at a time: the mix of a few cells, never of the whole tensor
        part = prototypes[:, top[index].min() : bottom[index].max() + 1, left[index].min() : right[index].max() + 1]
        mixed = np.tensordot(coefficients[index], part, axes=1)
        t, b = top[index] - top[index].min(), bottom[index] - top[index].min()
        le, ri = left[index] - left[index].min(), right[index] - left[index].min()
        upper = mixed[np.ix_(t, le)] * (1 - across[index]) + mixed[np.ix_(t, ri)] * across[index]
        lower = mixed[np.ix_(b, le)] * (1 - across[index]) + mixed[np.ix_(b, ri)] * across[index]
        masks[index] = upper * (1 - down[index]) + lower * down[index] > 0
    return masks


def crop_masks(
    masks: NDArray[np.bool_], boxes_xyxy: NDArray[np.float32], clipped_xyxy: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """The same masks (N, G, G) over boxes that were clipped (both (N, 4), in one unit), by the nearest cell."""
    grid = masks.shape[-1]
    steps = (np.arange(grid, dtype=np.float32) + 0.5) / grid
    cells = []
    for low, high in ((0, 2), (1, 3)):
        side = np.maximum(boxes_xyxy[:, high] - boxes_xyxy[:, low], 1e-6)
        start = (clipped_xyxy[:, low] - boxes_xyxy[:, low]) / side
        share = (clipped_xyxy[:, high] - clipped_xyxy[:, low]) / side
        places = start[:, None] + share[:, None] * steps
        cells.append(np.clip((places * grid).astype(np.intp), 0, grid - 1))
    columns, rows = cells
    return np.asarray(masks[np.arange(len(masks))[:, None, None], rows[:, :, None], columns[:, None, :]], np.bool_)


def spread_masks(
    masks: NDArray[np.bool_], boxes_xyxy: NDArray[np.float32], wider_xyxy: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """The same masks over boxes that hold the former (both (N, 4), in one unit); outside of those nothing is."""
    steps = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    cells, within = [], []
    for low, high in ((0, 2), (1, 3)):
        side = np.maximum(boxes_xyxy[:, high] - boxes_xyxy[:, low], 1e-6)
        wide = wider_xyxy[:, high] - wider_xyxy[:, low]
        places = (wider_xyxy[:, low, None] + wide[:, None] * steps - boxes_xyxy[:, low, None]) / side[:, None]
        within.append((places >= 0) & (places < 1))
        cells.append(np.clip((places * GRID).astype(np.intp), 0, GRID - 1))
    columns, rows = cells
    spread = masks[np.arange(len(masks))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return np.asarray(spread & within[1][:, :, None] & within[0][:, None, :], np.bool_)


def to_runs(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Run lengths, row by row, no and yes in turn, beginning with no."""
    flat = np.concatenate(([False], mask.ravel(), [not mask.ravel()[-1]]))
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return tuple(int(length) for length in np.diff(ends, prepend=0))


def from_runs(runs: Sequence[int], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The inverse of ``to_runs``. Raises: ValueError: the runs do not fill the mask."""
    if sum(runs) != size_hw[0] * size_hw[1] or any(run < 0 for run in runs):
        raise ValueError(f"runs of {sum(runs)} cells for a mask of {size_hw[0]}x{size_hw[1]}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size_hw)


def mask_likeness(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(N, M) intersection over union of grids, for boxes that lie alike; two empty ones are equal."""
    first = left.reshape(len(left), -1).astype(np.float32)
    second = right.reshape(len(right), -1).astype(np.float32)
    shared = first @ second.T
    union = first.sum(axis=1)[:, None] + second.sum(axis=1)[None] - shared
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1), 1.0), np.float32)
