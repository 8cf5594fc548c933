"""SSD-type detectors, whose graphs suppress already.

Three ways to write the result:

- ``detection_output``: [1, 1, N, 7] of image, label, score, x1, y1, x2, y2 in 0..1; image -1 ends the list.
- ``tensorflow``: boxes [1, N, 4] as y1, x1, y2, x2 in 0..1, classes [1, N], scores [1, N] (in this order).
- ``torchvision``: boxes [N, 4] as x1, y1, x2, y2 in pixels, labels [N], scores [N] (in this order).

``first_label`` is the number that the graph gives to the first label: 1 where 0 is the background.

Source: openvino DetectionOutput-8 specification; TensorFlow object_detection/exporter_lib_v2.py;
pytorch/vision torchvision/models/detection/ssd.py ``postprocess_detections``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, sound_classes


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the result is written."""

    layout: Literal["detection_output", "tensorflow", "torchvision"]
    first_label: int = 0


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        if params.layout == "detection_output":
            facts.require((1, 1, None, 7))
        elif params.layout == "tensorflow":
            facts.require((1, None, 4), (1, None), (1, None))
        else:
            facts.require((None, 4), (None,), (None,))
        self._size_xyxy = facts.sides_whwh

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        boxes, raw_classes, scores = self._read(outputs)
        # Rows that the graph pads with have score 0; score_min 0 must not bring them back.
        strong = (scores >= cut.score_min) & (scores > 0)
        boxes, raw_classes, scores = boxes[strong], raw_classes[strong], scores[strong]
        class_ids, known = sound_classes(raw_classes, self._facts.class_count, self._params.first_label)
        return select(boxes[known], scores[known], class_ids[known], iou_max=None, classes=cut.classes)

    def _read(self, outputs: Sequence[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.float32]]:
        if self._params.layout == "detection_output":
            rows = outputs[0][0, 0].astype(np.float32, copy=False)
            ends = np.flatnonzero(rows[:, 0] < 0)
            rows = rows[: ends[0]] if ends.size else rows
            return rows[:, 3:] * self._size_xyxy, rows[:, 1], rows[:, 2]
        if self._params.layout == "tensorflow":
            boxes, classes, scores = (output[0] for output in outputs)
            return boxes[:, [1, 0, 3, 2]].astype(np.float32) * self._size_xyxy, classes, scores.astype(np.float32)
        boxes, classes, scores = outputs
        return boxes.astype(np.float32), classes, scores.astype(np.float32)
