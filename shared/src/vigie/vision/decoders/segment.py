"""Instance segmentation (Ultralytics v8, 11, 12, 26): boxes with coefficients, and prototypes that they mix to masks.

Two outputs in this order. The table: ``raw`` [1, 4+C+K, A] of centre, size in pixels, sigmoided class scores and
coefficients (not suppressed yet), or ``finished`` [1, N, 6+K] of corners in pixels, score, class and coefficients. The
prototypes: [1, K, h, w].

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``Segment`` and utils/ops.py ``process_mask``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import clip_xyxy, xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, chosen_rows, finished_rows, pick_columns
from vigie.vision.masks import sample_masks


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the result is written."""

    layout: Literal["raw", "finished"] = "raw"


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._raw = facts, params.layout == "raw"
        kinds = facts.output_shapes[1][1] if len(facts.output_shapes) == 2 and len(facts.output_shapes[1]) == 4 else 0
        if self._raw:
            facts.require((1, 4 + facts.class_count + kinds, None), (1, kinds, None, None))
        else:
            facts.require((1, None, 6 + kinds), (1, kinds, None, None))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        if self._raw:
            columns, first = outputs[0][0], 4 + self._facts.class_count
            index, scores, class_ids = pick_columns(columns[4:first], cut.score_min)
            boxes = xywh_to_xyxy(columns[:4, index].T.astype(np.float32))
            coefficients = columns[first:, index].T.astype(np.float32)
        else:
            rows, class_ids = finished_rows(outputs[0][0], cut.score_min, self._facts.class_count)
            boxes, scores, coefficients = rows[:, :4], rows[:, 4], rows[:, 6:]
        kept = chosen_rows(
            boxes,
            scores,
            class_ids,
            iou_max=cut.iou_max if self._raw else None,
            classes=cut.classes,
            sound=np.isfinite(coefficients).all(axis=1),
        )
        # Masks only of what is told: they cost more than everything before. Boxes end where the prototypes do.
        boxes = clip_xyxy(boxes[kept], self._facts.input_hw)
        prototypes = outputs[1][0].astype(np.float32, copy=False)
        masks = sample_masks(boxes, coefficients[kept], prototypes, self._facts.input_hw)
        return Detections(
            np.ascontiguousarray(boxes, np.float32),
            np.ascontiguousarray(scores[kept], np.float32),
            np.ascontiguousarray(class_ids[kept], np.int32),
            masks=masks,
        )
