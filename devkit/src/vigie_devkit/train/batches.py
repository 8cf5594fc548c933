"""From pictures to batches: cut, flipped, re-lit."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vigie_devkit.train.augment import LEAST_KEPT, Augment, augmented
from vigie_devkit.train.dataset import Dataset
from vigie_devkit.train.loss import Targets

# Of the cuts: about an object. The rest fall anywhere, so that rails, borders and bare belt are learned too.
AIMED_SHARE = 0.85


def make_batch(
    data: Dataset,
    chosen: NDArray[np.int64],
    chance: np.random.Generator,
    cut_hw: tuple[int, int],
    augment: Augment | None = None,
) -> tuple[Tensor, Targets]:
    """Cuts of ``cut_hw`` of the ``chosen`` pictures, flipped and re-lit at random; their truth, padded.

    ``augment``: first make another picture out of each, and others.
    The images are (B, 3, H, W) uint8 BGR, channels last in memory. ``cut_hw`` as large as the pictures: whole ones.
    """
    height, width = cut_hw
    levels = np.arange(256, dtype=np.float64)[:, None]
    images = np.empty((len(chosen), height, width, 3), np.uint8)
    rows: list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]] = []
    for row, index in enumerate(chosen):
        source, number = (data, int(index)) if augment is None else (augmented(data, int(index), chance, augment), 0)
        left, top = _corner(source, number, chance, cut_hw)
        picture = source.images[number, top : top + height, left : left + width]
        boxes, inside, kind = _cut(source, number, (left, top), cut_hw)
        if chance.random() < 0.5:
            picture, boxes[:, [0, 2]] = picture[:, ::-1], width - boxes[:, [2, 0]]
        if chance.random() < 0.5:
            picture, boxes[:, [1, 3]] = picture[::-1], height - boxes[:, [3, 1]]
        gain = chance.uniform(0.75, 1.25) * chance.uniform(0.92, 1.08, 3)
        table = np.clip(levels * gain + chance.uniform(-15, 15), 0, 255).astype(np.uint8)
        cv2.LUT(np.ascontiguousarray(picture), table.reshape(256, 1, 3), dst=images[row])
        rows.append((boxes, source.class_ids[number][inside], kind))
    return torch.from_numpy(images).permute(0, 3, 1, 2), _padded(rows)


def _corner(data: Dataset, index: int, chance: np.random.Generator, cut_hw: tuple[int, int]) -> tuple[int, int]:
    """Left and top of a cut."""
    spare = np.array(data.images.shape[2:0:-1], np.int64) - np.array(cut_hw[::-1], np.int64)
    if not spare.any():
        return 0, 0
    boxes = data.boxes_xyxy[index]
    if not len(boxes) or chance.random() >= AIMED_SHARE:
        corner = chance.integers(0, spare + 1)
    else:
        box = boxes[int(chance.integers(0, len(boxes)))]
        middle = (box[:2] + box[2:]) / 2
        corner = np.clip(middle - chance.random(2) * cut_hw[::-1], 0, spare).astype(np.int64)
    return int(corner[0]), int(corner[1])


def _cut(
    data: Dataset, index: int, corner: tuple[int, int], cut_hw: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Boxes (N, 4) in the cut's pixels of what is seen in it, which of the picture's boxes those are, kind (N,)."""
    whole = data.boxes_xyxy[index] - np.array((*corner, *corner), np.float32)
    boxes = np.clip(whole, 0, np.array((cut_hw[1], cut_hw[0]) * 2, np.float32))
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = sides.prod(axis=1) / np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-6)
    hidden = data.ignore[index] | (kept < LEAST_KEPT) | ((kept < 1) & (sides.min(axis=1) < 2.0))
    inside = kept > 0
    return boxes[inside], inside, np.where(hidden[inside], -1, 1)


def _padded(rows: list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]) -> Targets:
    most = max(1, *(len(kind) for _, _, kind in rows), 1)
    boxes = np.zeros((len(rows), most, 4), np.float32)
    labels, kinds = np.zeros((len(rows), most), np.int64), np.zeros((len(rows), most), np.int64)
    for row, (own, label, kind) in enumerate(rows):
        boxes[row, : len(kind)], labels[row, : len(kind)], kinds[row, : len(kind)] = own, label, kind
    return Targets(torch.from_numpy(boxes), torch.from_numpy(labels), torch.from_numpy(kinds))
