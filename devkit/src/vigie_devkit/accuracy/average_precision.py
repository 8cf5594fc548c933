"""Average precision of detections, as COCO defines it.

Source: Lin et al., "Microsoft COCO: Common Objects in Context" (2014), and the evaluation rules of cocodataset.org:
greedy matching by score within a class, 101-point interpolated precision, mean over classes, and over the IoU
thresholds 0.50, 0.55 ... 0.95 for mAP50-95. Ground truth marked ``ignore`` is neither asked for nor counted wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import iou_matrix
from vigie.vision.detections import Detections
from vigie.vision.transform import Transform

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALL_POINTS = np.linspace(0.0, 1.0, 101)
DETECTIONS_PER_FRAME = 100


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """What is in one frame: ``boxes_xyxy`` (N, 4) float, ``class_ids`` (N,) int, ``ignore`` (N,) bool."""

    boxes_xyxy: NDArray[np.float64]
    class_ids: NDArray[np.int64]
    ignore: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FrameFound:
    """What was detected in it: ``boxes_xyxy`` (M, 4) float, ``scores`` (M,) float, ``class_ids`` (M,) int."""

    boxes_xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    class_ids: NDArray[np.int64]


def found_in_frame(found: Detections, transform: Transform, frame_hw: tuple[int, int]) -> FrameFound:
    """Of a frame that was fitted to the model's input by ``transform``, in its own pixels."""
    return FrameFound(
        transform.to_frame(found.boxes_xyxy, frame_hw).astype(np.float64),
        found.scores.astype(np.float64),
        found.class_ids.astype(np.int64),
    )


@dataclass(frozen=True, slots=True)
class Accuracy:
    """``map50`` and ``map50_95`` in 0..1; ``ap50`` by label; ``objects`` asked for."""

    map50: float
    map50_95: float
    ap50: dict[str, float]
    objects: int


def mean_average_precision(truth: Sequence[FrameTruth], found: Sequence[FrameFound], labels: Sequence[str]) -> Accuracy:
    """Evaluate all frames.

    Args: ``truth`` and ``found``: frame by frame, same length. ``labels``: names of the class ids.
    Raises: ValueError: lengths differ.
    """
    if len(truth) != len(found):
        raise ValueError(f"{len(truth)} frames of truth, {len(found)} of detections")
    per_class: dict[str, NDArray[np.float64]] = {}
    objects = 0
    for class_id, label in enumerate(labels):
        wanted = sum(int(((frame.class_ids == class_id) & ~frame.ignore).sum()) for frame in truth)
        objects += wanted
        if wanted:
            per_class[label] = np.array(
                [_class_ap(truth, found, class_id, wanted, iou_min) for iou_min in IOU_THRESHOLDS]
            )
    if not per_class:
        return Accuracy(0.0, 0.0, {}, 0)
    table = np.stack(list(per_class.values()))
    return Accuracy(
        map50=float(table[:, 0].mean()),
        map50_95=float(table.mean()),
        ap50={label: float(row[0]) for label, row in per_class.items()},
        objects=objects,
    )


def _class_ap(
    truth: Sequence[FrameTruth], found: Sequence[FrameFound], class_id: int, wanted: int, iou_min: float
) -> float:
    scores: list[NDArray[np.float64]] = []
    hits: list[NDArray[np.bool_]] = []
    for frame_truth, frame_found in zip(truth, found, strict=True):
        frame_scores, frame_hits = _match(frame_truth, frame_found, class_id, iou_min)
        scores.append(frame_scores)
        hits.append(frame_hits)
    score = np.concatenate(scores)
    hit = np.concatenate(hits)[np.argsort(-score, kind="stable")]
    if not len(hit):
        return 0.0
    true_positives = np.cumsum(hit)
    recall = true_positives / wanted
    precision = true_positives / np.arange(1, len(hit) + 1)
    # Precision at a recall is the best that any higher recall still has.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # 3 of 10 is 0.3 and a grid point; without the margin rounding decides which side of it.
    at = np.searchsorted(recall + 1e-12, RECALL_POINTS, side="left")
    return float(np.where(at < len(envelope), envelope[np.minimum(at, len(envelope) - 1)], 0.0).mean())


def _match(
    truth: FrameTruth, found: FrameFound, class_id: int, iou_min: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and hits of one class in one frame; detections that fall on ignored truth are left out."""
    mine = np.flatnonzero(found.class_ids == class_id)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")][:DETECTIONS_PER_FRAME]
    theirs = np.flatnonzero(truth.class_ids == class_id)
    # Asked-for objects first: a detection takes an ignored one only if no other is left for it.
    theirs = theirs[np.argsort(truth.ignore[theirs], kind="stable")]
    overlap = iou_matrix(found.boxes_xyxy[mine], truth.boxes_xyxy[theirs])
    ignored = truth.ignore[theirs]
    free = np.ones(len(theirs), bool)
    hits = np.zeros(len(mine), bool)
    counted = np.ones(len(mine), bool)
    for row in range(len(mine)):
        open_real = np.where(free & ~ignored, overlap[row], 0.0)
        best = int(open_real.argmax()) if len(theirs) else -1
        if best >= 0 and open_real[best] >= iou_min:
            free[best], hits[row] = False, True
        elif len(theirs) and np.where(ignored, overlap[row], 0.0).max() >= iou_min:
            counted[row] = False
    return found.scores[mine][counted], hits[counted]
