"""Detections of a tensor as a message holds them: in pixels of the frame that was fitted into it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection, Mask
from vigie.contracts.tensors import FrameTransform
from vigie.vision.detections import Detections
from vigie.vision.masks import GRID, crop_masks, to_runs
from vigie.vision.transform import boxes_to_frame, boxes_to_tensor, points_to_frame


def detections_in_frame(
    found: Detections, transform: FrameTransform, frame_hw: tuple[int, int], labels: Sequence[str]
) -> list[Detection]:
    """Best score first. Boxes and key points to a hundredth of a pixel, scores to four digits."""
    # In double precision, so that 286.57 is written as that and not with twelve digits more.
    boxes = boxes_to_frame(found.boxes_xyxy, transform, frame_hw).astype(np.float64).round(2).tolist()
    points: list[list[list[float]]] = [[] for _ in boxes]
    if found.keypoints is not None:
        moved = points_to_frame(found.keypoints, transform, frame_hw).astype(np.float64)
        points = moved.round(2).tolist()
    masks: list[Mask | None] = [None] * len(boxes)
    if found.masks is not None:
        masks = [Mask((GRID, GRID), to_runs(mask)) for mask in masks_in_frame(found, found.masks, transform, frame_hw)]
    return [
        Detection(
            labels[class_id],
            class_id,
            round(score, 4),
            (box[0], box[1], box[2], box[3]),
            keypoints=tuple((x, y, seen) for x, y, seen in own),
            mask=mask,
        )
        for box, score, class_id, own, mask in zip(
            boxes, found.scores.tolist(), found.class_ids.tolist(), points, masks, strict=True
        )
    ]


def masks_in_frame(
    found: Detections, masks: NDArray[np.bool_], transform: FrameTransform, frame_hw: tuple[int, int]
) -> NDArray[np.bool_]:
    """Masks (N, GRID, GRID) over the boxes as the frame has them: clipped where the tensor's went into its padding."""
    clipped = boxes_to_tensor(boxes_to_frame(found.boxes_xyxy, transform, frame_hw), transform)
    return crop_masks(masks, found.boxes_xyxy, clipped)
