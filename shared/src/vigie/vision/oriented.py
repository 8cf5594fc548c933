"""Oriented boxes: centre, two sides and an angle. Overlap, suppression, hull, and the way into the frame.

(N, 5) float32: x and y of the centre, width, height in pixels, and by how much the width is turned from the x axis, in
radians, clockwise as one sees it (y grows downwards).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.tensors import FrameTransform

Oriented = NDArray[np.float32]

# As the source has it; keeps roots and divisions finite.
_EPS = 1e-7
# Pairs are compared in blocks of this many rows: the planes of a block stay in the cache.
_BLOCK = 64


def hull_xyxy(oriented: Oriented) -> NDArray[np.float32]:
    """(N, 4): the smallest upright boxes around them, as corners."""
    cos, sin = np.abs(np.cos(oriented[:, 4])), np.abs(np.sin(oriented[:, 4]))
    half_x = (oriented[:, 2] * cos + oriented[:, 3] * sin) / 2
    half_y = (oriented[:, 2] * sin + oriented[:, 3] * cos) / 2
    x, y = oriented[:, 0], oriented[:, 1]
    return np.stack((x - half_x, y - half_y, x + half_x, y + half_y), axis=1).astype(np.float32)


def corners_of(oriented: Oriented) -> NDArray[np.float32]:
    """(N, 4, 2): the corners in the order in which an outline is drawn."""
    cos, sin = np.cos(oriented[:, 4]), np.sin(oriented[:, 4])
    along = np.stack((cos, sin), axis=1) * oriented[:, 2:3] / 2
    across = np.stack((-sin, cos), axis=1) * oriented[:, 3:4] / 2
    centre = oriented[:, :2]
    around = (centre - along - across, centre + along - across, centre + along + across, centre - along + across)
    return np.stack(around, axis=1).astype(np.float32)


def oriented_overlap(left: Oriented, right: Oriented) -> NDArray[np.float32]:
    """(N, M), 0..1: ProbIoU, the overlap of the two as normal distributions. A square has no angle to it.

    Source: Llerena et al., Gaussian Bounding Boxes and Probabilistic Intersection-over-Union, 2021 (arXiv 2106.06072);
    Ultralytics suppresses by it (utils/metrics.py ``batch_probiou``).
    """
    first, second = left.astype(np.float64), right.astype(np.float64)
    a1, b1, c1 = (part[:, None] for part in _covariance(first))
    a2, b2, c2 = _covariance(second)
    apart_x, apart_y = first[:, 0][:, None] - second[:, 0], first[:, 1][:, None] - second[:, 1]
    a, b, c = a1 + a2, b1 + b2, c1 + c2
    shared = a * b - c * c
    near = (a * apart_y**2 + b * apart_x**2) / (shared + _EPS) * 0.25
    near += (c * -apart_x * apart_y) / (shared + _EPS) * 0.5
    sizes = np.sqrt(np.maximum(a1 * b1 - c1**2, 0) * np.maximum(a2 * b2 - c2**2, 0))
    near += np.log(np.maximum(shared, 0) / (4 * sizes + _EPS) + _EPS) * 0.5
    distance = np.sqrt(1.0 - np.exp(-np.clip(near, _EPS, 100.0)) + _EPS)
    return np.asarray(np.clip(1.0 - distance, 0.0, 1.0), np.float32)


def oriented_nms(
    oriented: Oriented, scores: NDArray[np.float32], class_ids: NDArray[np.int32], *, iou_max: float, limit: int = 300
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first, at most ``limit``.

    A box falls if *any* better box of its own class overlaps it by more than ``iou_max``, also one that falls itself:
    what Ultralytics' exports are made for, stricter than the greedy rule of upright boxes.

    Source: Bolya et al., YOLACT, 2019, Fast NMS; ultralytics, utils/nms.py ``TorchNMS.fast_nms``.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, classes = oriented[order], class_ids[order]
    falls = np.zeros(len(order), bool)
    for start in range(0, len(order), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(order)))
        over = oriented_overlap(boxes[: block[-1] + 1], boxes[block]) > iou_max
        better = np.arange(block[-1] + 1)[:, None] < block
        falls[block] = (over & better & (classes[: block[-1] + 1][:, None] == classes[block])).any(axis=0)
    return order[~falls][:limit]


def oriented_to_frame(oriented: Oriented, transform: FrameTransform) -> Oriented:
    """Tensor pixels -> frame pixels, not clipped; a new array.

    Where a frame was stretched, right angles do not stay right: each side keeps its length and the width its direction.
    """
    scale = np.array([transform.scale_x, transform.scale_y], np.float64)
    moved = oriented.astype(np.float64)
    cos, sin = np.cos(moved[:, 4]), np.sin(moved[:, 4])
    along, across = np.stack((cos, sin), axis=1) / scale, np.stack((-sin, cos), axis=1) / scale
    moved[:, :2] = (moved[:, :2] - [transform.pad_x, transform.pad_y]) / scale
    moved[:, 2] *= np.linalg.norm(along, axis=1)
    moved[:, 3] *= np.linalg.norm(across, axis=1)
    moved[:, 4] = np.arctan2(along[:, 1], along[:, 0])
    return moved.astype(np.float32)


def _covariance(oriented: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """A uniform rectangle's variances, turned: a (x), b (y), c (both), each (N,)."""
    wide, high, angle = oriented[:, 2] ** 2 / 12, oriented[:, 3] ** 2 / 12, oriented[:, 4]
    cos, sin = np.cos(angle), np.sin(angle)
    return wide * cos**2 + high * sin**2, wide * sin**2 + high * cos**2, (wide - high) * cos * sin
