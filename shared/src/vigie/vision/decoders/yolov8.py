"""YOLOv8, 9, 11, 12 (raw): one output [1, 4+C, A] of centre, size in pixels and sigmoided class scores; no objectness.

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``Detect`` and utils/nms.py ``non_max_suppression``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import DecoderFacts
from vigie.vision.detections import Decoder, Detections, pick_columns, select


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: the graph does it all."""


class Yolov8:
    """See the module."""

    def __init__(self, facts: DecoderFacts) -> None:
        self._facts = facts
        facts.require((1, 4 + facts.class_count, None))

    def __call__(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        score_min: float,
        iou_max: float,
        classes: Collection[int] | None = None,
    ) -> Detections:
        self._facts.expect(outputs)
        columns = outputs[0][0]
        index, scores, class_ids = pick_columns(columns[4:], score_min)
        if index.size == 0:
            return Detections.none()
        boxes = xywh_to_xyxy(columns[:4, index].T.astype(np.float32))
        return select(boxes, scores, class_ids, iou_max=iou_max, classes=classes)


def make(_params: Params, facts: DecoderFacts) -> Decoder:
    return Yolov8(facts)
