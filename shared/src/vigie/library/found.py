"""What a model found in one frame, in that frame's pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection
from vigie.vision.detections import Detections
from vigie.vision.in_frame import as_messages, to_frame
from vigie.vision.transform import Transform


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections of one frame, best score first; of a classifier the whole frame is the box.

    ``boxes_xyxy`` (N, 4) float32, pixels of the frame, clipped to it; ``scores`` (N,) float32 in 0..1; ``class_ids``
    (N,) int32; ``names``: the label of each; ``keypoints``: of a pose model, (N, K, 3) float32, x and y in the same
    pixels and how sure it is, else ``None``; ``masks``: of a segmentation model, (N, 28, 28) bool, each stretched over
    its box, else ``None``; ``oriented``: of a model of oriented boxes, (N, 5) float32, centre, width and height in the
    same pixels and the angle in radians, clockwise, else ``None``; ``embeddings``: of
    a model of embeddings, (1, D) float32 of length 1, else ``None``; ``class_masks``: of a semantic segmentation or
    anomaly model, (N, 64, 64) bool, all that is seen of one class, stretched over its box, else ``None``. Iterating
    gives ``Detection`` structs, as messages hold them.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    names: tuple[str, ...]
    frame_hw: tuple[int, int]
    keypoints: NDArray[np.float32] | None
    masks: NDArray[np.bool_] | None
    oriented: NDArray[np.float32] | None
    embeddings: NDArray[np.float32] | None
    class_masks: NDArray[np.bool_] | None
    _items: Sequence[Detection]

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Detection]:
        return iter(self._items)

    def __str__(self) -> str:
        if not len(self):
            return "nothing found"
        return ", ".join(f"{one.label} {one.score:.2f} at {[round(side) for side in one.box_xyxy]}" for one in self)


def in_frame(found: Detections, transform: Transform, frame_hw: tuple[int, int], labels: tuple[str, ...]) -> Found:
    """Detections of a tensor, in the pixels of the frame that was fitted into it."""
    seen = to_frame(found, transform, frame_hw)
    return Found(
        boxes_xyxy=seen.boxes_xyxy,
        scores=seen.scores,
        class_ids=seen.class_ids,
        names=tuple(labels[index] for index in seen.class_ids.tolist()),
        frame_hw=frame_hw,
        keypoints=seen.keypoints,
        masks=seen.masks,
        oriented=seen.oriented,
        embeddings=seen.embeddings,
        class_masks=seen.class_masks,
        _items=as_messages(seen, labels),
    )
