"""SCRFD (InsightFace): scores, distances and perhaps landmarks of each level, two anchors per cell.

Outputs in this order: scores of every stride [A_s, 1] (sigmoided), then distances [A_s, 4], then, where there are any,
landmarks [A_s, 10]; a batch axis of 1 may be there. A distance times the stride is how far left, top, right and bottom
lie from the cell's corner; a landmark times the stride, how far right and below. Landmarks are key points, each as sure
as its face.

Source: deepinsight/insightface, python-package/insightface/model_zoo/scrfd.py ``forward`` and ``distance2bbox``,
``distance2kps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, strided_grid, with_scores


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``strides``: of the levels, in the order of the outputs. ``per_cell``: anchors of a cell, next to each other."""

    strides: tuple[int, ...] = (8, 16, 32)
    per_cell: int = 2


class Family(Decoder):
    """See the module; holds its (A, 2) anchors in pixels."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._levels = facts, len(params.strides)
        cells, strides = strided_grid(facts.input_hw, params.strides)
        self._anchors = np.repeat(cells * strides, params.per_cell, axis=0)
        self._strides = np.repeat(strides, params.per_cell, axis=0)
        counts = [params.per_cell * len(strided_grid(facts.input_hw, (stride,))[0]) for stride in params.strides]
        self._points = len(facts.output_shapes) == 3 * self._levels
        wanted = [(count, width) for width in ((1, 4, 10) if self._points else (1, 4)) for count in counts]
        batch = facts.output_shapes and len(facts.output_shapes[0]) == 3
        facts.require(*((1, *shape) if batch else shape for shape in wanted))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        scores = np.concatenate([output.reshape(-1) for output in outputs[: self._levels]]).astype(np.float32)
        index = np.flatnonzero(scores >= cut.score_min)
        if index.size == 0:
            return Detections.none()
        sides = np.concatenate([output.reshape(-1, 4) for output in outputs[self._levels : 2 * self._levels]])
        sides = sides[index].astype(np.float32)
        sides *= self._strides[index]
        anchors, points = self._anchors[index], None
        if self._points:
            moved = np.concatenate([output.reshape(-1, 10) for output in outputs[2 * self._levels :]])[index]
            moved = moved.astype(np.float32).reshape(-1, 5, 2) * self._strides[index][:, None]
            points = with_scores(anchors[:, None] + moved, scores[index])
        boxes = np.concatenate((anchors - sides[:, :2], anchors + sides[:, 2:]), axis=1)
        class_ids = np.zeros(len(index), np.int32)
        return select(boxes, scores[index], class_ids, iou_max=cut.iou_max, classes=cut.classes, keypoints=points)
