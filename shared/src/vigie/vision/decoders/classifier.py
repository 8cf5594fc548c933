"""Classifiers: one output [1, C] (or [1, C, 1, 1]). What is seen is the whole tensor, so its box is the tensor's.

``softmax``: the graph gives logits; otherwise the scores are probabilities already.

Source: torchvision.models classification recipes; ultralytics/ultralytics, nn/modules/head.py ``Classify``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, softmax


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``top``: how many classes at most are told."""

    softmax: bool = False
    top: int = 1


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        shape = facts.output_shapes[0] if len(facts.output_shapes) == 1 else ()
        facts.require((1, facts.class_count, *([1] * max(0, len(shape) - 2))))
        self._box = facts.whole_xyxy[None]

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        scores = outputs[0].reshape(-1).astype(np.float32)
        if self._params.softmax:
            scores = softmax(scores)
        # The best of all classes first, then the filter: an unwanted class must not let the next one win.
        best = np.argsort(-scores, kind="stable")[: self._params.top]
        best = best[scores[best] >= cut.score_min]
        boxes = np.repeat(self._box, len(best), axis=0)
        return select(boxes, scores[best], best.astype(np.int32), iou_max=None, classes=cut.classes)
