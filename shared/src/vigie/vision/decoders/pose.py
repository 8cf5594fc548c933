"""Poses (Ultralytics v8, 11, 12, 26): boxes with key points.

``raw``: one output [1, 4+C+K*D, A] of centre, size in pixels, sigmoided class scores, key points; not suppressed yet.
``finished``: one output [1, N, 6+K*D] of corners in pixels, score, class and key points.
A key point is x, y in pixels and, with D = 3, how sure the network is of it (sigmoided).

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``Pose`` and models/yolo/pose/predict.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import DecoderFacts
from vigie.vision.detections import Decoder, Detections, pick_columns, select, sound_classes


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``points`` per object, each of ``dims`` numbers."""

    points: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    dims: Annotated[int, msgspec.Meta(ge=2, le=3)] = 3
    layout: Literal["raw", "finished"] = "raw"


class Pose:
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        extra = params.points * params.dims
        if params.layout == "raw":
            facts.require((1, 4 + facts.class_count + extra, None))
        else:
            facts.require((1, None, 6 + extra))

    def __call__(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        score_min: float,
        iou_max: float,
        classes: Collection[int] | None = None,
    ) -> Detections:
        self._facts.expect(outputs)
        if self._params.layout == "raw":
            columns, first = outputs[0][0], 4 + self._facts.class_count
            index, scores, class_ids = pick_columns(columns[4:first], score_min)
            boxes = xywh_to_xyxy(columns[:4, index].T.astype(np.float32))
            points = self._points(columns[first:, index].T)
            return select(boxes, scores, class_ids, iou_max=iou_max, classes=classes, keypoints=points)
        rows = outputs[0][0]
        # Rows that the graph pads with have score 0; score_min 0 must not bring them back.
        rows = rows[(rows[:, 4] >= score_min) & (rows[:, 4] > 0)].astype(np.float32, copy=False)
        class_ids, known = sound_classes(rows[:, 5], self._facts.class_count)
        rows, points = rows[known], self._points(rows[known, 6:])
        return select(rows[:, :4], rows[:, 4], class_ids[known], iou_max=None, classes=classes, keypoints=points)

    def _points(self, flat: NDArray[Any]) -> NDArray[np.float32]:
        """(N, K, 3); points of two numbers are taken for sure."""
        points = flat.reshape(-1, self._params.points, self._params.dims).astype(np.float32)
        if self._params.dims == 3:
            return points
        return np.concatenate((points, np.ones((*points.shape[:2], 1), np.float32)), axis=2)


def make(params: Params, facts: DecoderFacts) -> Decoder:
    return Pose(params, facts)
