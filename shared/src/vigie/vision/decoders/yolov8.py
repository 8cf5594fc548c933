"""YOLOv8, 9, 11, 12 (raw): one output [1, 4+C, A] of centre, size in pixels and sigmoided class scores; no objectness.

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``Detect`` and utils/nms.py ``non_max_suppression``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_columns, select


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: the graph does it all."""


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:  # noqa: ARG002  # every family takes them
        self._facts = facts
        facts.require((1, 4 + facts.class_count, None))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        columns = outputs[0][0]
        index, scores, class_ids = pick_columns(columns[4:], cut.score_min)
        if index.size == 0:
            return Detections.none()
        boxes = xywh_to_xyxy(columns[:4, index].T.astype(np.float32))
        return select(boxes, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes)
