"""YOLOv10, YOLO26 and exports with ``nms=True``: one output [1, N, 6] of x1, y1, x2, y2 in pixels, score, class.

Nothing overlaps that should not: the graph has chosen already, so there is no suppression here.

Source: ultralytics/ultralytics, ultralytics/nn/modules/head.py ``v10Detect`` / ``Detect.postprocess`` (end2end).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, finished_rows, select


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: the graph does it all."""


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:  # noqa: ARG002  # every family takes them
        self._facts = facts
        facts.require((1, None, 6))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        rows, class_ids = finished_rows(outputs[0][0], cut.score_min, self._facts.class_count)
        return select(rows[:, :4], rows[:, 4], class_ids, iou_max=None, classes=cut.classes)
