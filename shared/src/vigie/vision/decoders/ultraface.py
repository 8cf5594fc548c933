"""UltraFace: scores [1, A, 2] softmaxed (background, face) and boxes [1, A, 4] as x1, y1, x2, y2 in 0..1.

Source: Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detect_onnx.py ``predict``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import DecoderFacts
from vigie.vision.detections import Decoder, Detections, pick_columns, select


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: column 0 is the background."""


class UltraFace:
    """See the module. Outputs in the order scores, boxes."""

    def __init__(self, facts: DecoderFacts) -> None:
        self._facts = facts
        facts.require((1, None, 1 + facts.class_count), (1, None, 4))
        height, width = facts.input_hw
        self._size_xyxy = np.array([width, height, width, height], np.float32)

    def __call__(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        score_min: float,
        iou_max: float,
        classes: Collection[int] | None = None,
    ) -> Detections:
        self._facts.expect(outputs)
        index, scores, class_ids = pick_columns(outputs[0][0, :, 1:].T, score_min)
        if index.size == 0:
            return Detections.none()
        boxes = outputs[1][0, index].astype(np.float32) * self._size_xyxy
        return select(boxes, scores, class_ids, iou_max=iou_max, classes=classes)


def make(_params: Params, facts: DecoderFacts) -> Decoder:
    return UltraFace(facts)
