"""What a decoder returns, and the last steps every decoder shares."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.vision.nms import nms

# More candidates than this are cut to the best ones before NMS, so that a frame full of noise costs
# milliseconds, not seconds. Far above what a scene holds at any sensible score.
CANDIDATES_MAX = 3000
DETECTIONS_MAX = 300


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Detections of one tensor, best score first.

    ``boxes_xyxy`` (N, 4) float32 in tensor pixels, not clipped; ``scores`` (N,) float32 in 0..1;
    ``class_ids`` (N,) int32, indices into the card's labels. ``keypoints``: of a pose model, (N, K, 3) float32, x and y
    in tensor pixels and how sure it is of each, 0..1; ``None`` of others. ``masks``: of a segmentation model,
    (N, GRID, GRID) bool, each stretched over its box (``vigie.vision.masks``). ``oriented``: of a model of oriented
    boxes, (N, 5) float32, centre, width, height and angle in tensor pixels and radians (``vigie.vision.oriented``),
    each inside its box. ``embeddings``: (N, D) float32, each of length 1. ``class_masks``: (N, GRID, GRID) bool, all
    that is seen of one class, stretched over its box (``vigie.vision.class_masks``).
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    keypoints: NDArray[np.float32] | None = None
    masks: NDArray[np.bool_] | None = None
    oriented: NDArray[np.float32] | None = None
    embeddings: NDArray[np.float32] | None = None
    class_masks: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def first(self, count: int) -> Detections:
        """The best ``count`` of them."""
        return self.at(np.arange(min(count, len(self))))

    def at(self, index: NDArray[Any]) -> Detections:
        """Those that an index or mask (N,) names."""
        parts = (self.keypoints, self.masks, self.oriented, self.embeddings, self.class_masks)
        beside: list[Any] = [None if part is None else part[index] for part in parts]
        return Detections(self.boxes_xyxy[index], self.scores[index], self.class_ids[index], *beside)

    @classmethod
    def none(cls) -> Detections:
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


def select(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    *,
    iou_max: float | None,
    classes: Collection[int] | None,
    keypoints: NDArray[np.float32] | None = None,
) -> Detections:
    """Filter by class, drop what is not finite, suppress, order: the tail of every decoder.

    Args: iou_max: ``None`` = the graph has suppressed already; only order and cap. keypoints: (N, K, 3), kept beside.
    """
    sound = None if keypoints is None else np.asarray(np.isfinite(keypoints).all(axis=(1, 2)))
    kept = chosen_rows(boxes_xyxy, scores, class_ids, iou_max=iou_max, classes=classes, sound=sound)
    return Detections(
        np.ascontiguousarray(boxes_xyxy[kept], np.float32),
        np.ascontiguousarray(scores[kept], np.float32),
        np.ascontiguousarray(class_ids[kept], np.int32),
        None if keypoints is None else np.ascontiguousarray(keypoints[kept], np.float32),
    )


def chosen_rows(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    *,
    iou_max: float | None,
    classes: Collection[int] | None,
    sound: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """Indices of what ``select`` keeps, best score first. ``sound``: rows that may be kept, beyond finite boxes."""
    fit = np.isfinite(boxes_xyxy).all(axis=1)
    if sound is not None:
        fit &= sound
    if classes is not None:
        fit &= np.isin(class_ids, np.fromiter(classes, np.int32))
    rows = np.flatnonzero(fit)
    if len(rows) > CANDIDATES_MAX:
        rows = rows[np.argsort(-scores[rows], kind="stable")[:CANDIDATES_MAX]]
    if iou_max is None:
        return rows[np.argsort(-scores[rows], kind="stable")[:DETECTIONS_MAX]]
    return rows[nms(boxes_xyxy[rows], scores[rows], class_ids[rows], iou_max=iou_max, limit=DETECTIONS_MAX)]


def with_scores(places: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, K, 2) places -> (N, K, 3) key points, each as sure as the detection it belongs to, (N,)."""
    sure = np.broadcast_to(scores[:, None, None], (*places.shape[:2], 1))
    points: NDArray[np.float32] = np.concatenate((places, sure), axis=2).astype(np.float32)
    return points


def pick_rows(
    rows: NDArray[np.float32], score_min: float, class_at: int = 5
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int32]]:
    """Anchors worth decoding in (A, 5+C) rows of box, objectness, class scores (YOLOX, YOLOv5).

    Args: class_at: the first column of class scores.

    A score is objectness x class <= objectness, so the strided look at one column spares most rows.
    Returns: indices (K,), scores (K,), class ids (K,).
    """
    objectness = rows[:, 4]
    index = np.flatnonzero(objectness >= score_min)
    per_class = rows[index, class_at:]
    class_ids = per_class.argmax(axis=1)
    scores = per_class[np.arange(len(index)), class_ids] * objectness[index]
    good = scores >= score_min
    return index[good], scores[good].astype(np.float32, copy=False), class_ids[good].astype(np.int32)


def pick_columns(
    per_class: NDArray[np.float32], score_min: float
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int32]]:
    """Anchors worth decoding in (C, A) class scores without objectness (YOLOv8 and later).

    The maximum over contiguous rows is vectorised by NumPy; the class is looked up for the survivors only.
    """
    best = per_class.max(axis=0)
    index = np.flatnonzero(best >= score_min)
    class_ids = per_class[:, index].argmax(axis=0).astype(np.int32)
    return index, best[index].astype(np.float32, copy=False), class_ids


def strided_grid(input_hw: tuple[int, int], strides: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell corners (A, 2) as (x, y) in cells and strides (A, 1) in pixels; levels in order, rows before columns.

    A side that a stride does not divide is rounded up, as padded convolutions do.
    """
    corners, sizes = [], []
    for stride in strides:
        rows, columns = -(-input_hw[0] // stride), -(-input_hw[1] // stride)
        y, x = np.mgrid[0:rows, 0:columns]
        corners.append(np.stack((x.ravel(), y.ravel()), axis=1))
        sizes.append(np.full((rows * columns, 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(sizes).astype(np.float32)


def finished_rows(
    table: NDArray[Any], score_min: float, class_count: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Rows (N, K) of box, score, class and more that a graph has chosen already, and their class ids.

    Rows that the graph pads with have score 0 (or class -1); a ``score_min`` of 0 must not bring them back.
    """
    rows = table[(table[:, 4] >= score_min) & (table[:, 4] > 0)].astype(np.float32, copy=False)
    class_ids, known = sound_classes(rows[:, 5], class_count)
    return rows[known], class_ids[known]


def sigmoid(values: NDArray[Any]) -> NDArray[np.float32]:
    """Logits to scores, each of its own."""
    with np.errstate(over="ignore"):  # exp(88) and beyond is a score of 0
        return np.asarray(1.0 / (1.0 + np.exp(-values.astype(np.float32, copy=False))), np.float32)


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Logits to scores that add up to 1 over the last axis."""
    powers = np.exp(logits.astype(np.float32, copy=False) - logits.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return np.asarray(powers, np.float32)


def sound_classes(raw: NDArray[Any], class_count: int, first: int = 0) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Class ids that a graph wrote as numbers, shifted so that ``first`` is label 0, and which of them exist.

    Ids without a label (padding, background, a class list that is too short) are marked, never wrapped round.
    """
    shifted = np.nan_to_num(raw.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0).round() - first
    known = (shifted >= 0) & (shifted < class_count)
    return np.where(known, shifted, 0).astype(np.int32), known
