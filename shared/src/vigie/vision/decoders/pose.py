"""Poses (Ultralytics v8, 11, 12, 26): boxes with key points.

``raw``: one output [1, 4+C+K*D, A] of centre, size in pixels, sigmoided class scores, key points; not suppressed yet.
``finished``: one output [1, N, 6+K*D] of corners in pixels, score, class and key points.
A key point is x, y in pixels and, with D = 3, how sure the network is of it (sigmoided).

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``Pose`` and models/yolo/pose/predict.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, finished_rows, pick_columns, select


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``points`` per object, each of ``dims`` numbers."""

    points: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    dims: Annotated[int, msgspec.Meta(ge=2, le=3)] = 3
    layout: Literal["raw", "finished"] = "raw"


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        extra = params.points * params.dims
        if params.layout == "raw":
            facts.require((1, 4 + facts.class_count + extra, None))
        else:
            facts.require((1, None, 6 + extra))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        if self._params.layout == "raw":
            columns, first = outputs[0][0], 4 + self._facts.class_count
            index, scores, class_ids = pick_columns(columns[4:first], cut.score_min)
            boxes = xywh_to_xyxy(columns[:4, index].T.astype(np.float32))
            points = self._points(columns[first:, index].T)
            return select(boxes, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes, keypoints=points)
        rows, class_ids = finished_rows(outputs[0][0], cut.score_min, self._facts.class_count)
        points = self._points(rows[:, 6:])
        return select(rows[:, :4], rows[:, 4], class_ids, iou_max=None, classes=cut.classes, keypoints=points)

    def _points(self, flat: NDArray[Any]) -> NDArray[np.float32]:
        """(N, K, 3); points of two numbers are taken for sure."""
        points = flat.reshape(-1, self._params.points, self._params.dims).astype(np.float32)
        if self._params.dims == 3:
            return points
        return np.concatenate((points, np.ones((*points.shape[:2], 1), np.float32)), axis=2)
