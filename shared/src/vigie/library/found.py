"""What a model found in one frame, in that frame's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection
from vigie.vision.detections import Detections
from vigie.vision.transform import Transform


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections of one frame, best score first; of a classifier the whole frame is the box.

    ``boxes_xyxy`` (N, 4) float32, pixels of the frame, clipped to it; ``scores`` (N,) float32 in 0..1; ``class_ids``
    (N,) int32; ``names``: the label of each. Iterating gives ``Detection`` structs, as messages hold them.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    names: tuple[str, ...]
    frame_hw: tuple[int, int]

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Detection]:
        # In double precision, so that 286.57 is written as that and not with twelve digits more.
        boxes = self.boxes_xyxy.astype(np.float64).round(2).tolist()
        for name, class_id, score, box in zip(
            self.names, self.class_ids.tolist(), self.scores.tolist(), boxes, strict=True
        ):
            yield Detection(name, class_id, round(score, 4), (box[0], box[1], box[2], box[3]))

    def __str__(self) -> str:
        if not len(self):
            return "nothing found"
        return ", ".join(f"{one.label} {one.score:.2f} at {[round(side) for side in one.box_xyxy]}" for one in self)


def in_frame(found: Detections, transform: Transform, frame_hw: tuple[int, int], labels: tuple[str, ...]) -> Found:
    """Detections of a tensor, in the pixels of the frame that was fitted into it."""
    return Found(
        boxes_xyxy=transform.to_frame(found.boxes_xyxy, frame_hw),
        scores=found.scores,
        class_ids=found.class_ids,
        names=tuple(labels[index] for index in found.class_ids.tolist()),
        frame_hw=frame_hw,
    )
