"""YOLOv5: one output [1, A, 5+C] of centre, size in pixels, objectness, class scores, all activated in the graph.

YOLOv5-face has ten columns before the class scores: x and y in pixels of eyes, nose and corners of the mouth, which are
key points, each as sure as its face.

Source: ultralytics/yolov5, models/yolo.py ``Detect.forward`` and utils/general.py ``non_max_suppression``;
deepcam-cn/yolov5-face, models/yolo.py and detect_face.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_rows, select, with_scores


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``class_at``: the first column of class scores; ``points``: whether the columns before it are key points."""

    class_at: int = 5
    points: bool = False


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._class_at = facts, params.class_at
        self._points = params.points
        facts.require((1, None, params.class_at + facts.class_count))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        rows = outputs[0][0]
        index, scores, class_ids = pick_rows(rows, cut.score_min, self._class_at)
        if index.size == 0:
            return Detections.none()
        boxes = xywh_to_xyxy(rows[index, :4].astype(np.float32))
        points = None
        if self._points:
            places = rows[index, 5 : self._class_at].astype(np.float32).reshape(len(index), -1, 2)
            points = with_scores(places, scores)
        return select(boxes, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes, keypoints=points)
