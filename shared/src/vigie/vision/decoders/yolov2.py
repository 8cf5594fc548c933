"""YOLOv2's grid: one output [1, K(5+C), H/32, W/32], raw; Azure Custom Vision's older exports.

Of each cell and anchor: centre sigmoid(t) + cell, size exp(t) x anchor in cells, score sigmoid(objectness) x softmax of
the classes. The graph does not suppress.

Source: Redmon and Farhadi, YOLO9000, 2017, section 2; anchors: Custom Vision's exports
(Azure-Samples/customvision-export-samples).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, sigmoid, softmax

_CUSTOM_VISION = ((0.573, 0.677), (1.87, 2.06), (3.34, 5.47), (7.88, 3.53), (9.77, 9.17))


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``anchors``: width and height in cells. ``stride``: pixels of a cell."""

    anchors: tuple[tuple[float, float], ...] = _CUSTOM_VISION
    stride: int = 32


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        self._anchors = np.array(params.anchors, np.float32)
        rows, columns = (side // params.stride for side in facts.input_hw)
        facts.require((1, len(params.anchors) * (5 + facts.class_count), rows, columns))
        y, x = np.mgrid[0:rows, 0:columns]
        self._cells = np.stack((x, y), axis=2).astype(np.float32)[None]  # (1, rows, columns, 2)

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        _, channels, rows, columns = outputs[0].shape
        count = len(self._anchors)
        grid = outputs[0][0].reshape(count, channels // count, rows, columns).transpose(0, 2, 3, 1).astype(np.float32)
        per_class = softmax(grid[..., 5:]) * sigmoid(grid[..., 4:5])
        best = per_class.argmax(axis=3)
        scores = np.take_along_axis(per_class, best[..., None], axis=3)[..., 0]
        at = np.nonzero(scores >= cut.score_min)
        centre = (sigmoid(grid[..., :2]) + self._cells)[at]
        with np.errstate(over="ignore"):  # an infinite side is dropped by select()
            size = np.exp(grid[..., 2:4][at]) * self._anchors[at[0]]
        boxes = xywh_to_xyxy(np.concatenate((centre, size), axis=1) * np.float32(self._params.stride))
        return select(boxes, scores[at], best[at].astype(np.int32), iou_max=cut.iou_max, classes=cut.classes)
