"""Dense heads whose graph has placed the boxes and not chosen yet: boxes [1, A, 4] and scores [1, A, C] or [1, C, A].

YOLO-NAS and PP-YOLOE without suppression. Scores are sigmoided in the graph; there is no objectness.

Source: Deci-AI/super-gradients, documentation/source/models_export.md; PaddlePaddle/PaddleDetection,
ppdet/modeling/heads/ppyoloe_head.py ``post_process``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_columns, select


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``boxes``: corners or centre and size. ``units``: of the tensor's pixels or shares of its sides.

    ``turned``: scores are [1, C, A].
    """

    boxes: Literal["xyxy", "cxcywh"] = "xyxy"
    units: Literal["pixels", "share"] = "pixels"
    turned: bool = False


class Family(Decoder):
    """See the module. Outputs in the order boxes, scores."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        scores = (1, facts.class_count, None) if params.turned else (1, None, facts.class_count)
        facts.require((1, None, 4), scores)
        self._scale = facts.sides_whwh if params.units == "share" else np.ones(4, np.float32)

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        per_class = outputs[1][0] if self._params.turned else outputs[1][0].T
        index, scores, class_ids = pick_columns(per_class, cut.score_min)
        if index.size == 0:
            return Detections.none()
        boxes = outputs[0][0, index].astype(np.float32) * self._scale
        boxes = xywh_to_xyxy(boxes) if self._params.boxes == "cxcywh" else boxes
        return select(boxes, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes)
