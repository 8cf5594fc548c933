"""YOLOX: one output [1, A, 5+C] of box, objectness, class scores; anchors at strides 8, 16, 32.

Raw exports leave the box in grid units: xy = (p + cell) * stride, wh = exp(p) * stride. Objectness and classes
are already sigmoided in the graph. ``decoded`` exports (``--decode_in_inference``) give pixels.

Source: Megvii-BaseDetection/YOLOX, yolox/utils/demo_utils.py ``demo_postprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_rows, select, strided_grid


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``decoded``: the graph already gives pixels."""

    decoded: bool = False
    strides: tuple[int, ...] = (8, 16, 32)


class Family(Decoder):
    """See the module; holds its (A, 2) grid."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts = facts
        self._decoded = params.decoded
        self._cells, self._strides = strided_grid(facts.input_hw, params.strides)
        facts.require((1, len(self._cells), 5 + facts.class_count))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        rows = outputs[0][0]
        index, scores, class_ids = pick_rows(rows, cut.score_min)
        if index.size == 0:
            return Detections.none()
        boxes = rows[index, :4].astype(np.float32)
        if not self._decoded:
            strides = self._strides[index]
            boxes[:, :2] += self._cells[index]
            with np.errstate(over="ignore"):  # an infinite side is dropped by select()
                np.exp(boxes[:, 2:], out=boxes[:, 2:])
            boxes *= strides
        return select(xywh_to_xyxy(boxes), scores, class_ids, iou_max=cut.iou_max, classes=cut.classes)
