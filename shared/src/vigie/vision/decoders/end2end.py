"""YOLOv10, YOLO26 and exports with ``nms=True``: one output [1, N, 6] of x1, y1, x2, y2 in pixels, score, class.

Nothing overlaps that should not: the graph has chosen already, so there is no suppression here.

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``v10Detect`` / ``Detect.postprocess`` (end2end).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import DecoderFacts
from vigie.vision.detections import Decoder, Detections, select, sound_classes


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: the graph does it all."""


class End2End:
    """See the module."""

    def __init__(self, facts: DecoderFacts) -> None:
        self._facts = facts
        facts.require((1, None, 6))

    def __call__(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        score_min: float,
        iou_max: float,  # noqa: ARG002  # suppression is in the graph
        classes: Collection[int] | None = None,
    ) -> Detections:
        self._facts.expect(outputs)
        rows = outputs[0][0]
        # Rows that the graph pads with have score 0 (or class -1); score_min 0 must not bring them back.
        rows = rows[(rows[:, 4] >= score_min) & (rows[:, 4] > 0)].astype(np.float32, copy=False)
        class_ids, known = sound_classes(rows[:, 5], self._facts.class_count)
        return select(rows[known, :4], rows[known, 4], class_ids[known], iou_max=None, classes=classes)


def make(_params: Params, facts: DecoderFacts) -> Decoder:
    return End2End(facts)
