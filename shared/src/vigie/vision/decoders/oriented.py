"""Oriented boxes (Ultralytics v8, 11, 26 "obb"): centre, size and angle.

``raw``: one output [1, 4+C+1, A] of centre, size in pixels, sigmoided class scores, angle; not suppressed yet.
``finished``: one output [1, N, 7] of centre, size, score, class, angle. Angles in radians, clockwise as one sees it.

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``OBB``, ``OBB26`` and models/yolo/obb/predict.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import CANDIDATES_MAX, DETECTIONS_MAX, Detections, finished_rows, pick_columns
from vigie.vision.oriented import hull_xyxy, oriented_nms


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the result is written."""

    layout: Literal["raw", "finished"] = "raw"


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._raw = facts, params.layout == "raw"
        if self._raw:
            facts.require((1, 4 + facts.class_count + 1, None))
        else:
            facts.require((1, None, 7))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        if self._raw:
            columns, last = outputs[0][0], 4 + self._facts.class_count
            index, scores, class_ids = pick_columns(columns[4:last], cut.score_min)
            boxes = columns[:, index][[0, 1, 2, 3, last]].T.astype(np.float32)
        else:
            rows, class_ids = finished_rows(outputs[0][0], cut.score_min, self._facts.class_count)
            boxes, scores = rows[:, [0, 1, 2, 3, 6]], rows[:, 4]
        fit = np.isfinite(boxes).all(axis=1)
        if cut.classes is not None:
            fit &= np.isin(class_ids, np.fromiter(cut.classes, np.int32))
        kept = np.flatnonzero(fit)
        kept = kept[np.argsort(-scores[kept], kind="stable")[: CANDIDATES_MAX if self._raw else DETECTIONS_MAX]]
        if self._raw:
            picked = boxes[kept], scores[kept], class_ids[kept]
            kept = kept[oriented_nms(*picked, iou_max=cut.iou_max, limit=DETECTIONS_MAX)]
        found = np.ascontiguousarray(boxes[kept], np.float32)
        return Detections(
            hull_xyxy(found),
            np.ascontiguousarray(scores[kept], np.float32),
            np.ascontiguousarray(class_ids[kept], np.int32),
            oriented=found,
        )
