"""Detections of a tensor as a message holds them: in pixels of the frame that was fitted into it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection, Mask, OrientedBox
from vigie.contracts.tensors import FrameTransform
from vigie.vision.class_masks import within_budget
from vigie.vision.detections import Detections
from vigie.vision.embeddings import to_text
from vigie.vision.masks import GRID, crop_masks, to_runs
from vigie.vision.oriented import oriented_to_frame
from vigie.vision.transform import boxes_to_frame, boxes_to_tensor, points_to_frame


def to_frame(
    found: Detections,
    transform: FrameTransform,
    frame_hw: tuple[int, int],
    within_xyxy: tuple[float, float, float, float] | None = None,
) -> Detections:
    """The same in pixels of the frame, clipped to ``within_xyxy`` (default: the frame); new arrays."""
    boxes = boxes_to_frame(found.boxes_xyxy, transform, frame_hw)
    points = None if found.keypoints is None else points_to_frame(found.keypoints, transform, frame_hw)
    if within_xyxy is not None:
        low, high = np.array(within_xyxy[:2], np.float32), np.array(within_xyxy[2:], np.float32)
        np.clip(boxes, np.tile(low, 2), np.tile(high, 2), out=boxes)
        if points is not None:
            np.clip(points[..., :2], low, high, out=points[..., :2])
    masks, class_masks = found.masks, found.class_masks
    if masks is not None:
        masks = crop_masks(masks, found.boxes_xyxy, boxes_to_tensor(boxes, transform))
    if class_masks is not None:
        class_masks = crop_masks(class_masks, found.boxes_xyxy, boxes_to_tensor(boxes, transform))
    oriented = None if found.oriented is None else oriented_to_frame(found.oriented, transform)
    seen = Detections(boxes, found.scores, found.class_ids, points, masks, oriented, found.embeddings, class_masks)
    if class_masks is None or found.class_masks is None:
        return seen
    # What was seen in the padding only is not in the frame.
    return seen.at(np.flatnonzero(class_masks.any(axis=(1, 2)) | ~found.class_masks.any(axis=(1, 2))))


def as_messages(found: Detections, labels: Sequence[str]) -> list[Detection]:
    """Detections in pixels of the frame, in their order: boxes and key points to a hundredth of a pixel, scores to four
    digits.
    """
    # In double precision, so that 286.57 is written as that and not with twelve digits more.
    boxes = found.boxes_xyxy.astype(np.float64).round(2).tolist()
    points: list[list[list[float]]] = [[] for _ in boxes]
    if found.keypoints is not None:
        points = found.keypoints.astype(np.float64).round(2).tolist()
    masks: list[Mask | None] = [None] * len(boxes)
    if found.masks is not None:
        masks = [Mask((GRID, GRID), to_runs(mask)) for mask in found.masks]
    elif found.class_masks is not None:
        masks = [_class_mask(class_mask) for class_mask in within_budget(found.class_masks)]
    turned: list[OrientedBox | None] = [None] * len(boxes)
    if found.oriented is not None:
        turned = [_oriented(one) for one in found.oriented.astype(np.float64).tolist()]
    vectors: list[str | None] = [None] * len(boxes)
    if found.embeddings is not None:
        vectors = [to_text(one) for one in found.embeddings]
    return [
        Detection(
            labels[class_id],
            class_id,
            round(score, 4),
            (box[0], box[1], box[2], box[3]),
            keypoints=tuple((x, y, seen) for x, y, seen in own),
            mask=mask,
            oriented=oriented,
            embedding=vector,
        )
        for box, score, class_id, own, mask, oriented, vector in zip(
            boxes, found.scores.tolist(), found.class_ids.tolist(), points, masks, turned, vectors, strict=True
        )
    ]


def _class_mask(class_mask: NDArray[np.bool_]) -> Mask | None:
    """``None`` where nothing of it is located: the whole box counts."""
    return Mask((class_mask.shape[0], class_mask.shape[1]), to_runs(class_mask)) if class_mask.any() else None


def _oriented(one: list[float]) -> OrientedBox:
    x, y, width, height, angle = one
    # Rounded before the turn is taken off, or 179.996 would be written as 180.
    degrees = round(math.degrees(angle), 2) % 180.0
    return OrientedBox((round(x, 2), round(y, 2)), (round(width, 2), round(height, 2)), degrees)
