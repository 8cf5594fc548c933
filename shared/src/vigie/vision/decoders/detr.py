"""RT-DETR, D-FINE and their like: a fixed number of queries, no suppression.

Three ways to write the result:

- ``labels_boxes_scores``: labels [1, Q], boxes [1, Q, 4] as x1, y1, x2, y2 in pixels, scores [1, Q] (in this order).
- ``ultralytics``: [1, Q, 4+C] of centre, size in 0..1 and sigmoided class scores.
- ``logits``: boxes [1, Q, 4] as centre, size in 0..1 and class logits [1, Q, C], in this order: sigmoid (RF-DETR), or
  ``softmax`` with a last column that stands for no object (DETR, YOLOS).

Source: lyuwenyu/RT-DETR, rtdetr_pytorch/tools/export_onnx.py; Peterande/D-FINE, tools/deployment/export_onnx.py;
ultralytics/ultralytics, models/rtdetr/predict.py; roboflow/rf-detr, models/lwdetr.py ``PostProcess``;
huggingface/transformers, models/detr/image_processing_detr.py ``post_process_object_detection``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, sigmoid, softmax, sound_classes


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the result is written; ``first_label`` is the number of the first label. ``softmax``: of the logits."""

    layout: Literal["labels_boxes_scores", "ultralytics", "logits"]
    first_label: int = 0
    softmax: bool = False


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        if params.layout == "labels_boxes_scores":
            facts.require((1, None), (1, None, 4), (1, None))
        elif params.layout == "ultralytics":
            facts.require((1, None, 4 + facts.class_count))
        else:
            facts.require((1, None, 4), (1, None, params.first_label + facts.class_count + int(params.softmax)))
        self._size_xywh = facts.sides_whwh

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        if self._params.layout == "labels_boxes_scores":
            labels, boxes, scores = (output[0] for output in outputs)
            strong = scores >= cut.score_min
            class_ids, known = sound_classes(labels[strong], self._facts.class_count, self._params.first_label)
            corners = boxes[strong][known].astype(np.float32)
            return select(
                corners, scores[strong][known].astype(np.float32), class_ids[known], iou_max=None, classes=cut.classes
            )
        if self._params.layout == "ultralytics":
            boxes, per_class = outputs[0][0, :, :4], outputs[0][0, :, 4:]
            best = per_class.argmax(axis=1)
            query = np.flatnonzero(per_class[np.arange(len(best)), best] >= cut.score_min)
            seen = best[query]
        else:
            boxes = outputs[0][0]
            per_class, query, seen = self._from_logits(outputs[1][0, :, self._params.first_label :], cut.score_min)
        corners = xywh_to_xyxy(boxes[query].astype(np.float32) * self._size_xywh)
        scores = per_class[query, seen].astype(np.float32)
        return select(corners, scores, seen.astype(np.int32), iou_max=None, classes=cut.classes)

    def _from_logits(
        self, logits: NDArray[Any], score_min: float
    ) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
        """Scores (Q, C), and query and class of those that are strong enough."""
        if self._params.softmax:
            per_class = softmax(logits)[:, :-1]
            best = per_class.argmax(axis=1)
            query = np.flatnonzero(per_class[np.arange(len(best)), best] >= score_min)
            return per_class, query, best[query]
        per_class = sigmoid(logits)
        # One query may answer for several classes, as in the reference post-processing.
        query, seen = np.nonzero(per_class >= score_min)
        return per_class, query, seen
