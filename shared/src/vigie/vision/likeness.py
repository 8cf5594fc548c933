"""How alike two detections are, 0..1: boxes by their overlap; key points, masks and angles count too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import area_xyxy, iou_matrix
from vigie.vision.class_masks import class_mask_likeness
from vigie.vision.detections import Detections
from vigie.vision.embeddings import embedding_likeness
from vigie.vision.masks import mask_likeness
from vigie.vision.oriented import oriented_overlap

# How far people put the same point apart, in shares of the object's size: COCO's 17 key points of a person.
_COCO_SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087)
_COCO = np.array((*_COCO_SIGMAS, 0.089, 0.089), np.float32)
_OTHER_SIGMA = 0.05
_SEEN = 0.5
# COCO's objects fill about this much of their boxes.
_AREA_SHARE = 0.53


def likeness_matrix(left: Detections, right: Detections) -> NDArray[np.float32]:
    """(N, M): the overlap of boxes and, where both have them, at most that of masks, turned boxes, key points (OKS).

    Class masks lie where they lie: of them the cells are compared, and their boxes say nothing.
    """
    if left.class_masks is not None and right.class_masks is not None:
        return class_mask_likeness(left.boxes_xyxy, left.class_masks, right.boxes_xyxy, right.class_masks)
    overlap = iou_matrix(left.boxes_xyxy, right.boxes_xyxy)
    if left.masks is not None and right.masks is not None and overlap.size:
        overlap = np.asarray(np.minimum(overlap, mask_likeness(left.masks, right.masks)), np.float32)
    if left.oriented is not None and right.oriented is not None and overlap.size:
        overlap = np.asarray(np.minimum(overlap, oriented_overlap(left.oriented, right.oriented)), np.float32)
    if left.embeddings is not None and right.embeddings is not None and overlap.size:
        overlap = np.asarray(np.minimum(overlap, embedding_likeness(left.embeddings, right.embeddings)), np.float32)
    if left.keypoints is None or right.keypoints is None or not overlap.size:
        return overlap
    return np.asarray(np.minimum(overlap, oks_matrix(left, right)), np.float32)


def oks_matrix(left: Detections, right: Detections) -> NDArray[np.float32]:
    """(N, M) object keypoint similarity, as seen from ``left``: its area, and those of its points that it is sure of.

    Source: cocodataset.org, keypoints evaluation; the area as a share of the box: ultralytics, utils/metrics.py.
    """
    first, second = left.keypoints, right.keypoints
    if first is None or second is None:
        raise ValueError("both need key points")
    count = first.shape[1]
    sigmas = _COCO if count == len(_COCO) else np.full(count, _OTHER_SIGMA, np.float32)
    area = np.maximum(area_xyxy(left.boxes_xyxy) * _AREA_SHARE, 1e-6)
    apart = ((first[:, None, :, :2] - second[None, :, :, :2]) ** 2).sum(axis=3)
    alike = np.exp(-apart / (2 * area[:, None, None] * (2 * sigmas) ** 2))
    seen = first[:, :, 2] >= _SEEN
    seen[~seen.any(axis=1)] = True
    weighted = (alike * seen[:, None]).sum(axis=2) / seen.sum(axis=1)[:, None]
    return np.asarray(weighted, np.float32)
