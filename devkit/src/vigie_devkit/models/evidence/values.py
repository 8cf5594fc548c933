"""What the values of a run say about an output: shares, whole numbers, and how boxes are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.vision.detections import strided_grid

_ROUNDING = 2e-3  # half precision writes 1.0005
_OFFSET_MAX = 3.0  # strides between a cell's centre and its box's, in the median
_GRIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_FOLLOWS = 0.9  # a size does not follow the place; a coordinate does


def are_shares(values: NDArray[Any]) -> bool:
    """All of them finite and in 0..1: activated scores, never logits or places."""
    return bool(
        np.isfinite(values).all() and values.min(initial=0.0) >= -_ROUNDING and values.max(initial=0.0) <= 1 + _ROUNDING
    )


def are_whole(values: NDArray[Any]) -> bool:
    """All of them whole numbers: class numbers, counts."""
    return bool(np.isfinite(values).all() and np.allclose(values, np.round(values), atol=1e-4))


def grid_format(
    boxes: NDArray[Any], input_hw: tuple[int, int], strides: Sequence[int], *, per_cell: int = 1
) -> str | None:
    """How a dense head writes its boxes (A, 4): the reading under which each box lies about its own cell.

    ``cells`` (raw YOLOX), ``cxcywh``, ``ltwh`` or ``xyxy`` in pixels, or with ``_share`` in 0..1; ``None`` where none
    or more than one fits. ``per_cell``: anchors of a cell, whole grids after each other (YOLOv5).
    """
    cells, sizes = zip(*(strided_grid(input_hw, (stride,)) for stride in strides), strict=True)
    corner = np.concatenate([np.tile(part, (per_cell, 1)) for part in cells]).astype(np.float64)
    stride = np.concatenate([np.tile(part, (per_cell, 1)) for part in sizes]).astype(np.float64)
    values = boxes.astype(np.float64)
    if values.shape != (len(corner), 4) or not np.isfinite(values).all():
        return None
    centre = (corner + 0.5) * stride
    scale = np.array([input_hw[1], input_hw[0]], np.float64)
    first, second = values[:, :2], values[:, 2:]
    with np.errstate(over="ignore"):
        raw_sides = np.exp(np.minimum(second, 50.0)) * stride
    readings = {
        "cells": ((first + corner) * stride, raw_sides),
        "cxcywh": (first, second),
        "ltwh": (first + second / 2, second),
        "xyxy": ((first + second) / 2, second - first),
        "cxcywh_share": (first * scale, second * scale),
        "ltwh_share": ((first + second / 2) * scale, second * scale),
        "xyxy_share": ((first + second) / 2 * scale, (second - first) * scale),
    }
    fits = {}
    for name, (middle, sides) in readings.items():
        offset = float(np.median(np.abs(middle - centre) / stride))
        upright = float((sides > 0).all(axis=1).mean())
        moving = _follows(sides, centre) or (name == "cells" and _follows(first, centre))
        if offset < _OFFSET_MAX and upright > 0.98 and not moving:
            fits[name] = offset
    ranked = sorted(fits, key=lambda name: fits[name])
    if not ranked or (len(ranked) > 1 and fits[ranked[1]] < 1.5 * fits[ranked[0]] + 0.05):
        return None
    return ranked[0]


def finished_format(boxes: NDArray[Any], input_hw: tuple[int, int]) -> str | None:
    """How finished boxes (N, 4) are written: ``xyxy`` or ``cxcywh``, with ``_share`` in 0..1; ``None``: no evidence.

    Corners are told from centres by their order; pixels from shares by their size.
    """
    values = boxes.astype(np.float64)
    values = values[np.isfinite(values).all(axis=1) & (np.abs(values).max(axis=1, initial=0) > 0)]
    if len(values) == 0:
        return None
    share = bool(np.abs(values).max() <= 2.0)
    scale = np.ones(4) if share else np.array([input_hw[1], input_hw[0]] * 2, np.float64)
    values = values / scale
    first, second = values[:, :2], values[:, 2:]
    corners = float((second > first).all(axis=1).mean())
    middle = (first + second) / 2
    if corners > 0.98 and _inside(middle) > 0.9:
        name = "xyxy"
    elif (second > 0).all() and corners < 0.9 and _inside(first) > 0.9 and _inside(second) > 0.9:
        name = "cxcywh"
    else:
        return None
    return f"{name}_share" if share else name


def one_per_cell(boxes: NDArray[Any], input_hw: tuple[int, int]) -> bool:
    """Whether boxes (N, 4) are those of every cell of a detector's grid: then nothing has suppressed them yet.

    A list that suppression has left is shorter, ordered by score, or padded; its boxes do not lie about the cells.
    """
    for strides in _GRIDS:
        cells = sum(-(-input_hw[0] // stride) * -(-input_hw[1] // stride) for stride in strides)
        for per_cell in (1, 2, 3):
            if len(boxes) == cells * per_cell:
                return (grid_format(boxes, input_hw, strides, per_cell=per_cell) or "").startswith("xyxy")
    return False


def unlike_boxes(
    boxes: NDArray[Any],
    scores: NDArray[Any],
    labels: NDArray[Any],
    input_hw: tuple[int, int],
    written: str,
    *,
    names: int | None = None,
) -> str:
    """Why the values of a run cannot be boxes (N, 4) ``written`` so, their scores and class numbers; empty if they can.

    Rows that score nothing are padding, and say nothing. ``names``: how many classes have one, numbered from 0.
    """
    score, label = scores.reshape(-1), labels.reshape(-1)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes) == len(score) == len(label):
        return f"{len(boxes)} boxes, {len(score)} scores and {len(label)} classes do not belong together"
    if not are_shares(np.maximum(score, 0)):
        return "its scores are not in 0..1"
    seen = score > 0
    if not are_whole(label[seen]):
        return "its classes are not whole numbers"
    if names is not None and (highest := int(label[seen].max(initial=0))) >= names:
        return f"class number {highest} occurs, and {names} names number from 0 to {names - 1}"
    found = finished_format(boxes[seen], input_hw)
    if seen.any() and boxes[seen].any() and found != written:
        return f"its boxes are {found or 'neither corners nor centres'}, {written} is expected"
    return ""


def _inside(places: NDArray[np.float64]) -> float:
    return float(((places > -0.1) & (places < 1.1)).all(axis=1).mean())


def _follows(sides: NDArray[np.float64], centre: NDArray[np.float64]) -> bool:
    """Whether 'sizes' grow with the place, as corners that are taken for sizes do; also those of the other axis."""
    for own, other in ((0, 0), (1, 1), (0, 1), (1, 0)):
        column, place = np.minimum(sides[:, own], 1e6), centre[:, other]
        if np.std(column) > 0 and np.std(place) > 0 and np.corrcoef(column, place)[0, 1] > _FOLLOWS:
            return True
    return False
